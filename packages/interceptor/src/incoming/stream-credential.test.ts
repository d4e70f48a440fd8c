import { Metadata, type ServiceError, status } from '@grpc/grpc-js';
import { shopPackage } from '@tokenmesh/proto/shop';
import { type ServiceTokenClaims, verifyServiceToken } from '@tokenmesh/token';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { refusalOf } from '../status.ts';
import { createTestIssuer, gateway, orders, type TestIssuer } from '../test-issuer.ts';
import { createTestShop, type OpenedStream, type StreamKind, streamKinds, type TestShop, until } from '../test-shop.ts';
import { type Rule, readRules } from './rules.ts';
import { createRenewableStreams, type RenewableStreams, streamIdKey } from './stream-credential.ts';

const scope = 'orders.read orders.write payments.watch';
const thumbprint = 'A'.repeat(43);
const otherThumbprint = `${'B'.repeat(42)}A`;

const track = readRules([shopPackage]).get('/shop.v1.Orders/Track') as Rule;
type Binding = Pick<ServiceTokenClaims, 'cnf' | 'net'>;

let issuer: TestIssuer;
let streams: RenewableStreams;
let shop: TestShop;
let refusals: string[];

beforeEach(async () => {
  issuer = createTestIssuer();
  streams = createRenewableStreams();
  refusals = [];
  shop = await createTestShop(issuer, { streams, onRefused: ({ error }) => refusals.push(error.message) });
  shop.responseMetadata = new Metadata();
});

afterEach(() => shop.close());

async function idOf(stream: OpenedStream): Promise<string> {
  return String((await stream.metadata).get(streamIdKey)[0]);
}

/** Shows that the stream is live: a message passes. */
async function arrives(stream: OpenedStream, kind: StreamKind): Promise<void> {
  stream.send(1);
  shop.push(1);
  await until(() => shop.received[kind].length + stream.received.length > 0);
}

/** Seconds from the issuer's now. */
const inSeconds = (seconds: number) => Math.floor(issuer.nowMs / 1000) + seconds;
const refused = (call: Promise<unknown>) =>
  call.then(
    () => undefined,
    (error: ServiceError) => error,
  );

