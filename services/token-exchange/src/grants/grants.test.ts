// Grants and kinds of tokens against one another: opaque tokens, several at once, actors that are not the client, and subjects of other issuers.
import type { ExchangeTokenRequest, ExchangeTokensRequest } from '@tokenmesh/proto';
import { exportJwk, generateSigningKey, type Reason, type SigningKey, signJws, signServiceToken, TokenError } from '@tokenmesh/token';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  authenticate,
  createTestIssuer,
  exchangeRequest,
  gateway,
  grants,
  introspectRequest,
  issuerUrl,
  newId,
  operator,
  orders,
  own,
  payments,
  reasonOf,
  revokeRequest,
  type TestIssuer,
} from '../testing.ts';
import { exchangeToken, type IssuedToken } from './exchange-token.ts';
import { exchangeTokens } from './exchange-tokens.ts';
import { introspectToken } from './introspect-token.ts';
import { createPolicy, type Grant } from './policy.ts';
import { revokeToken } from './revoke-token.ts';
import { createSubjectIssuers, type SubjectIssuer } from './subject-issuer.ts';

const accessToken = 'urn:ietf:params:oauth:token-type:access_token';
const jwt = 'urn:ietf:params:oauth:token-type:jwt';
const idToken = 'urn:ietf:params:oauth:token-type:id_token';
const opaque = 'https://tokenmesh.dev/token-type/opaque';
const tokenExchange = 'urn:ietf:params:oauth:grant-type:token-exchange';

const provider = 'https://accounts.shop.test';
const providerKey = generateSigningKey();
const company: SubjectIssuer = {
  issuer: provider,
  audience: issuerUrl,
  keys: { jwks: JSON.stringify({ keys: [exportJwk(providerKey)] }) },
  algorithms: ['ES256'],
  subjectClaim: 'sub',
  subjectPrefix: 'user:',
  requiredClaims: { hd: 'shop.test', groups: 'customers' },
};

let issuer: TestIssuer;
beforeEach(async () => {
  const opened = await createTestIssuer();
  issuer = { ...opened, subjectIssuers: createSubjectIssuers([company, { ...company, issuer: `${provider}/other` }], opened.now) };
});
afterEach(() => issuer.close());

type Parameters = Partial<ExchangeTokenRequest>;
const under = (changes: (grant: Grant) => Grant, at: TestIssuer = issuer): TestIssuer => ({
  ...at,
  policy: createPolicy({ grants: grants.map(changes), ownAudience: own, lifeSeconds: 300 }),
});
const ask = (clientId: string, parameters: Parameters, at: TestIssuer = issuer) =>
  exchangeToken(exchangeRequest({ ...authenticate(clientId, at.now), grant_type: 'client_credentials', ...parameters }), at);
const onBehalf = (clientId: string, audience: string, subject_token: string, parameters: Parameters = {}, at: TestIssuer = issuer) =>
  ask(clientId, { grant_type: tokenExchange, audience, subject_token, subject_token_type: accessToken, ...parameters }, at);
const introspect = (clientId: string, token: string) =>
  introspectToken(introspectRequest({ ...authenticate(clientId, issuer.now), token }), issuer);
const revoke = (clientId: string, token: string) => revokeToken(revokeRequest({ ...authenticate(clientId, issuer.now), token }), issuer);
const bearer = ({ response }: IssuedToken) => response.access_token;

