import { createRevocationSet } from '@tokenmesh/revocation';
import { exportJwk, generateSigningKey, type VerifiedToken } from '@tokenmesh/token';
import { SignJWT } from 'jose';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { jwtBearerAssertion } from '../clients/client-authentication.ts';
import { createFederations, type Federation } from '../clients/federation.ts';
import type { Config, Workload } from '../config/config.ts';
import { ConfigError } from '../config/config-problem.ts';
import type { RevocationLog } from '../revocation/revocation-log.ts';
import {
  authenticate,
  createTestIssuer,
  createTestLog,
  exchangeRequest,
  gateway,
  grants,
  issuerUrl,
  operator,
  orders,
  own,
  payments,
  reasonOf,
  type TestIssuer,
  testConfig,
  workloads,
} from '../testing.ts';
import { exchangeToken, type IssuedToken } from './exchange-token.ts';
import { handlesOf } from './issuer.ts';
import { type LiveIssuer, openLiveIssuer } from './live-issuer.ts';
import { createPolicy, type Grant } from './policy.ts';
import { createSubjectIssuers, type SubjectIssuer } from './subject-issuer.ts';

const lives = { lifeSeconds: 300, ceilingSeconds: 900, sessionSeconds: 28_800 };
let issuer: TestIssuer;
let log: ReturnType<typeof createTestLog>;
let live: LiveIssuer;
/** Fails the next append of the log when set. */
let brokenLog: Error | undefined;
/** How often other issuers were opened. */
let opened: number;

const otherKey = generateSigningKey('ES256', 'other-1');
const otherIssuer = {
  issuer: 'https://other-issuer.test',
  audience: issuerUrl,
  algorithms: ['ES256'],
  keys: { jwks: JSON.stringify({ keys: [exportJwk(otherKey)] }) },
} as const;
/** Vouches for gateway. */
const federation: Federation = {
  ...otherIssuer,
  allowOtherAudiences: false,
  maxLifeSeconds: 3600,
  workloads: [{ id: gateway, claims: { sub: 'its-gateway' } }],
};
/** On behalf of its subjects gateway may act when a grant says so. */
const subjectIssuer: SubjectIssuer = {
  ...otherIssuer,
  issuer: 'https://people.test',
  subjectClaim: 'sub',
  subjectPrefix: 'user:',
  requiredClaims: {},
};

const signed = (iss: string, sub: string) =>
  new SignJWT({ iss, sub, aud: issuerUrl })
    .setProtectedHeader({ alg: 'ES256', kid: otherKey.kid })
    .setIssuedAt(issuer.now() / 1000)
    .setExpirationTime(issuer.now() / 1000 + 300)
    .sign(otherKey.privateKey);

beforeEach(async () => {
  issuer = await createTestIssuer();
  log = createTestLog();
  [brokenLog, opened] = [undefined, 0];
  live = await open(configuration());
});
afterEach(() => issuer.close());

function configuration(changes: Partial<Config> = {}): Config {
  return testConfig({ tls: { cert: Buffer.from('c'), key: Buffer.from('k') }, store: { sqlite: 'record.db' }, ...changes });
}

function open(config: Config): Promise<LiveIssuer> {
  const revocations: RevocationLog = {
    ...issuer.revocations,
    append: (revocation) => (brokenLog ? Promise.reject(brokenLog) : issuer.revocations.append(revocation)),
  };
  return openLiveIssuer({
    config,
    parts: { ...issuer, revocations },
    trust: ({ federations = [], subjectIssuers = [] }) => {
      opened++;
      return { federations: createFederations(federations, issuer.now), subjectIssuers: createSubjectIssuers(subjectIssuers, issuer.now) };
    },
    compile: (next) => createPolicy({ grants: next.grants, ownAudience: own, lifeSeconds: next.tokens.lifeSeconds }),
    log,
  });
}

/** The grants with those from one workload to one audience replaced. */
function changed(from: string, to: string, change: Partial<Grant> | undefined): readonly Grant[] {
  return grants.flatMap((grant) => {
    if (grant.from !== from || grant.to !== to) return [grant];
    return change ? [{ ...grant, ...change }] : [];
  });
}

const without = (...ids: string[]): ReadonlyMap<string, Workload> => new Map([...workloads].filter(([id]) => !ids.includes(id)));