describe.each(streamKinds)('a live %s stream', (kind) => {
  it('is announced with an id of its own, next to what its handler sends', async () => {
    const own = new Metadata();
    own.set('own', 'value');
    shop.responseMetadata = own;
    const [first, second] = [shop.open(kind, issuer.token({ scope })), shop.open(kind, issuer.token({ scope }))];
    const ids = await Promise.all([first, second].map(idOf));
    for (const id of ids) expect(id).toMatch(/^[A-Za-z0-9_-]{22}$/);
    expect(new Set(ids).size).toBe(2);
    expect((await first.metadata).get('own')).toEqual(['value']);
    expect(own.getMap()).toEqual({ own: 'value' });
  });

  it('is announced by itself when a quarter of the token is over and its handler has said nothing', async () => {
    shop.responseMetadata = undefined;
    issuer.nowMs += 900;
    const stream = shop.open(kind, issuer.token({ scope, exp: inSeconds(1) }));
    expect(await idOf(stream)).toMatch(/^.{22}$/);
  });

  it('lives by the new token once it is renewed: its end, and not the old one', async () => {
    const stream = shop.open(kind, issuer.token({ scope, exp: inSeconds(10) }));
    const id = await idOf(stream);
    expect(await shop.renew(id, issuer.token({ scope, exp: inSeconds(100) }))).toBe(inSeconds(100));
    const endsAtMs = inSeconds(100) * 1000;
    issuer.nowMs = endsAtMs - 1;
    expect(await shop.renew(id, issuer.token({ scope, iat: inSeconds(-20), exp: inSeconds(1) }))).toBe(inSeconds(1));
    issuer.nowMs = endsAtMs;
    expect(refusalOf(await stream.ended)?.reason).toBe('TOKEN_EXPIRED');
    expect(shop.entered).toEqual([kind]);
    await until(() => shop.cancelled.length === 1);
  });

  it.each([
    ['the old token', { kind: 'token', value: 'old' }, false],
    ['the new token', { kind: 'token', value: 'new' }, true],
    ['the chain that it was opened in', { kind: 'chain', value: 'chain-1' }, true],
    ['the chain of the new token', { kind: 'chain', value: 'chain-2' }, true],
    ['the session that it was opened in', { kind: 'session', value: 'session-1' }, true],
    ['the client', { kind: 'client', value: gateway }, true],
    ['the subject', { kind: 'subject', value: gateway }, true],
    ['the grant', { kind: 'grant', value: `${gateway} ${orders}` }, true],
    ['the signing key', { kind: 'key', value: 'test-key' }, true],
    ['everything', { kind: 'all', value: '' }, true],
  ] as const)('that was renewed, on revocation of %s', async (_, target, ends) => {
    const stream = shop.open(kind, issuer.token({ scope, jti: 'old', txn: 'chain-1', sid: 'session-1' }));
    await shop.renew(await idOf(stream), issuer.token({ scope, jti: 'new', txn: 'chain-2', exp: inSeconds(301) }));
    issuer.revoke(target);
    if (!ends) {
      await arrives(stream, kind);
      issuer.revoke({ kind: 'token', value: 'new' });
    }
    const error = await stream.ended;
    expect(refusalOf(error)).toMatchObject({ reason: 'TOKEN_REVOKED', info: { admitted: 'true' } });
    expect(refusals).toEqual([`revoked by ${target.kind} at position ${ends ? 1 : 2}`]);
  });

  it.each<[string, Partial<ServiceTokenClaims>, string | undefined, status]>([
    ['of another client', { client_id: 'spiffe://shop.test/other' }, undefined, status.NOT_FOUND],
    ['of another subject', { sub: 'spiffe://shop.test/other' }, undefined, status.NOT_FOUND],
    ['of another actor', { act: { sub: 'spiffe://shop.test/other' } }, undefined, status.NOT_FOUND],
    ['without the actor', { act: undefined as never /* left out of the JSON */ }, undefined, status.NOT_FOUND],
    ['bound to another network', { net: ['127.0.0.0/8'] }, 'BINDING_MISMATCH', status.UNAUTHENTICATED],
    ['with a narrower scope', { scope: 'orders.none' }, 'SCOPE_INSUFFICIENT', status.PERMISSION_DENIED],
    ['for another audience', { aud: gateway }, 'AUDIENCE_MISMATCH', status.UNAUTHENTICATED],
    ['that is revoked', { jti: 'revoked' }, 'TOKEN_REVOKED', status.UNAUTHENTICATED],
    ['that has expired', { iat: 0, exp: 100 }, 'TOKEN_EXPIRED', status.UNAUTHENTICATED],
  ])('is not renewed with a token %s, and ends when it would have', async (_, claims, reason, code) => {
    const act = { sub: 'spiffe://shop.test/actor' };
    const stream = shop.open(kind, issuer.token({ scope, act, exp: inSeconds(10) }));
    const id = await idOf(stream);
    issuer.revoke({ kind: 'token', value: 'revoked' });
    const token = issuer.token({ scope, act, exp: inSeconds(100), ...claims });
    const error = await refused(shop.renew(id, token));
    expect(error?.code).toBe(code);
    expect(refusalOf(error)?.reason).toBe(reason);
    await arrives(stream, kind);
    issuer.nowMs = inSeconds(10) * 1000;
    expect(refusalOf(await stream.ended)?.reason).toBe('TOKEN_EXPIRED');
    expect(shop.entered).toEqual([kind]);
  });

  it('keeps the later end when it is renewed with a token that ends earlier', async () => {
    const stream = shop.open(kind, issuer.token({ scope, jti: 'kept', exp: inSeconds(100) }));
    expect(await shop.renew(await idOf(stream), issuer.token({ scope, jti: 'earlier', exp: inSeconds(50) }))).toBe(inSeconds(100));
    issuer.revoke({ kind: 'token', value: 'earlier' });
    issuer.revoke({ kind: 'token', value: 'kept' });
    expect(refusalOf(await stream.ended)?.reason).toBe('TOKEN_REVOKED');
  });

  it('cannot be renewed once it has ended, and is forgotten', async () => {
    const stream = shop.open(kind, issuer.token({ scope }));
    const id = await idOf(stream);
    expect(streams.size).toBe(1);
    stream.cancel();
    await until(() => streams.size === 0);
    expect((await refused(shop.renew(id, issuer.token({ scope, exp: inSeconds(301) }))))?.code).toBe(status.NOT_FOUND);
  });

  it('that its handler ended is forgotten', async () => {
    const stream = shop.open(kind, issuer.token({ scope }));
    await idOf(stream);
    stream.finish();
    shop.endPush();
    expect(await stream.ended).toBeUndefined();
    expect(streams.size).toBe(0);
  });
});