describe('an opaque access token', () => {
  const get = () => ask(gateway, { audience: orders, requested_token_type: opaque });

  it('is given to whoever asks for one, and says nothing by itself', async () => {
    const { response } = await get();
    expect(response).toMatchObject({ issued_token_type: opaque, token_type: 'Bearer', expires_in: 300 });
    expect(response.access_token).toMatch(/^tm_[A-Za-z0-9_-]{43}$/);
  });

  it('is what an audience of opaque tokens gets, which takes no other', async () => {
    const at = under((grant) => ({ ...grant, format: 'opaque' }));
    for (const requested_token_type of ['', accessToken]) {
      const { response } = await ask(gateway, { audience: orders, requested_token_type }, at);
      expect([response.access_token.slice(0, 3), response.issued_token_type]).toEqual(['tm_', accessToken]);
    }
    expect(await reasonOf(ask(gateway, { audience: orders, requested_token_type: jwt }, at))).toBe('REQUEST_INVALID');
  });

  it('is told to its audience and its client as the signed form of its claims would be, and T-25 to nobody else', async () => {
    const signed = await ask(gateway, { audience: orders });
    const { iat, exp, scope, client_id, sub, aud } = signed.claims;
    const issued = await get();
    for (const clientId of [gateway, orders]) {
      expect(await introspect(clientId, bearer(issued))).toMatchObject({
        ...{ active: true, token_type: 'Bearer', iat, exp, scope, client_id, sub, aud },
        jti: issued.claims.jti,
      });
    }
    expect(await introspect(operator, bearer(issued))).toEqual({ active: false });
    expect(await introspect(orders, `tm_${'A'.repeat(43)}`)).toEqual({ active: false });
  });

  it('is over at its exp, and forgotten later', async () => {
    const issued = await get();
    issuer.clock.nowMs += 299_999;
    expect(await introspect(orders, bearer(issued))).toMatchObject({ active: true });
    issuer.clock.nowMs += 1;
    expect(await introspect(orders, bearer(issued))).toEqual({ active: false });
    await issuer.store.deleteExpired(issued.claims.exp + 121);
    issuer.clock.nowMs -= 300_000;
    expect(await introspect(orders, bearer(issued))).toEqual({ active: false });
  });

  it('gets a token on behalf of its subject, as the signed form does', async () => {
    const issued = await get();
    const { claims } = await onBehalf(orders, payments, bearer(issued), { subject_token_type: opaque });
    expect(claims).toMatchObject({ sub: gateway, act: { sub: orders }, txn: issued.claims.txn });
    expect(await reasonOf(onBehalf(payments, payments, bearer(issued)))).toBe('SUBJECT_TOKEN_INVALID');
  });

  it('T-15 is on record as its hash alone', async () => {
    const text = bearer(await get());
    await issuer.store.transaction(async (transaction) => {
      expect(await transaction.findOpaqueToken(text)).toBeUndefined();
      const hash = Buffer.from(await crypto.subtle.digest('SHA-256', Buffer.from(text))).toString('base64url');
      expect(JSON.stringify(await transaction.findOpaqueToken(hash))).not.toContain(text.slice(3));
    });
  });
});

describe('T-24 a revocation of', () => {
  it.each([jwt, opaque])('a token by its client covers %s', async (type) => {
    const issued = await ask(gateway, { audience: orders, requested_token_type: type });
    expect(await reasonOf(revoke(orders, bearer(issued)))).toBe('CLIENT_NOT_ALLOWED');
    expect(await revoke(gateway, bearer(issued))).toMatchObject({ n: 1 });
    expect(await introspect(orders, bearer(issued))).toEqual({ active: false });
    expect(await reasonOf(onBehalf(orders, payments, bearer(issued)))).toBe('SUBJECT_TOKEN_INVALID');
  });
});