const request = (clientId: string, audience: string) =>
  exchangeRequest({ ...authenticate(clientId, issuer.now), grant_type: 'client_credentials', audience });
const issue = (clientId: string, audience: string) => live.run((current) => exchangeToken(request(clientId, audience), current));

/** Whether the record, and every verifier by what the log broadcasts, holds a token for revoked. */
async function isRevoked({ claims }: IssuedToken): Promise<boolean> {
  const token: VerifiedToken = { claims, kid: issuer.keys.token.signing.kid, scope: [] };
  const byRecord = await issuer.store.transaction((transaction) => transaction.isRevoked(handlesOf(token)));
  const verifier = createRevocationSet();
  verifier.load(issuer.revocations.view.set.capture());
  expect(verifier.find(token) !== undefined).toBe(byRecord);
  return byRecord;
}

const targetsInForce = () => issuer.store.listTargets(0, Number.MAX_SAFE_INTEGER, 1);

describe('a configuration that is exchanged', () => {
  it('is in force for the next exchange, and says what changed', async () => {
    expect(await reasonOf(issue(operator, orders))).toBe('TARGET_REFUSED');
    const more: Grant = { from: operator, to: orders, scopes: ['orders.read'], delegation: false };
    await live.apply(
      configuration({ grants: [...grants, more], tokens: { lifeSeconds: 120, ceilingSeconds: 900, sessionSeconds: 28_800 } }),
    );
    expect((await issue(operator, orders)).response).toMatchObject({ scope: 'orders.read', expires_in: 120 });
    expect(log.entries.at(-1)).toMatchObject({
      event: 'config.applied',
      grants: { added: { count: 1, names: [`${operator} ${orders}`] }, removed: { count: 0 }, changed: { count: 0 } },
      members: ['tokens'],
      needs_restart: [],
      revoked: { count: 0 },
    });
    expect(await targetsInForce()).toEqual([]);
  });

  it.each<[string, Partial<Grant> | undefined]>([
    ['is taken away', undefined],
    ['loses a scope', { scopes: ['orders.write'] }],
    ['loses delegation', { delegation: false }],
    ['swaps a scope of its delegation', { delegation: { scopes: ['orders.read'] } }],
  ])('ends what was issued under a grant that %s, and nothing else', async (_, change) => {
    const [covered, other, elsewhere] = [await issue(gateway, orders), await issue(gateway, payments), await issue(orders, payments)];
    const { revoked } = await live.apply(configuration({ grants: changed(gateway, orders, change) }));
    expect(revoked).toEqual([{ kind: 'grant', value: `${gateway} ${orders}` }]);
    expect([await isRevoked(covered), await isRevoked(other), await isRevoked(elsewhere)]).toEqual([true, false, false]);
    if (change) expect(await isRevoked(await issue(gateway, orders))).toBe(false);
    else expect(await reasonOf(issue(gateway, orders))).toBe('TARGET_REFUSED');
  });

  it('ends what was issued unbound under a grant that asks for binding from now on', async () => {
    const token = await issue(gateway, orders);
    await live.apply(configuration({ grants: changed(gateway, orders, { binding: 'certificate' }) }));
    expect(await isRevoked(token)).toBe(true);
  });

  it('ends what was issued under a grant whose delegation loses an issuer of subjects', async () => {
    const delegation = { scopes: ['orders.write'], issuers: ['https://a.test', 'https://b.test'] };
    await live.apply(configuration({ grants: changed(gateway, orders, { delegation }) }));
    const token = await issue(gateway, orders);
    await live.apply(configuration({ grants: changed(gateway, orders, { delegation: { ...delegation, issuers: ['https://a.test'] } }) }));
    expect(await isRevoked(token)).toBe(true);
  });

  it.each<[string, Partial<Grant>]>([
    ['gains a scope', { scopes: ['orders.read', 'orders.write', 'orders.delete'] }],
    ['names its scopes in another order', { scopes: ['orders.write', 'orders.read'] }],
    ['shortens the life of tokens', { maxLifeSeconds: 10 }],
  ])('ends nothing for a grant that %s', async (_, change) => {
    const token = await issue(gateway, orders);
    expect((await live.apply(configuration({ grants: changed(gateway, orders, change) }))).revoked).toEqual([]);
    expect(await isRevoked(token)).toBe(false);
  });

  it('ends everything that names a workload which is taken out, and knows it no longer', async () => {
    const its = await issue(payments, payments);
    const remaining = grants.filter(({ from }) => from !== payments);
    const { revoked, workloads: change } = await live.apply(configuration({ workloads: without(payments), grants: remaining }));
    expect(change.removed).toEqual([payments]);
    expect(revoked.map(({ kind, value }) => `${kind} ${value}`)).toEqual([
      `client ${payments}`,
      `subject ${payments}`,
      `actor ${payments}`,
      `grant ${payments} ${payments}`,
    ]);
    expect(await isRevoked(its)).toBe(true);
    expect(await reasonOf(issue(payments, own))).toBe('CLIENT_AUTHENTICATION_FAILED');
    await live.apply(configuration());
    expect(await isRevoked(await issue(payments, payments))).toBe(false);
    expect(await isRevoked(its)).toBe(true);
  });

  it('is only partly in force when members need a restart, and names them', async () => {
    const next = configuration({
      listen: { host: '::1', port: 1 },
      tokens: { ...lives, lifeSeconds: 60, ceilingSeconds: 60 },
      tls: { cert: Buffer.from('d'), key: Buffer.from('k') },
    });
    const { needsRestart } = await live.apply({ ...next, issuer: 'https://other.test' });
    expect(needsRestart).toEqual(['issuer', 'listen', 'tls', 'tokens']);
    expect(live.config).toMatchObject({
      issuer: issuerUrl,
      listen: { port: 0 },
      tokens: { lifeSeconds: 60, ceilingSeconds: 900, sessionSeconds: 28_800 },
    });
  });

  it('trusts the issuers of the new configuration from the next request on, and no other', async () => {
    const vouchedFor = async () => {
      const proof = {
        client_id: '',
        client_assertion_type: jwtBearerAssertion,
        client_assertion: await signed(otherIssuer.issuer, 'its-gateway'),
      };
      return await live.run((current) => exchangeToken({ ...request(gateway, orders), ...proof }, current));
    };
    expect(await reasonOf(vouchedFor())).toBe('CLIENT_AUTHENTICATION_FAILED');
    const { members, needsRestart } = await live.apply(configuration({ federations: [federation] }));
    expect([members, needsRestart]).toEqual([['federation'], []]);
    const issued = await vouchedFor();
    expect(issued.claims.client_id).toBe(gateway);
    await live.apply(configuration());
    expect(await reasonOf(vouchedFor())).toBe('CLIENT_AUTHENTICATION_FAILED');
    expect(await isRevoked(issued)).toBe(false); // as with an exchanged key
  });

  it('lets nobody act any more for the subjects of an issuer that is taken out, and revokes what is under its grants', async () => {
    const delegation = { scopes: ['orders.write'], issuers: [subjectIssuer.issuer] };
    const onBehalf = async () => {
      const subject = {
        subject_token: await signed(subjectIssuer.issuer, 'ada'),
        subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
      };
      const grant_type = 'urn:ietf:params:oauth:grant-type:token-exchange';
      return await live.run((current) => exchangeToken({ ...request(gateway, orders), grant_type, ...subject }, current));
    };
    await live.apply(configuration({ subjectIssuers: [subjectIssuer], grants: changed(gateway, orders, { delegation }) }));
    const issued = await onBehalf();
    expect(issued.claims).toMatchObject({ sub: 'user:ada', client_id: gateway });
    const { revoked } = await live.apply(configuration());
    expect(revoked).toEqual([{ kind: 'grant', value: `${gateway} ${orders}` }]);
    expect(await isRevoked(issued)).toBe(true);
    expect(await reasonOf(onBehalf())).toBe('SUBJECT_TOKEN_INVALID');
  });

  it('opens other issuers again only when they are others: their keys stay known', async () => {
    await live.apply(configuration({ federations: [federation], subjectIssuers: [subjectIssuer] }));
    const before = opened;
    await live.apply(configuration({ federations: [{ ...federation }], subjectIssuers: [subjectIssuer], grants: [] }));
    expect(opened).toBe(before);
    await live.apply(configuration({ federations: [{ ...federation, maxLifeSeconds: 60 }], subjectIssuers: [subjectIssuer] }));
    expect(opened).toBe(before + 1);
  });

  it('of another trust domain is refused whole', async () => {
    await expect(live.apply(configuration({ trustDomain: 'other.test', grants: [] }))).rejects.toThrow(ConfigError);
    expect((await issue(gateway, orders)).claims.aud).toBe(orders);
  });

  it('never lets an exchange that began under the old policy issue above the event that took the permission back', async () => {
    // the exchange is authenticated, and stands before the position of the log, while the policy is exchanged
    let resume = () => {};
    const held = new Promise<void>((resolve) => {
      resume = resolve;
    });
    let arrived = () => {};
    const arrival = new Promise<void>((resolve) => {
      arrived = resolve;
    });
    let rounds = 0;
    const underWay = live.run(async (current) => {
      const asked = request(gateway, orders);
      if (rounds++ === 0) {
        arrived();
        await held;
      }
      return await exchangeToken(asked, current);
    });
    await arrival;
    await live.apply(configuration({ grants: changed(gateway, orders, undefined) }));
    resume();
    expect(await reasonOf(underWay)).toBe('TARGET_REFUSED');
    expect(rounds).toBe(2);
  });
});

