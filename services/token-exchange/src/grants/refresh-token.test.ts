import type { ExchangeTokenRequest } from '@tokenmesh/proto';
import type { Reason } from '@tokenmesh/token';
import { TokenError } from '@tokenmesh/token';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openPostgresStore } from '../record/postgres.ts';
import type { Store } from '../record/store.ts';
import { hasPostgres, startTestPostgres, type TestPostgres } from '../record/test-postgres.ts';
import {
  authenticate,
  createTestIssuer,
  exchangeRequest,
  gateway,
  grants,
  introspectRequest,
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
import { introspectToken } from './introspect-token.ts';
import { createPolicy, type Grant } from './policy.ts';
import { revokeToken } from './revoke-token.ts';

const accessToken = 'urn:ietf:params:oauth:token-type:access_token';
const withRefresh: readonly Grant[] = grants.map((grant) => ({ ...grant, refresh: grant.to !== own }));
const policy = createPolicy({ grants: withRefresh, ownAudience: own, lifeSeconds: 300 });

let issuer: TestIssuer;
/** While true every transaction fails as it commits. */
let isDiskFull = false;
beforeEach(async () => {
  isDiskFull = false;
  const opened = await createTestIssuer({
    store: (store) => ({
      ...store,
      transaction: (work) =>
        store.transaction(async (transaction) => {
          const value = await work(transaction);
          if (isDiskFull) throw new Error('disk full');
          return value;
        }),
    }),
  });
  issuer = { ...opened, policy };
});
afterEach(() => issuer.close());

type Parameters = Partial<ExchangeTokenRequest>;
const ask = (clientId: string, parameters: Parameters, at: TestIssuer = issuer) =>
  exchangeToken(exchangeRequest({ ...authenticate(clientId, at.now), ...parameters }), at);
const begin = (clientId = gateway, audience = orders, parameters: Parameters = {}) =>
  ask(clientId, { grant_type: 'client_credentials', audience, ...parameters });
const refresh = (refresh_token: string, parameters: Parameters = {}, clientId = gateway) =>
  ask(clientId, { grant_type: 'refresh_token', refresh_token, ...parameters });
const introspect = (clientId: string, token: string) =>
  introspectToken(introspectRequest({ ...authenticate(clientId, issuer.now), token }), issuer);
const revoke = (clientId: string, token: string, others = {}) =>
  revokeToken(revokeRequest({ ...authenticate(clientId, issuer.now), token, ...others }), issuer);
const tokenOf = ({ response }: IssuedToken) => response.refresh_token;
const sessions = async () => (await issuer.store.listTargets(0, 1000, 1000)).filter(({ kind }) => kind === 'session');

describe('a refresh token', () => {
  it('comes with a token where the grant says so, and nowhere else', async () => {
    const { response, claims } = await begin();
    expect(response.refresh_token).toMatch(/^tm_r_[A-Za-z0-9_-]{43}$/);
    expect(Buffer.from(claims.sid ?? '', 'base64url')).toHaveLength(16);
    const without = await ask(gateway, { grant_type: 'client_credentials', audience: orders }, { ...issuer, policy: plainPolicy() });
    expect(without.response.refresh_token).toBe('');
    expect(without.claims.sid).toBeUndefined();
  });

  it('gives the next token of its session, and its successor', async () => {
    const first = await begin();
    issuer.clock.nowMs += 60_000;
    const second = await refresh(tokenOf(first));
    const { jti, iat, exp, ...same } = first.claims;
    expect(second.claims).toMatchObject(same);
    expect(second.claims).toMatchObject({ iat: iat + 60, exp: exp + 60 });
    expect(second.claims.jti).not.toBe(jti);
    expect(tokenOf(second)).not.toBe(tokenOf(first));
    await refresh(tokenOf(second));
  });

  it('goes on for the subject and with the actors of a delegated token, no longer than the subject token', async () => {
    const subject = await begin(gateway, orders, { requested_token_type: accessToken });
    const parameters = {
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      audience: payments,
      subject_token_type: accessToken,
    };
    const plain = await ask(gateway, { grant_type: 'client_credentials', audience: orders }, { ...issuer, policy: plainPolicy() });
    const delegated = await ask(orders, { ...parameters, subject_token: plain.response.access_token });
    expect(delegated.claims).toMatchObject({ sub: gateway, act: { sub: orders } });
    issuer.clock.nowMs += 299_000;
    const last = await refresh(tokenOf(delegated), {}, orders);
    expect(last.claims).toMatchObject({ sub: gateway, act: { sub: orders }, txn: plain.claims.txn, exp: plain.claims.exp });
    issuer.clock.nowMs += 1000;
    expect(await reasonOf(refresh(tokenOf(last), {}, orders))).toBe('GRANT_INVALID');
    issuer.clock.nowMs -= 300_000;
    // a subject token of a session belongs to that session, which only its client goes on with
    const inSession = await ask(orders, { ...parameters, subject_token: subject.response.access_token });
    expect(inSession.claims.sid).toBe(subject.claims.sid);
    expect(tokenOf(inSession)).toBe('');
  });

  it('narrows the scope as asked, widens it never, and remembers what was granted', async () => {
    const first = await begin(gateway, orders, { scope: 'orders.read' });
    expect(await reasonOf(refresh(tokenOf(first), { scope: 'orders.read orders.write' }))).toBe('SCOPE_REFUSED');
    const whole = await begin();
    const narrow = await refresh(tokenOf(whole), { scope: 'orders.read' });
    expect(narrow.response.scope).toBe('orders.read');
    expect((await refresh(tokenOf(narrow))).response.scope).toBe('orders.read orders.write');
  });

  it('can be used still after a request with it was refused', async () => {
    const first = await begin();
    expect(await reasonOf(refresh(tokenOf(first), { audience: payments }))).toBe('TARGET_REFUSED');
    expect(await reasonOf(refresh(tokenOf(first), { scope: 'admin' }))).toBe('SCOPE_REFUSED');
    expect(await reasonOf(refresh(tokenOf(first), {}, operator))).toBe('GRANT_INVALID');
    expect((await refresh(tokenOf(first), { audience: orders })).claims.aud).toBe(orders);
  });

  it('T-22 can be used still when the commit failed', async () => {
    const first = await begin();
    isDiskFull = true;
    await expect(refresh(tokenOf(first))).rejects.toThrow('disk full');
    isDiskFull = false;
    issuer.clock.nowMs += 5000; // beyond the time for retries: the failed use must have left no trace
    await refresh(tokenOf(first));
  });

  it('lives as long as its session and not a second longer', async () => {
    const { sessionSeconds } = issuer.config.tokens;
    const first = await begin();
    const start = issuer.clock.nowMs;
    issuer.clock.nowMs = start + (sessionSeconds - 1) * 1000;
    const last = await refresh(tokenOf(first));
    expect(last.response.expires_in).toBe(1);
    issuer.clock.nowMs = start + sessionSeconds * 1000;
    expect(await reasonOf(refresh(tokenOf(last)))).toBe('GRANT_INVALID');
  });

  it('gets nothing when the grant was taken away, or allows no refresh any more', async () => {
    const first = await begin();
    const under = (policyOfTheDay: typeof policy) =>
      ask(gateway, { grant_type: 'refresh_token', refresh_token: tokenOf(first) }, { ...issuer, policy: policyOfTheDay });
    expect(await reasonOf(under(plainPolicy()))).toBe('GRANT_INVALID');
    expect(await reasonOf(under(createPolicy({ grants: [], ownAudience: own, lifeSeconds: 300 })))).toBe('TARGET_REFUSED');
    await under(policy);
  });

  it('is nowhere in the record in the clear, nor is the access token or the answer to it', async () => {
    const first = await begin();
    const second = await refresh(tokenOf(first));
    const written: string[] = [];
    await issuer.store.transaction(async (transaction) => {
      const used = await transaction.findRefreshToken(await hashOf(tokenOf(first)));
      written.push(JSON.stringify([used, used && (await transaction.findFamily(used.sid))]));
    });
    expect(written.join()).toContain('sealedAnswer');
    for (const secret of [tokenOf(first), tokenOf(second), second.response.access_token]) {
      expect(written.join()).not.toContain(secret);
      expect(written.join()).not.toContain(secret.slice(5));
    }
  });

  it('does not pass for an access token, nor an access token for it', async () => {
    const { response } = await begin();
    const parameters = {
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      audience: payments,
      subject_token_type: accessToken,
    };
    expect(await reasonOf(ask(orders, { ...parameters, subject_token: response.refresh_token }))).toBe('SUBJECT_TOKEN_INVALID');
    expect(await reasonOf(refresh(response.access_token))).toBe('GRANT_INVALID');
  });
});

describe('a refresh token that was used', () => {
  it('T-20 gives one of many different requests at the same instant a token, signals the others, and ends the session', async () => {
    for (let round = 0; round < 20; round++) {
      const first = await begin();
      const scopes = ['', 'orders.read', 'orders.write', 'orders.read orders.write'];
      const outcomes = await Promise.allSettled(scopes.map((scope) => refresh(tokenOf(first), { scope })));
      expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
      expect(reasonsOf(outcomes)).toEqual(['GRANT_REUSED', 'GRANT_REUSED', 'GRANT_REUSED']);
      const [winner] = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []));
      expect(winner && (await reasonOf(refresh(tokenOf(winner))))).toBe('GRANT_INVALID');
      expect(winner && (await introspect(orders, winner.response.access_token))).toEqual({ active: false });
    }
    expect(await sessions()).toHaveLength(20); // one event a session, however many reuses
  });

  it('T-20 gives 100 identical requests at the same instant one answer', async () => {
    const first = await begin();
    const answers = await Promise.all(Array.from({ length: 100 }, () => refresh(tokenOf(first))));
    const [answer] = answers;
    for (const { response, claims } of answers) expect([response, claims]).toEqual([answer?.response, answer?.claims]);
    expect(answers.filter(({ isRepeated }) => isRepeated)).toHaveLength(99);
    expect(await sessions()).toEqual([]);
    if (answer) await refresh(tokenOf(answer));
  });

  it('gives the same answer for 2 s and ends the session a millisecond later', async () => {
    const first = await begin();
    const { response } = await refresh(tokenOf(first));
    issuer.clock.nowMs += 2000;
    expect((await refresh(tokenOf(first))).response).toEqual(response);
    issuer.clock.nowMs += 1;
    expect(await reasonOf(refresh(tokenOf(first)))).toBe('GRANT_REUSED');
    expect(await reasonOf(refresh(response.refresh_token))).toBe('GRANT_INVALID');
  });

  it('gives a retry nothing after its session was revoked', async () => {
    const first = await begin();
    const second = await refresh(tokenOf(first));
    await revoke(gateway, tokenOf(second));
    expect(await reasonOf(refresh(tokenOf(first)))).toBe('GRANT_REUSED');
  });

  it('ends the session in the transaction that found it out, and not when that fails', async () => {
    const first = await begin();
    const second = await refresh(tokenOf(first));
    issuer.clock.nowMs += 3000;
    isDiskFull = true;
    await expect(refresh(tokenOf(first))).rejects.toThrow('disk full');
    isDiskFull = false;
    expect(await sessions()).toEqual([]);
    expect(await reasonOf(refresh(tokenOf(first)))).toBe('GRANT_REUSED');
    expect((await sessions()).map(({ value, revokedBy }) => [value, revokedBy])).toEqual([[first.claims.sid, own]]);
    // in force for verifiers as well as in the record
    const { kid } = issuer.keys.token.signing;
    expect(issuer.revocations.view.set.find({ claims: second.claims, kid })).toMatchObject({ kind: 'session' });
  });

  it('says nothing, and ends nothing, in the hands of another client', async () => {
    const first = await begin();
    await refresh(tokenOf(first));
    issuer.clock.nowMs += 3000;
    expect(await reasonOf(refresh(tokenOf(first), {}, operator))).toBe('GRANT_INVALID');
    expect(await sessions()).toEqual([]);
  });

  it('is remembered until its session is over, its answer for the time of a retry only', async () => {
    const first = await begin();
    await refresh(tokenOf(first));
    const hash = await hashOf(tokenOf(first));
    const used = () => issuer.store.transaction((transaction) => transaction.findRefreshToken(hash));
    const nowSeconds = issuer.clock.nowMs / 1000;
    await issuer.store.deleteExpired(nowSeconds + 2);
    expect((await used())?.use?.sealedAnswer).not.toBe('');
    await issuer.store.deleteExpired(nowSeconds + 3);
    expect((await used())?.use?.sealedAnswer).toBe('');
    expect(await reasonOf(refresh(tokenOf(first)))).toBe('GRANT_REUSED');
  });
});

