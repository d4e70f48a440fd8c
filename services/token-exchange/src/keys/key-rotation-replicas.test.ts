import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openPostgresStore } from '../record/postgres.ts';
import type { Store } from '../record/store.ts';
import { hasPostgres, startTestPostgres, type TestPostgres } from '../record/test-postgres.ts';
import { createTestLog, encryption, newId } from '../testing.ts';
import { type KeyRotation, startKeyRotation } from './key-rotation.ts';
import { type KeyRing, openKeyRing } from './keys.ts';

const day = 86_400_000;

describe.skipIf(!hasPostgres)('three replicas over one PostgreSQL', () => {
  let postgres: TestPostgres;
  beforeAll(async () => {
    postgres = await startTestPostgres();
  });
  afterAll(() => postgres.remove());

  interface Replica {
    readonly store: Store;
    readonly keys: KeyRing;
    readonly rotation: KeyRotation;
    readonly log: ReturnType<typeof createTestLog>;
  }

  it('F15 rotate exactly once each time, whoever comes first, and all sign with the same key', { timeout: 60_000 }, async () => {
    const url = await postgres.createDatabase();
    let nowMs = Date.UTC(2026, 5, 1);
    const now = () => nowMs;
    const problems: unknown[] = [];
    const startReplica = async (): Promise<Replica> => {
      const store = await openPostgresStore(url, { newId });
      const keys = await openKeyRing({ store, encryption, alg: 'ES256', now });
      const log = createTestLog();
      const settings = {
        ...{ alg: 'ES256' as const, rotateEveryMs: day, activationTimeoutMs: 1_200_000 },
        ...{ feedAnnouncementMs: 600_000, longestLifeMs: 900_000 },
      };
      const onProblem = (problem: string, error: unknown) => problems.push([problem, error]);
      const rotation = startKeyRotation({ ...{ store, keys, log, settings, onProblem, now, newId }, reports: { list: () => [] } });
      return { store, keys, rotation, log };
    };
    const replicas = await Promise.all([startReplica(), startReplica(), startReplica()]);
    const checkAll = () => Promise.all(replicas.map(({ rotation }) => rotation.check()));
    const rounds = 25;
    for (let round = 0; round <= rounds; round++) {
      // the first check makes the successors known to each replica, the second one acts, the third one is for those who came too late
      for (let times = 0; times < 3; times++) await checkAll();
      expect(new Set(replicas.map(({ keys }) => `${keys.token.signing.kid} ${keys.token.next}`)).size).toBe(1);
      const [{ store }] = replicas;
      const states = (await store.transaction((transaction) => transaction.keys())).map(({ purpose, state }) => `${purpose} ${state}`);
      for (const one of ['token active', 'token published', 'feed active', 'feed published']) {
        expect(states.filter((state) => state === one)).toHaveLength(1);
      }
      if (round < rounds) nowMs += day;
    }
    const activated = replicas.flatMap(({ log }) => log.entries.filter(({ event }) => event === 'key.activated'));
    expect(activated).toHaveLength(2 * rounds);
    expect(problems).toEqual([]);
    for (const { rotation, store } of replicas) {
      await rotation.close();
      await store.close();
    }
  });
});
