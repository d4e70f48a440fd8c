import { expect, test } from 'vitest';
import { explore } from './explore.ts';
import { revokedWith } from './small-log.ts';
import { createSmallWorld } from './small-world.ts';
import type { SmallWorld } from './small-world-state.ts';
import { quickSmallWorlds } from './small-worlds.ts';
import { wrongVerifiers } from './wrong-verifiers.ts';

const limit = 1_000_000;
/** Seconds, and minutes on a machine that does much else. */
const timeout = 300_000;

/** What must be reachable for a search to say anything. */
const reached: Readonly<Record<string, (world: SmallWorld) => boolean>> = {
  'confirmed with something to revoke': ({ verifier, revokedFor }) => verifier.tag === 'confirmed' && Object.keys(revokedFor).length > 0,
  'a checkpoint that waits for a gap': ({ verifier }) => verifier.tag === 'unconfirmed' && verifier.waiting !== undefined,
  'a token known as revoked': ({ held }) => revokedWith(held).size > 0,
};

test.each(Object.entries(quickSmallWorlds))(
  'the code holds in every state of the small world %s, and recovers from each',
  { timeout },
  (name, kind) => {
    const missing = new Set(Object.keys(reached));
    const { states, transitions, violation } = explore(createSmallWorld(kind), limit, (world) => {
      for (const what of missing) if (reached[what]?.(world)) missing.delete(what);
    });
    console.log(`small world ${name}: ${states} states, ${transitions} transitions`);
    expect(violation).toBeUndefined();
    expect([...missing]).toEqual([]);
  },
);

test.each([
  ['bus', 'RECEIPT'],
  ['bus', 'NO_COUNT'],
  ['bus', 'ANY_MESSAGE'],
  ['clocks', 'RESTART_FRESH'],
  ['bus', 'GAP_COUNTED'],
  ['bus', 'OLD_REPLACES'],
  ['clocks', 'NO_NONCE'],
  ['clocks', 'FUTURE_COUNTS'],
  ['epochs', 'BROADCAST_EPOCH'],
  ['histories', 'MET_BY_POSITION'],
] as const)('the small world %s finds the mistake %s made around the code', (kind, mistake) => {
  const { violation } = explore(createSmallWorld(quickSmallWorlds[kind], wrongVerifiers[mistake]), limit);
  expect(violation?.problem).toMatch(/^(?:accepts|counts) /);
  console.log(`${mistake}: ${violation?.problem} after ${violation?.path.join('; ')}`);
});
