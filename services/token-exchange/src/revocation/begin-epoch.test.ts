import { createRevocationSet, genesisHash, openEvent } from '@tokenmesh/revocation';
import { parseJws } from '@tokenmesh/token';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { exchangeToken } from '../grants/exchange-token.ts';
import {
  authenticate,
  createTestIssuer,
  exchangeRequest,
  gateway,
  issuerUrl,
  mesh,
  operator,
  orders,
  type TestIssuer,
} from '../testing.ts';
import { beginEpoch } from './begin-epoch.ts';
import { openRevocationLog } from './revocation-log.ts';

let issuer: TestIssuer;
beforeEach(async () => {
  issuer = await createTestIssuer();
});
afterEach(() => issuer.close());

const begin = () => {
  const { store, keys, now, newId } = issuer;
  return beginEpoch({ store, keys, issuer: issuerUrl, mesh, ceilingSeconds: 900, now, newId });
};
const issue = async () => {
  const request = exchangeRequest({ ...authenticate(gateway, issuer.now), grant_type: 'client_credentials', audience: orders });
  const { response } = await exchangeToken(request, issuer);
  const { kid, payload } = parseJws(response.access_token, { typ: 'at+jwt' });
  return { kid, rn: payload.rn };
};
const tokenWith = (rn: number) => ({ kid: 'k', claims: { sub: 's', aud: 'a', iat: 0, rn } });

it('revokes whatever was issued before, also under positions that the backup does not know, and nothing that is issued after', async () => {
  const targets = [{ kind: 'subject', value: 's' }] as const;
  await issuer.revocations.append({ targets, requestedBy: operator });
  const before = await issuer.store.head();
  const head = await begin();
  await issuer.keys.reload();
  expect(await issuer.store.head()).toEqual(head);
  expect(head.epoch).not.toBe(before.epoch);

  const events = await issuer.store.events(1, 10);
  const [only] = events.map(({ compact }) => openEvent(compact, issuer.keys.feed.verification, { issuer: issuerUrl, mesh }));
  expect(events).toHaveLength(1); // those of the former epoch would be served as if they were of this one
  expect(only?.event).toMatchObject({ epoch: head.epoch, n: head.n, prev: genesisHash(head.epoch) });
  expect(only?.event.targets[0]).toMatchObject({ kind: 'all', value: '' });
  const set = createRevocationSet();
  if (only) set.apply(only.event);
  expect(set.find(tokenWith(before.n + 1_000_000))).toMatchObject({ kind: 'all' });
  expect(await issue()).toMatchObject({ rn: head.n });
  expect(set.find(tokenWith(head.n))).toBeUndefined();
});

it('gives the keys a version above every one that the lost part of the record can have announced', async () => {
  const before = issuer.keys.version;
  await begin();
  await issuer.keys.reload();
  expect(issuer.keys.version).toBeGreaterThan(before + 1_000_000);
});

it('withdraws every key of the backup, for one of them may have been withdrawn since', async () => {
  const former = [...issuer.keys.token.verification.keys(), ...issuer.keys.feed.verification.keys()].sort();
  await begin();
  await issuer.keys.reload();
  const { token, feed } = issuer.keys;
  for (const kid of former) expect([token.verification.has(kid), feed.verification.has(kid)]).toEqual([false, false]);
  const [begun] = (await issuer.store.events(1, 10)).map(({ compact }) =>
    openEvent(compact, feed.verification, { issuer: issuerUrl, mesh }),
  );
  const revoked = begun?.event.targets.filter(({ kind }) => kind === 'key').map(({ value }) => value);
  expect(revoked?.toSorted()).toEqual(former);
  expect(await issue()).toEqual({ kid: token.signing.kid, rn: begun?.event.n });
});

it('is kept in the audit, whose chains hold', async () => {
  const targets = [{ kind: 'subject', value: 's' }] as const;
  const { n } = await issuer.revocations.append({ targets, requestedBy: operator });
  const former = await issuer.store.head();
  const verifiedBefore = await issuer.store.verifyAudit();
  const head = await begin();
  const [event, ...others] = await issuer.store.queryAudit({ kind: 'epoch.begun' }, 10);
  expect(others).toEqual([]);
  expect(event).toMatchObject({ who: 'begin-epoch', decision: 'allowed', t: issuer.now() });
  expect(event?.what).toMatchObject({ epoch: head.epoch, n: `${head.n}`, former_epoch: former.epoch, former_n: `${n}` });
  const [withdrawn, made] = [2, 2]; // a key of each purpose, and its successor
  expect(await issuer.store.verifyAudit()).toMatchObject({ breaks: [], events: verifiedBefore.events + 1 + withdrawn + made });
});

it('keeps what was revoked in the former epoch', async () => {
  const exp = Math.floor(issuer.now() / 1000) + 300;
  await issuer.revocations.append({ targets: [{ kind: 'token', value: 'j', exp }], requestedBy: operator });
  await begin();
  expect((await issuer.store.listTargets(0, Number.MAX_SAFE_INTEGER, 10)).map(({ kind }) => kind)).toEqual(
    expect.arrayContaining(['all', 'token']),
  );
});

it('is a log that goes on from there, and stops the process that still writes the former one', async () => {
  const head = await begin();
  await expect(issuer.revocations.append({ targets: [{ kind: 'subject', value: 's' }], requestedBy: operator })).rejects.toThrow(
    'another epoch',
  );
  await expect(issuer.revocations.checkpoint()).rejects.toThrow('another epoch');
  const { store, keys, now, newId } = issuer;
  const log = await openRevocationLog({
    ...{ store, keys, now, newId, mesh, staleAfterMs: 5000, ceilingSeconds: 900, onProblem: () => {} },
    issuer: issuerUrl,
  });
  expect((await log.append({ targets: [{ kind: 'subject', value: 's' }], requestedBy: operator })).n).toBe(head.n + 1);
  await log.close();
});
