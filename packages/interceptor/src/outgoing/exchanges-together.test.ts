import { credentials, Server, ServerCredentials, type ServiceError, status } from '@grpc/grpc-js';
import { type ExchangeTokenRequest, type ExchangeTokensRequest, type IntrospectionAnswer, tokenmesh } from '@tokenmesh/proto';
import { TokenError } from '@tokenmesh/token';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { refusalOf, toStatus } from '../status.ts';
import { createExchangeClient, type ExchangeClient } from './exchange-client.ts';
import { createTokenSource } from './token-source.ts';

type Answer = (error: Partial<ServiceError> | null, answer?: object) => void;

/** What token-exchange was asked, one line a call, and how it answers. */
let calls: string[];
let failure: Partial<ServiceError> | undefined;
let shortened: boolean;
let introspection: Partial<IntrospectionAnswer>;
let server: Server;
let client: ExchangeClient;
let assertions: number;

const issued = (audience: string) => ({ access_token: `for-${audience}`, token_type: 'Bearer', expires_in: 300 });
const refusals: Record<string, object> = {
  refused: { refusal: { reason: 'TARGET_REFUSED', error: 'invalid_target' } },
  busy: { refusal: { reason: 'EXCHANGE_OVERLOADED', error: 'temporarily_unavailable' } },
  odd: { refusal: { reason: 'NO_SUCH_REASON', error: 'x' } },
  empty: {},
};

beforeEach(async () => {
  [calls, failure, shortened, introspection, assertions] = [[], undefined, false, {}, 0];
  server = new Server();
  const { ExchangeToken, ExchangeTokens, IntrospectToken } = tokenmesh.TokenExchange.service;
  server.addService(
    { ExchangeToken, ExchangeTokens, IntrospectToken },
    {
      ExchangeToken({ request }: { request: ExchangeTokenRequest }, callback: Answer) {
        calls.push(`${request.client_assertion}: ${request.audience}`);
        callback(failure ?? null, issued(request.audience));
      },
      ExchangeTokens({ request }: { request: ExchangeTokensRequest }, callback: Answer) {
        const { client_assertion, requests } = request;
        calls.push(`${client_assertion}: ${requests.map(({ audience, client_assertion: own }) => audience + own).join(' ')}`);
        const results = requests.map(({ audience }) => refusals[audience] ?? { response: issued(audience) });
        callback(failure ?? null, { results: shortened ? results.slice(1) : results });
      },
      IntrospectToken: (_: object, callback: Answer) => callback(failure ?? null, introspection),
    },
  );
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) => (error ? reject(error) : resolve(bound)));
  });
  client = createExchangeClient({
    address: `127.0.0.1:${port}`,
    channelCredentials: credentials.createInsecure(),
    clientOptions: {},
    self: 'spiffe://shop.test/orders',
    issuer: 'https://token-exchange.shop.test',
    credential: { authenticate: async (client_id) => ({ client_id, client_assertion: `assertion ${++assertions}` }) },
    timeoutMs: 10_000,
    now: Date.now,
  });
});

afterEach(() => {
  client.close();
  server.forceShutdown();
});

const ask = (...audiences: string[]) => Promise.allSettled(audiences.map((audience) => client.exchange({ audience })));
const tokens = (outcomes: PromiseSettledResult<{ accessToken: string }>[]) =>
  outcomes.map((outcome) => (outcome.status === 'fulfilled' ? outcome.value.accessToken : outcome.reason));

describe('exchanges that are asked for in the same turn', () => {
  it('are one request with one client authentication', async () => {
    expect(tokens(await ask('a', 'b', 'c'))).toEqual(['for-a', 'for-b', 'for-c']);
    expect(calls).toEqual(['assertion 1: a b c']);
  });

  it('and others of another turn are not', async () => {
    await Promise.all([ask('a'), new Promise((resolve) => setImmediate(() => resolve(ask('b', 'c'))))]);
    expect(calls).toEqual(['assertion 1: a', 'assertion 2: b c']);
  });

  it('are several requests when they are more than 32', async () => {
    const audiences = Array.from({ length: 65 }, (_, index) => `a${index}`);
    expect(tokens(await ask(...audiences))).toEqual(audiences.map((audience) => `for-${audience}`));
    expect(calls.map((call) => call.split(' ').length - 2).sort()).toEqual([1, 32, 32]);
  });

  it('are each answered on their own, refusals as if they had been alone', async () => {
    const [a, refused, busy, odd, empty] = tokens(await ask('a', 'refused', 'busy', 'odd', 'empty'));
    expect(a).toBe('for-a');
    expect([refused.code, refusalOf(refused)?.reason]).toEqual([status.PERMISSION_DENIED, 'TARGET_REFUSED']);
    expect([busy.code, refusalOf(busy)]).toEqual([
      status.RESOURCE_EXHAUSTED,
      expect.objectContaining({ remedy: 'backoff', retryAfterMs: 1_000 }),
    ]);
    expect([odd.code, empty.code]).toEqual([status.INTERNAL, status.INTERNAL]);
  });

  it('all fail when the request does, and the one that was not answered when the answer is too short', async () => {
    failure = toStatus(new TokenError('CLIENT_AUTHENTICATION_FAILED', 'who?'));
    for (const error of tokens(await ask('a', 'b'))) expect(refusalOf(error)?.reason).toBe('CLIENT_AUTHENTICATION_FAILED');
    [failure, shortened] = [undefined, true];
    expect(tokens(await ask('a', 'b'))).toEqual(['for-b', expect.objectContaining({ message: 'fewer answers than requests' })]);
  });

  it('are what a token source makes when it starts', async () => {
    const source = createTokenSource({ exchange: client.exchange });
    const audiences = ['a', 'b', 'c', 'd', 'e'];
    await Promise.all([...audiences, ...audiences].map((audience) => source.get({ audience })));
    expect(calls).toEqual(['assertion 1: a b c d e']);
  });
});

describe('introspection', () => {
  const claims = {
    ...{ iss: 'i', sub: 's', aud: 'a', exp: 2, iat: 1, jti: 'j', client_id: 'c', scope: 'x y', txn: 't', rn: 3 },
    token_type: 'Bearer',
  };

  it('gives the claims that the answer describes, and leaves out what is empty', async () => {
    introspection = { active: true, ...claims };
    const { token_type: _, ...expected } = claims;
    expect(await client.introspect('x')).toEqual({ active: true, claims: expected });
  });

  it('gives chain, binding, session and networks', async () => {
    introspection = { active: true, ...claims, sid: 'f', act: ['b', 'a'], net: ['10.0.0.0/8'], cnf: { x5t_s256: 'T', jkt: '' } };
    expect(await client.introspect('x')).toMatchObject({
      claims: { sid: 'f', act: { sub: 'b', act: { sub: 'a' } }, net: ['10.0.0.0/8'], cnf: { 'x5t#S256': 'T' } },
    });
    introspection = { active: true, ...claims, cnf: { x5t_s256: '', jkt: 'K' } };
    expect(await client.introspect('x')).toMatchObject({ claims: { cnf: { jkt: 'K' } } });
  });

  it('makes no unbound token of a binding that it does not understand', async () => {
    introspection = { active: true, ...claims, cnf: { x5t_s256: '', jkt: '' } };
    expect(await client.introspect('x')).toMatchObject({ claims: { cnf: {} } });
  });

  it('tells nothing of a token that is not active', async () => {
    introspection = { active: false, ...claims };
    expect(await client.introspect('x')).toEqual({ active: false });
  });
});
