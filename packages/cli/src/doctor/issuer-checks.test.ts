import { genesisHash, type RevocationEvent, signCheckpoint, signEvent } from '@tokenmesh/revocation';
import { generateSigningKey } from '@tokenmesh/token';
import { describe, expect, test } from 'vitest';
import {
  checkAgreement,
  checkClock,
  checkDelivery,
  checkFeedKeys,
  checkFleet,
  checkHealth,
  checkJwks,
  checkSigningKeys,
} from './issuer-checks.ts';

const issuer = 'https://token-exchange.shop.test';
const mesh = 'shop.test';
const key = generateSigningKey();
const origin = { issuer, mesh, keys: new Map([[key.kid, key]]) };
const t = 1_800_000_000_000;

function eventAt(n: number, epoch = 'e1', signer = key) {
  const target = { kind: 'all', value: '', exp: t / 1000 + 60 } as const;
  const event: RevocationEvent = {
    ...{ iss: issuer, aud: mesh, iat: t / 1000, jti: `j${n}`, epoch, n, t },
    ...{ prev: genesisHash(epoch), targets: [target] },
  };
  return signEvent(event, signer);
}

function headAt(n: number, h = eventAt(n).hash) {
  return { iss: issuer, aud: mesh, epoch: 'e1', n, h, t, s: 5_000 };
}

describe('the stream, compared with the record', () => {
  const stranger = generateSigningKey();

  test.each([
    ['ends with the same event', eventAt(7).compact, headAt(7), 'ok', 'same event, 7'],
    ['has nothing of the last hour', undefined, headAt(7), 'ok', 'no event of the last hour'],
    ['is behind', eventAt(6).compact, headAt(7), 'warning', 'ends at 6, the record at 7'],
    ['is ahead', eventAt(8).compact, headAt(7), 'failed', 'restored without begin-epoch'],
    ['has another event at the same place', eventAt(7).compact, headAt(7, genesisHash('e1')), 'failed', 'different events at 7'],
    ['is of another epoch', eventAt(7, 'e0').compact, headAt(7), 'failed', 'ends in epoch e0'],
    ['ends with a stranger’s event', eventAt(7, 'e1', stranger).compact, headAt(7), 'failed', 'no event of this issuer'],
    ['ends with something else', 'anything', headAt(7), 'failed', 'no event of this issuer'],
  ] as const)('%s', (_, compact, head, status, says) => {
    expect(checkAgreement(compact, head, origin)).toEqual({ status, says: expect.stringContaining(says) });
  });
});

describe('what comes over NATS', () => {
  test.each([
    ['a checkpoint of the issuer', signCheckpoint(headAt(7), key), 'ok', 'the record is at 7'],
    ['nothing', undefined, 'failed', 'no checkpoint came over NATS'],
    ['a stranger’s checkpoint', signCheckpoint(headAt(7), generateSigningKey()), 'failed', 'no checkpoint of this issuer'],
    ['an event', eventAt(7).compact, 'failed', 'no checkpoint of this issuer'],
  ] as const)('is judged: %s', (_, compact, status, says) => {
    expect(checkDelivery(compact, origin)).toEqual({ status, says: expect.stringContaining(says) });
  });
});

describe('token-exchange', () => {
  test.each([
    [t + 1_000, t + 1_001, 'ok', 'by 0 ms'],
    [t + 1_000, t + 1_500, 'ok', 'by 0 ms'],
    [t, t + 100, 'ok', 'by 0 ms'],
  ])('has a clock that the wait for its answer explains', (from, until, status, says) => {
    expect(checkClock({ t: from + (until - from) / 2 }, { from, until })).toEqual({ status, says: expect.stringContaining(says) });
  });

  test.each([
    [-1_000, 'ok'],
    [-1_001, 'warning'],
    [-5_000, 'warning'],
    [-5_001, 'failed'],
    [1_000, 'ok'],
    [1_001, 'warning'],
    [5_000, 'warning'],
    [5_001, 'failed'],
  ])('whose clock is %i ms away is %s', (difference, status) => {
    const asked = { from: t, until: t + 20 };
    const clock = difference < 0 ? asked.from + difference : asked.until + difference;
    expect(checkClock({ t: clock }, asked)).toEqual({ status, says: expect.stringContaining(`by ${difference} ms`) });
  });

  test('is healthy when it is SERVING, and nothing else', () => {
    expect([checkHealth('SERVING').status, checkHealth('NOT_SERVING').status]).toEqual(['ok', 'failed']);
  });

  test('has to publish keys of both kinds, and no key twice', () => {
    expect(checkJwks([]).status).toBe('failed');
    expect(checkJwks([{ kid: 'a' }])).toMatchObject({ status: 'ok', says: expect.stringContaining('a') });
    expect(checkFeedKeys([{ kid: 'a', x: '1' }], []).status).toBe('failed');
    expect(checkFeedKeys([{ kid: 'a', x: '1' }], [{ kid: 'b', x: '2' }]).status).toBe('ok');
    expect(checkFeedKeys([{ kid: 'a', x: '1' }], [{ kid: 'a', x: '2' }])).toMatchObject({
      status: 'failed',
      says: expect.stringMatching(/^a /),
    });
    expect(checkFeedKeys([{ kid: 'a', x: '1' }], [{ kid: 'b', x: '1' }]).status).toBe('failed');
  });

  const waiting = { kid: 'c', state: 'published', awaited: ['orders i1'] };

  test.each([
    ['has one key of each purpose', [], 'ok', 'a (token) and b (feed) sign'],
    ['prepares a successor', [{ kid: 'c', state: 'published' }], 'ok', 'a (token) and b (feed) sign'],
    ['has two that sign', [{ kid: 'c', state: 'active' }], 'failed', 'signs for: token;'],
    ['has a successor whose time has not come', [waiting], 'ok', 'a (token) and b (feed) sign', t],
    ['waits for a verifier', [waiting], 'warning', 'waits until these have learned it: orders i1', t - 1],
    ['has a rotation that is an hour late', [], 'ok', 'sign', t - 3_600_000],
    ['has a rotation that is later than that', [], 'warning', 'the successor of a has been due since', t - 3_600_001],
  ] as const)('%s', (_, more, status, says, due: number = t + 1) => {
    const key = { purpose: 'token', state: 'active', rotation_due_ms: 0, awaited: [] };
    const active = [
      { ...key, kid: 'a', rotation_due_ms: due },
      { ...key, kid: 'b', purpose: 'feed', rotation_due_ms: t + 1 },
    ];
    expect(checkSigningKeys([...active, ...more.map((one) => ({ ...key, ...one }))], t)).toEqual({
      status,
      says: expect.stringContaining(says),
    });
  });

  test('has no key that signs the feed', () => {
    const [token] = [{ kid: 'a', purpose: 'token', state: 'active', rotation_due_ms: 0, awaited: [] }];
    expect(checkSigningKeys([token], t)).toMatchObject({ status: 'failed', says: expect.stringContaining('signs for: feed;') });
  });

  test('has a fleet that is fresh, or names who is not', () => {
    const verifier = (client_id: string, ageMs: number) => ({ client_id, instance: 'i1', reported_at_ms: t, fresh_at_ms: t - ageMs });
    expect(checkFleet([], 5_000).status).toBe('warning');
    expect(checkFleet([verifier('a', 5_000)], 5_000).status).toBe('ok');
    expect(checkFleet([verifier('a', 0), verifier('b', 5_001)], 5_000)).toEqual({
      status: 'warning',
      says: '1 of 2 reported that they are stale: b (i1)',
    });
  });
});