describe('StreamCredential/Renew', () => {
  it("answers the same about a stream that is somebody else's and about none", async () => {
    const stream = shop.open('Track', issuer.token({ scope }));
    const id = await idOf(stream);
    const theirs = issuer.token({ scope, sub: 'spiffe://shop.test/other', client_id: 'spiffe://shop.test/other' });
    const answers = await Promise.all([id, 'A'.repeat(22), ''].map((asked) => refused(shop.renew(asked, theirs))));
    for (const answer of answers) {
      expect(answer).toMatchObject({ code: status.NOT_FOUND, details: 'no such stream' });
      expect(answer?.metadata.getMap()).toEqual(expect.not.objectContaining({ 'grpc-status-details-bin': expect.anything() }));
    }
  });

  it('refuses a call without a token', async () => {
    expect(refusalOf(await refused(shop.renew('A'.repeat(22), undefined)))?.reason).toBe('CREDENTIAL_MISSING');
  });

  it.each<[string, Binding, Binding, boolean]>([
    ['the same certificate', { cnf: { 'x5t#S256': thumbprint } }, { cnf: { 'x5t#S256': thumbprint } }, true],
    ['another certificate', { cnf: { 'x5t#S256': thumbprint } }, { cnf: { 'x5t#S256': otherThumbprint } }, false],
    ['no certificate any more', { cnf: { 'x5t#S256': thumbprint } }, {}, false],
    ['the same key', { cnf: { jkt: thumbprint } }, { cnf: { jkt: thumbprint } }, true],
    ['another key', { cnf: { jkt: thumbprint } }, { cnf: { jkt: otherThumbprint } }, false],
    ['a key instead of a certificate', { cnf: { 'x5t#S256': thumbprint } }, { cnf: { jkt: thumbprint } }, false],
    ['the same networks', { net: ['10.0.0.0/8'] }, { net: ['10.0.0.0/8'] }, true],
    ['one network more', { net: ['10.0.0.0/8'] }, { net: ['10.0.0.0/8', '11.0.0.0/8'] }, false],
  ])('wants the binding that the stream has: %s', async (_, opened, renewed, renews) => {
    const verify = (claims: Binding) =>
      verifyServiceToken(issuer.token({ scope, ...claims }), {
        issuer: issuer.issuer,
        audience: orders,
        keys: issuer.keys,
        now: issuer.now,
      });
    const id = streams.add({ token: await verify(opened), rule: track, renew: ({ claims }) => claims.exp, release: () => {} });
    const metadata = new Metadata();
    streams.present(metadata, await verify(renewed));
    const [, { Renew }] = streams.service();
    const answer = await new Promise<unknown>((resolve) => {
      // the handler looks at nothing else of a call
      const call = { metadata, request: { stream_id: id } } as Parameters<typeof Renew>[0];
      Renew(call, (error, value) => resolve(error ? refusalOf(error as ServiceError)?.reason : value));
    });
    expect(answer).toEqual(renews ? { exp: inSeconds(300) } : 'BINDING_MISMATCH');
  });

  it.each(streamKinds)('is not offered to callers of %s by a server that has not added it', async (kind: StreamKind) => {
    shop.close();
    shop = await createTestShop(issuer, { renewable: false });
    shop.responseMetadata = new Metadata();
    const stream = shop.open(kind, issuer.token({ scope }));
    expect((await stream.metadata).get(streamIdKey)).toEqual([]);
  });
});
