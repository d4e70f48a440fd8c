import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { status } from '@grpc/grpc-js';
import { refusalOf, refusalStatus, unary } from '@tokenmesh/interceptor';
import { tokenmesh } from '@tokenmesh/proto';
import { address, type Shop, spiffeId, startShop } from '@tokenmesh/shop/demo';
import { generateSigningKey, importSigningKey, type SigningKey, signClientAssertion } from '@tokenmesh/token';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { exchangeReasons } from './exchange-reasons.ts';
import { fetchFromFacade, tlsOf, withFacade } from './facade-of-shop.ts';
import { heldBy, type WireAnswer, wireCall } from './wire-call.ts';

type Parameters = Readonly<Record<string, string>>;

/** What the table of refusals says of a reason, and one way to be refused so. */
interface Row {
  readonly code: status;
  readonly oauth: string;
  /** Status over HTTP; default 400 (RFC 6749 section 5.2). */
  readonly http?: number;
  /** Whether it says when to come again; such a refusal comes to who asks often enough. */
  readonly retries?: true;
  /** Parameters of the request besides client authentication. */
  ask(): Parameters | Promise<Parameters>;
  /** Who asks; default the customer. */
  readonly client?: string;
  /** Signs the client assertion; default the client's own key. */
  readonly key?: SigningKey;
}

const issuer = 'https://token-exchange.shop.test';
const forItself = { grant_type: 'client_credentials', audience: spiffeId('gateway') };
const onBehalf = {
  grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
  subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
  audience: spiffeId('payments'),
};
const refresh = (refresh_token: string, scope = '') => ({ grant_type: 'refresh_token', refresh_token, scope });
const rows: Readonly<Record<(typeof exchangeReasons)[number], Row>> = {
  REQUEST_INVALID: { code: status.INVALID_ARGUMENT, oauth: 'invalid_request', ask: () => ({ grant_type: 'client_credentials' }) },
  SUBJECT_TOKEN_INVALID: {
    ...{ code: status.INVALID_ARGUMENT, oauth: 'invalid_request' },
    // for gateway, and shown by payments, which is not its audience
    client: 'payments',
    ask: async () => ({ ...onBehalf, subject_token: (await obtain('customer', forItself)).access_token }),
  },
  CLIENT_AUTHENTICATION_FAILED: {
    ...{ code: status.UNAUTHENTICATED, oauth: 'invalid_client', http: 401 },
    key: generateSigningKey(),
    ask: () => forItself,
  },
  GRANT_INVALID: {
    ...{ code: status.UNAUTHENTICATED, oauth: 'invalid_grant' },
    ask: () => refresh(kept(`tm_${'A'.repeat(42)}w`)),
  },
  GRANT_REUSED: {
    ...{ code: status.UNAUTHENTICATED, oauth: 'invalid_grant' },
    async ask() {
      const { refresh_token } = await obtain('customer', { grant_type: 'client_credentials', audience: spiffeId('orders') });
      await obtain('customer', refresh(refresh_token));
      return refresh(refresh_token, 'orders.read');
    },
  },
  CLIENT_NOT_ALLOWED: {
    ...{ code: status.PERMISSION_DENIED, oauth: 'unauthorized_client', client: 'suspended' },
    ask: () => forItself,
  },
  GRANT_TYPE_UNSUPPORTED: {
    ...{ code: status.UNIMPLEMENTED, oauth: 'unsupported_grant_type' },
    ask: () => ({ grant_type: 'password', audience: spiffeId('gateway') }),
  },
  SCOPE_REFUSED: {
    ...{ code: status.PERMISSION_DENIED, oauth: 'invalid_scope' },
    ask: () => ({ ...forItself, scope: 'gateway.close' }),
  },
  TARGET_REFUSED: {
    ...{ code: status.PERMISSION_DENIED, oauth: 'invalid_target' },
    ask: () => ({ grant_type: 'client_credentials', audience: spiffeId('nobody') }),
  },
  EXCHANGE_OVERLOADED: {
    ...{ code: status.RESOURCE_EXHAUSTED, oauth: 'temporarily_unavailable', http: 503, retries: true, client: 'greedy' },
    ask: () => forItself,
  },
};

let shop: Shop;
let facade: typeof fetch;
/** Credentials and tokens that were sent, and must not come back. */
let presented: string[];