describe('a session', () => {
  it('ends with the revocation of its refresh token, access tokens included', async () => {
    const first = await begin();
    expect(await reasonOf(revoke(orders, tokenOf(first)))).toBe('CLIENT_NOT_ALLOWED');
    expect(await revoke(gateway, tokenOf(first))).toMatchObject({ n: 1 });
    expect(await introspect(orders, first.response.access_token)).toEqual({ active: false });
    expect(await reasonOf(refresh(tokenOf(first)))).toBe('GRANT_INVALID');
  });

  it('goes on after one of its access tokens was revoked', async () => {
    const first = await begin();
    await revoke(gateway, first.response.access_token);
    await refresh(tokenOf(first));
  });

  it.each([
    ['session', ({ claims }: IssuedToken) => claims.sid ?? ''],
    ['chain', ({ claims }: IssuedToken) => claims.txn],
    ['subject', () => gateway],
    ['client', () => gateway],
    ['audience', () => orders],
    ['grant', () => `${gateway} ${orders}`],
    ['all', () => ''],
  ] as const)('T-23 T-24 ends with a revocation of its %s, and stays ended for as long as it would have lived', async (kind, value) => {
    const first = await begin();
    await issuer.revocations.append({ targets: [{ kind, value: value(first) }], requestedBy: operator });
    expect(await reasonOf(refresh(tokenOf(first)))).toBe('GRANT_INVALID');
    // T-32: far beyond the life of any access token the record still knows
    issuer.clock.nowMs += (issuer.config.tokens.sessionSeconds - 1) * 1000;
    await issuer.store.deleteExpired(issuer.clock.nowMs / 1000);
    expect(await reasonOf(refresh(tokenOf(first)))).toBe('GRANT_INVALID');
  });

  it('waits while its client is suspended', async () => {
    const first = await begin();
    const suspension = { clientId: gateway, suspendedBy: operator, suspendedAtMs: 0, note: '' };
    await issuer.store.transaction((transaction) => transaction.suspend(suspension));
    expect(await reasonOf(refresh(tokenOf(first)))).toBe('CLIENT_NOT_ALLOWED');
    await issuer.store.transaction((transaction) => transaction.resume(gateway));
    await refresh(tokenOf(first));
  });

  it('is told to its client alone, as long as its refresh token can be used', async () => {
    const first = await begin();
    const { claims } = first;
    expect(await introspect(gateway, tokenOf(first))).toEqual({
      active: true,
      scope: claims.scope,
      client_id: gateway,
      sub: gateway,
      iss: claims.iss,
      exp: claims.iat + issuer.config.tokens.sessionSeconds,
      txn: claims.txn,
      sid: claims.sid,
      act: [],
    });
    for (const clientId of [orders, operator]) expect(await introspect(clientId, tokenOf(first))).toEqual({ active: false });
    await refresh(tokenOf(first));
    expect(await introspect(gateway, tokenOf(first))).toEqual({ active: false });
  });
});