describe('an actor token', () => {
  const actorOf = async (clientId: string, audience = own) => bearer(await ask(clientId, { audience }));
  const subject = async () => bearer(await ask(gateway, { audience: orders }));
  const act = async (actor_token: string, parameters: Parameters = {}, at = issuer) =>
    onBehalf(orders, payments, await subject(), { actor_token, actor_token_type: accessToken, ...parameters }, at);

  it('T-27 names who acts; the client is named as the client', async () => {
    const { claims, rule } = await act(await actorOf(payments));
    expect(claims).toMatchObject({ sub: gateway, client_id: orders, act: { sub: payments } });
    expect(claims.act?.act).toBeUndefined();
    expect(rule).toBe(`grant from ${orders} to ${payments}; grant from ${payments} to ${payments}`);
  });

  it('changes nothing when it proves the client itself', async () => {
    expect((await act(await actorOf(orders))).claims.act).toEqual({ sub: orders });
  });

  it('T-26 has to be allowed what the client is allowed, and the client what it is', async () => {
    expect(await reasonOf(act(await actorOf(gateway)))).toBe('DELEGATION_NOT_ALLOWED');
    expect(await reasonOf(act(await actorOf(operator)))).toBe('TARGET_REFUSED');
    const clientMayNot = under((grant) => (grant.from === orders ? { ...grant, delegation: false } : grant));
    expect(await reasonOf(act(await actorOf(payments), {}, clientMayNot))).toBe('DELEGATION_NOT_ALLOWED');
  });

  it.each<[string, () => Promise<string>]>([
    ['for another audience', async () => bearer(await ask(gateway, { audience: payments, scope: 'payments.read' }))],
    ['that was itself obtained on behalf of another', async () => chained()],
    ['that is none', async () => 'nonsense'],
    ['of another issuer', async () => foreign()],
  ])('T-27 is refused %s', async (_, actorToken) => {
    expect(await reasonOf(act(await actorToken()))).toBe('SUBJECT_TOKEN_INVALID');
  });

  it('is refused once it was revoked or its subject is suspended', async () => {
    const actor = await actorOf(payments);
    await act(actor);
    const suspension = { clientId: payments, suspendedBy: operator, suspendedAtMs: 0, note: '' };
    await issuer.store.transaction((transaction) => transaction.suspend(suspension));
    expect(await reasonOf(act(actor))).toBe('SUBJECT_TOKEN_INVALID');
    await issuer.store.transaction((transaction) => transaction.resume(payments));
    await revoke(payments, actor);
    expect(await reasonOf(act(actor))).toBe('SUBJECT_TOKEN_INVALID');
  });

  it('bounds the life of what is issued', async () => {
    const actor = await actorOf(payments);
    issuer.clock.nowMs += 290_000;
    expect((await act(actor)).response.expires_in).toBe(10);
  });

  it('is who may_act has to name, not the client', async () => {
    const mayAct = (sub: string) => foreign({ may_act: { sub } });
    const get = async (subjectToken: string, actor?: string) =>
      onBehalf(orders, payments, subjectToken, actor ? { actor_token: actor, actor_token_type: accessToken } : {}, withIssuers());
    const actor = await actorOf(payments);
    expect((await get(mayAct(payments), actor)).claims).toMatchObject({ act: { sub: payments }, may_act: { sub: payments } });
    expect(await reasonOf(get(mayAct(orders), actor))).toBe('CLIENT_NOT_ALLOWED');
    expect((await get(mayAct(orders))).claims.act).toEqual({ sub: orders });
    expect(await reasonOf(get(mayAct(payments)))).toBe('CLIENT_NOT_ALLOWED');
  });

  async function chained(): Promise<string> {
    const { claims } = await ask(payments, { audience: own });
    return signServiceToken({ ...claims, jti: newId(), act: { sub: gateway } }, issuer.keys.token.signing);
  }
});

/** A token of the company's provider; claims given here replace the usual ones. */
function foreign(claims: Record<string, unknown> = {}, key: SigningKey = providerKey, typ = 'JWT'): string {
  const iat = Math.floor(issuer.now() / 1000);
  const usual = { iss: provider, sub: 'ada', aud: issuerUrl, iat, exp: iat + 120, hd: 'shop.test', groups: ['staff', 'customers'] };
  return signJws({ ...usual, ...claims }, { typ, key });
}

function withIssuers(): TestIssuer {
  return under(({ delegation, ...grant }) => ({ ...grant, delegation: delegation && { ...delegation, issuers: [provider] } }));
}

