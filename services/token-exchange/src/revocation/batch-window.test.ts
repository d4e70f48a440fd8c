import { setImmediate as turn } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { createTestIssuer, operator } from '../testing.ts';

/** Revokes once in each turn of the event loop; returns the position of each. */
async function revokeOverTurns(turns: number, monotonicNow: () => number): Promise<readonly number[]> {
  const issuer = await createTestIssuer({ log: { monotonicNow } });
  const appended: Promise<{ readonly n: number }>[] = [];
  while (appended.length < turns) {
    const next = turn(); // before the log asks for its own: what comes in a turn is there when it looks
    appended.push(issuer.revocations.append({ targets: [{ kind: 'subject', value: `s${appended.length}` }], requestedBy: operator }));
    await next;
  }
  const positions = (await Promise.all(appended)).map(({ n }) => n);
  await issuer.close();
  return positions;
}

it('shares an event among revocations of which more come with each turn of the event loop', async () => {
  expect(await revokeOverTurns(20, () => 0)).toEqual(Array.from({ length: 20 }, () => 1));
});

it('waits 2 ms at most, however many come', async () => {
  let nowMs = 0;
  const positions = await revokeOverTurns(20, () => nowMs++);
  expect(positions.filter((n) => n === 1).length).toBeLessThan(5);
  expect(positions.at(-1)).toBeGreaterThan(1);
});