beforeAll(async () => {
  shop = await startShop({
    nats: false,
    workloads: ['suspended', 'greedy'],
    grants: [{ from: spiffeId('customer'), to: spiffeId('orders'), scopes: ['orders.read'], delegation: false, refresh: true }],
    settings: { ...withFacade, limits: { per_workload: 1, burst: 40 } },
  });
  facade = fetchFromFacade(shop, 'customer');
  const operator = await shop.mesh('operator');
  const options = operator.client(spiffeId('token-exchange'));
  const admin = new tokenmesh.Admin(address(shop.tokenExchange), operator.channelCredentials(), options);
  await unary(admin, 'suspendWorkload', { client_id: spiffeId('suspended'), request_id: randomUUID() });
  admin.close();
});

afterAll(() => shop.close());

beforeEach(() => {
  presented = [];
});

function kept(credential: string): string {
  presented.push(credential);
  return credential;
}

/** Client authentication, good for one request. */
function authenticate(workload: string, key?: SigningKey): Parameters {
  const file = shop.workloads.get(workload)?.keyFile ?? '';
  const signer = key ?? importSigningKey(readFileSync(file));
  const clientId = spiffeId(workload);
  return {
    client_id: clientId,
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    client_assertion: kept(signClientAssertion({ clientId, audience: issuer, key: signer, now: Date.now, newId: randomUUID })),
  };
}

function sendForm(parameters: Parameters, workload: string, key?: SigningKey): Promise<Response> {
  const form = new URLSearchParams({ ...parameters, ...authenticate(workload, key) });
  return facade(`${issuer}/token`, { method: 'POST', body: form });
}

async function sendMessage(parameters: Parameters, workload: string, key?: SigningKey): Promise<WireAnswer> {
  const { path, requestSerialize } = tokenmesh.TokenExchange.service.ExchangeToken;
  const target = { port: shop.tokenExchange.port, tls: tlsOf(shop, 'customer') };
  return await wireCall(target, { path, messages: [requestSerialize({ ...parameters, ...authenticate(workload, key) })] });
}

async function obtain(workload: string, parameters: Parameters) {
  const response = await sendForm(parameters, workload);
  expect(response.status).toBe(200);
  const { access_token, refresh_token = '' } = (await response.json()) as { access_token: string; refresh_token?: string }; // RFC 6749 section 5.1
  for (const token of [access_token, refresh_token]) if (token) presented.push(token);
  return { access_token, refresh_token };
}

describe('token-exchange refuses with', () => {
  it.each(exchangeReasons)('%s over gRPC, and gives away nothing', async (reason) => {
    const { code, client = 'customer', key, retries, ask } = rows[reason];
    let answer: WireAnswer;
    do answer = await sendMessage(await ask(), client, key);
    while (retries && refusalOf(answer)?.reason !== reason);
    expect(answer.code).toBe(code);
    const refusal = refusalOf(answer);
    expect(refusal).toMatchObject({ reason, info: {} });
    expect((refusal?.retryAfterMs ?? 0) > 0).toBe(retries === true);
    // a challenge would ask for another access token, and there is none to ask for
    const fields = answer.fields.map(([name]) => name).filter((name) => name !== 'date');
    expect(new Set(fields)).toEqual(new Set([':status', 'content-type', 'grpc-status', 'grpc-message', 'grpc-status-details-bin']));
    expect(decodeURIComponent(String(answer.metadata.get('grpc-message')))).toBe(refusalStatus(reason).details);
    expect(answer.messages).toEqual([]);
    expect(heldBy(answer, { tokens: presented, texts: [spiffeId(client)] })).toEqual([]);
  });

  it.each(exchangeReasons)('what OAuth calls %s over HTTP, and gives away nothing', async (reason) => {
    const { oauth, http = 400, client = 'customer', key, retries, ask } = rows[reason];
    let response: Response;
    do response = await sendForm(await ask(), client, key);
    while (retries && response.status !== http);
    const body = await response.text();
    const { error, error_description, ...more } = JSON.parse(body) as Readonly<Record<string, unknown>>; // RFC 6749 section 5.2
    expect({ status: response.status, error, more }).toEqual({ status: http, error: oauth, more: {} });
    expect(error_description).toBe(refusalStatus(reason).details);
    expect(response.headers.has('retry-after')).toBe(retries === true);
    const answer = JSON.stringify([...response.headers, body]);
    const parts = presented.flatMap((token) => Array.from({ length: token.length - 11 }, (_, at) => token.slice(at, at + 12)));
    expect([...parts, spiffeId(client)].filter((part) => answer.includes(part))).toEqual([]);
  });

  it('none of them, when all is right', async () => {
    const answer = await sendMessage(forItself, 'customer');
    expect(answer.code).toBe(status.OK);
    expect(answer.messages).toHaveLength(1);
  });
});