describe('a subject of another issuer', () => {
  const get = (subjectToken: string, at = withIssuers()) => onBehalf(orders, payments, subjectToken, { subject_token_type: idToken }, at);

  it('is acted for under its mapped name, in a chain of its own, no longer than its token lives', async () => {
    const { claims } = await get(foreign({ exp: Math.floor(issuer.now() / 1000) + 30 }));
    expect(claims).toMatchObject({ iss: issuerUrl, sub: 'user:ada', client_id: orders, act: { sub: orders }, aud: payments });
    expect(claims.exp - claims.iat).toBe(30);
    expect(claims.txn).not.toBe('');
  });

  it('never passes for a workload', async () => {
    expect((await get(foreign({ sub: payments }))).claims.sub).toBe(`user:${payments}`);
  });

  it('T-26 is refused where the grant does not name the issuer', async () => {
    expect(await reasonOf(get(foreign(), issuer))).toBe('DELEGATION_NOT_ALLOWED');
    const other = withIssuers();
    expect(await reasonOf(get(foreign({ iss: `${provider}/other` }), other))).toBe('DELEGATION_NOT_ALLOWED');
  });

  it.each<[string, () => string]>([
    ['that has expired', () => foreign({ iat: Math.floor(issuer.now() / 1000) - 200, exp: Math.floor(issuer.now() / 1000) - 6 })],
    ['without exp', () => foreign({ exp: undefined })],
    ['without iat', () => foreign({ iat: undefined })],
    ['for another audience', () => foreign({ aud: 'https://elsewhere.test' })],
    ['of an issuer that is not configured', () => foreign({ iss: 'https://evil.test' })],
    ['signed by somebody else under the same kid', () => foreign({}, { ...generateSigningKey(), kid: providerKey.kid })],
    ['signed by a key that is not known', () => foreign({}, generateSigningKey())],
    ['that is an assertion', () => foreign({}, providerKey, 'client-authentication+jwt')],
    ['without a required claim', () => foreign({ hd: undefined })],
    ['with another value of a required claim', () => foreign({ hd: 'evil.test' })],
    ['whose list lacks a required value', () => foreign({ groups: ['staff'] })],
    ['T-27 with actors of its own', () => foreign({ act: { sub: operator } })],
    ['that is bound', () => foreign({ cnf: { jkt: 'A'.repeat(43) } })],
    ['without a subject', () => foreign({ sub: undefined })],
    ['with a may_act that is not understood', () => foreign({ may_act: { sub: orders, aud: payments } })],
    ['T-34 that brings its own key', () => withHeader({ jwk: exportJwk(providerKey) })],
    ['T-34 that names where its key is', () => withHeader({ jku: 'https://evil.test/jwks' })],
    ['T-34 that names its certificate', () => withHeader({ x5u: 'https://evil.test/cert' })],
    ['that is not signed', () => `${Buffer.from('{"alg":"none","kid":"k"}').toString('base64url')}.${foreign().split('.')[1]}.`],
  ])('T-26 is refused with a token %s', async (_, subjectToken) => {
    expect(await reasonOf(get(subjectToken()))).toBe('SUBJECT_TOKEN_INVALID');
  });

  it('is refused with a token issued until it was revoked, and acted for with a later one', async () => {
    const before = foreign();
    await get(before);
    await issuer.revocations.append({ targets: [{ kind: 'subject', value: 'user:ada' }], requestedBy: operator });
    expect(await reasonOf(get(before))).toBe('SUBJECT_TOKEN_INVALID');
    issuer.clock.nowMs += 1000;
    await get(foreign());
  });

  it('has a session that ends with its token and with its revocation', async () => {
    const at = under(({ delegation, ...grant }) => ({
      ...grant,
      refresh: true,
      delegation: delegation && { ...delegation, issuers: [provider] },
    }));
    const first = await get(foreign({ exp: Math.floor(issuer.now() / 1000) + 3600 }), at);
    const refresh = (refresh_token: string) => ask(orders, { grant_type: 'refresh_token', refresh_token }, at);
    issuer.clock.nowMs += 1_800_000;
    const second = await refresh(first.response.refresh_token);
    expect(second.claims).toMatchObject({ sub: 'user:ada', act: { sub: orders }, txn: first.claims.txn });
    await issuer.revocations.append({ targets: [{ kind: 'subject', value: 'user:ada' }], requestedBy: operator });
    expect(await reasonOf(refresh(second.response.refresh_token))).toBe('GRANT_INVALID');
  });

  function withHeader(members: Record<string, unknown>): string {
    const [, payload] = foreign().split('.');
    const header = { alg: 'ES256', kid: providerKey.kid, typ: 'JWT', ...members };
    return `${Buffer.from(JSON.stringify(header)).toString('base64url')}.${payload}.${foreign().split('.')[2]}`;
  }
});