describe('what the record remembers of the policy', () => {
  it('revokes at the start what was taken out while the service was down, once', async () => {
    const token = await issue(gateway, orders);
    await open(configuration({ grants: changed(gateway, orders, { scopes: ['orders.write'] }) }));
    expect(await isRevoked(token)).toBe(true);
    expect(log.entries.at(-1)).toMatchObject({ event: 'config.withdrawn_while_down', revoked: { names: [`grant ${gateway} ${orders}`] } });
  });

  it('revokes nothing at a start with the same policy', async () => {
    const token = await issue(gateway, orders);
    await open(configuration());
    expect(await isRevoked(token)).toBe(false);
    expect(await targetsInForce()).toEqual([]);
  });

  it('revokes for a replica that comes later to the new policy what it issued in between', async () => {
    const late = live; // still under the old policy
    live = await open(configuration({ grants: changed(gateway, orders, undefined) }));
    const inBetween = await late.run((current) => exchangeToken(request(gateway, orders), current));
    expect(await isRevoked(inBetween)).toBe(false);
    await late.apply(configuration({ grants: changed(gateway, orders, undefined) }));
    expect(await isRevoked(inBetween)).toBe(true);
  });

  it('forgets what was withdrawn when nothing can live of it any more, and not a second before', async () => {
    const narrowed = configuration({ grants: changed(gateway, orders, undefined) });
    await live.apply(narrowed);
    const remembered = async () =>
      (await issuer.store.transaction((transaction) => transaction.appliedTerms())).some(({ withdrawnAtMs }) => withdrawnAtMs > 0);
    issuer.clock.nowMs += 900_000;
    await live.apply(narrowed);
    expect(await remembered()).toBe(true);
    issuer.clock.nowMs += 1;
    await live.apply(narrowed);
    expect(await remembered()).toBe(false);
  });

  it('keeps refusing what was taken out when the log fails, and revokes it with the next attempt', async () => {
    const token = await issue(gateway, orders);
    brokenLog = new Error('disk full');
    const narrowed = configuration({ grants: changed(gateway, orders, undefined) });
    await expect(live.apply(narrowed)).rejects.toThrow('disk full');
    expect(await reasonOf(issue(gateway, orders))).toBe('TARGET_REFUSED');
    expect(await isRevoked(token)).toBe(false);
    brokenLog = undefined;
    await live.apply(narrowed);
    expect(await isRevoked(token)).toBe(true);
  });

  it('splits more targets than one event holds', async () => {
    const many = Array.from(
      { length: 501 },
      (_, index): Grant => ({ from: gateway, to: `spiffe://shop.test/a${index}`, scopes: ['x'], delegation: false }),
    );
    await live.apply(configuration({ grants: [...grants, ...many] }));
    const { n } = await issuer.store.head();
    const { revoked } = await live.apply(configuration());
    expect(revoked).toHaveLength(501);
    expect((await issuer.store.head()).n).toBe(n + 2);
  });
});