describe.skipIf(!hasPostgres)('a refresh token on two replicas that share a PostgreSQL', () => {
  let server: TestPostgres;
  let stores: readonly [Store, Store];
  let replicas: readonly [TestIssuer, TestIssuer];
  /** What happens between two reads of the first replica's next transaction. */
  let meanwhile: (() => Promise<unknown>) | undefined;
  beforeAll(async () => {
    server = await startTestPostgres();
  });
  afterAll(() => server.remove());
  beforeEach(async () => {
    const url = await server.createDatabase();
    stores = [await openPostgresStore(url, { newId }), await openPostgresStore(url, { newId })];
    const [one, two] = stores;
    const interrupted: Store = {
      ...one,
      transaction: (work) =>
        one.transaction((transaction) =>
          work({
            ...transaction,
            async findRefreshToken(hash) {
              const found = await transaction.findRefreshToken(hash);
              const interrupt = meanwhile;
              meanwhile = undefined;
              await interrupt?.();
              return found;
            },
          }),
        ),
    };
    replicas = [
      { ...(await createTestIssuer({ store: () => interrupted, keyStore: one })), policy },
      { ...(await createTestIssuer({ store: () => two, keyStore: two })), policy },
    ];
  });
  afterEach(async () => {
    for (const replica of replicas) await replica.close();
    for (const store of stores) await store.close();
  });

  const beginAt = (replica: TestIssuer) => ask(gateway, { grant_type: 'client_credentials', audience: orders }, replica);
  const use = (refresh_token: string, scope: string, replica: TestIssuer | undefined) =>
    ask(gateway, { grant_type: 'refresh_token', refresh_token, scope }, replica);

  it('T-20 gives 100 different requests at the same instant one token, identical ones one answer', async () => {
    const first = await beginAt(replicas[0]);
    const same = await Promise.all(Array.from({ length: 100 }, (_, index) => use(tokenOf(first), '', replicas[index % 2])));
    expect(new Set(same.map(tokenOf)).size).toBe(1);
    const [second] = same;
    // the same scope in another spelling is another request, so no two of them are alike
    const scopes = Array.from({ length: 100 }, (_, index) => ['orders.read', ...Array(index).fill('orders.read')].join(' '));
    const outcomes = await Promise.allSettled(scopes.map((scope, index) => use(second ? tokenOf(second) : '', scope, replicas[index % 2])));
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect(reasonsOf(outcomes)).toEqual(Array(99).fill('GRANT_REUSED'));
    const targets = await stores[0].listTargets(0, 1000, 1000);
    expect(targets.map(({ kind, value }) => [kind, value])).toEqual([['session', first.claims.sid]]);
  });

  it('T-20 signals a reuse also when the token was still unused as it was read, and its session was revoked for another reuse since', async () => {
    const first = await beginAt(replicas[0]);
    meanwhile = async () => {
      await use(tokenOf(first), 'orders.read', replicas[1]);
      expect(await reasonOf(use(tokenOf(first), 'orders.write', replicas[1]))).toBe('GRANT_REUSED');
    };
    expect(await reasonOf(use(tokenOf(first), '', replicas[0]))).toBe('GRANT_REUSED');
    expect(await stores[0].listTargets(0, 1000, 1000)).toHaveLength(1);
  });
});

function plainPolicy() {
  return createPolicy({ grants, ownAudience: own, lifeSeconds: 300 });
}

async function hashOf(token: string): Promise<string> {
  return Buffer.from(await crypto.subtle.digest('SHA-256', Buffer.from(token))).toString('base64url');
}

function reasonsOf(outcomes: readonly PromiseSettledResult<unknown>[]): readonly Reason[] {
  return outcomes.flatMap((outcome) =>
    outcome.status === 'rejected' && outcome.reason instanceof TokenError ? [outcome.reason.reason] : [],
  );
}