describe('several tokens at once', () => {
  const several = (requests: readonly Parameters[], others: Partial<ExchangeTokensRequest> = {}, at: TestIssuer = issuer) =>
    exchangeTokens({ ...authenticate(gateway, at.now), requests: requests.map(exchangeRequest), ...others }, at);
  const its = (audience: string, scope = ''): Parameters => ({ grant_type: 'client_credentials', audience, scope });
  const reasons = (outcomes: readonly (IssuedToken | TokenError)[]): readonly (Reason | string)[] =>
    outcomes.map((outcome) => (outcome instanceof TokenError ? outcome.reason : outcome.claims.aud));

  it('T-26 are judged and answered each on its own, in order', async () => {
    const subject = bearer(await ask(gateway, { audience: orders }));
    const outcomes = await several([
      its(orders),
      its('spiffe://shop.test/nobody'),
      its(payments),
      its(orders, 'admin'),
      { grant_type: 'password' },
      { grant_type: tokenExchange, audience: orders, subject_token: subject, subject_token_type: accessToken },
      its(own),
    ]);
    expect(reasons(outcomes)).toEqual([
      ...[orders, 'TARGET_REFUSED', payments, 'SCOPE_REFUSED', 'GRANT_TYPE_UNSUPPORTED', 'SUBJECT_TOKEN_INVALID', own],
    ]);
  });

  it('T-17 share one proof, which is good for one such request', async () => {
    const proof = authenticate(gateway, issuer.now);
    expect(reasons(await several([its(orders), its(payments)], proof))).toEqual([orders, payments]);
    expect(await reasonOf(several([its(orders)], proof))).toBe('CLIENT_AUTHENTICATION_FAILED');
  });

  it('are refused together without a proof, and one by one when they bring proofs of their own', async () => {
    expect(await reasonOf(several([its(orders)], { client_assertion: '' }))).toBe('CLIENT_AUTHENTICATION_FAILED');
    const outcomes = await several([{ ...its(orders), ...authenticate(orders, issuer.now) }, its(orders)]);
    expect(reasons(outcomes)).toEqual(['REQUEST_INVALID', orders]);
  });

  it('are 1 to 32', async () => {
    const many = (length: number) => several(Array.from({ length }, () => its(orders)));
    expect(await reasonOf(many(0))).toBe('REQUEST_INVALID');
    expect(await many(32)).toHaveLength(32);
    expect(await reasonOf(many(33))).toBe('REQUEST_INVALID');
  });

  it('T-20 use a refresh token once between them', async () => {
    const at = under((grant) => ({ ...grant, refresh: grant.to !== own }));
    const { response, claims } = await ask(gateway, { audience: orders }, at);
    const refresh = (scope: string): Parameters => ({ grant_type: 'refresh_token', refresh_token: response.refresh_token, scope });
    const outcomes = await several([refresh('orders.read'), refresh('orders.write'), refresh('orders.read')], {}, at);
    expect(reasons(outcomes)).toEqual([orders, 'GRANT_REUSED', 'GRANT_REUSED']);
    const [target] = await issuer.store.listTargets(0, 9, 9);
    expect([target?.kind, target?.value]).toEqual(['session', claims.sid]);
  });
});
