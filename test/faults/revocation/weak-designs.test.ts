import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createRandom } from '../random.ts';
import { faults } from './faults.ts';
import { createHistory, type Fact, referenceMs } from './history.ts';
import { judge } from './oracle.ts';
import { createTokenHolder } from './token-holder.ts';
import { createTrialCallers } from './trial-callers.ts';
import type { Design } from './trial-service.ts';
import { createWorld, type World } from './world.ts';

const natsPath = process.env.TOKENMESH_NATS_SERVER ?? '';
const designs: readonly Design[] = ['real', 'plain', 'receipt'];
const staleAfterMs = 1_000;
/** Long enough for a loaded machine to see what becomes of a token that was revoked. */
const lifeSeconds = 120;
const limitMs = 120_000;
/** With it the fault chooses all three. */
const seed = 'all three of them';
const classes = ['critical', 'standard'] as const;

describe.skipIf(!natsPath)('three verifiers side by side, cut off by a broker that lives in the past:', () => {
  let world: World;
  let detail: string | undefined;
  beforeAll(async () => {
    world = await createWorld({ natsPath, lifeSeconds, design: designs, staleAfterMs: designs.map(() => staleAfterMs) });
    detail = await revokeWhileCutOff(world);
  }, limitMs);
  afterAll(() => world?.close());

  /** What the verifier of this design did, and what everybody did. */
  const judgeOf = (design: Design) => {
    const verifier = nameOf(design);
    return judge(world.history.facts.filter((fact) => !('verifier' in fact) || fact.verifier === verifier));
  };

  it('all of them were', () => expect(detail).toContain(designs.map(nameOf).join(', ')));

  it('the feed as it is admits nothing beyond the bound', () => {
    expect(judgeOf('real')).toMatchObject({ unsafe: [], vacuous: [] });
  });

  it('a plain subscription to NATS admits what was revoked meanwhile', () => {
    expect(judgeOf('plain').unsafe).toContainEqual(expect.stringContaining('a critical call at verifier-1'));
  });

  it('freshness by receipt keeps critical calls open while old checkpoints are played again', () => {
    expect(judgeOf('receipt').unsafe).toContainEqual(expect.stringContaining('a critical call at verifier-2'));
  });
});

function nameOf(design: Design): string {
  return `verifier-${designs.indexOf(design)}`;
}

/** Calls before, while and after a token is revoked that the verifiers do not hear of, until the weak ones have admitted it beyond the bound; the fault's detail. */
async function revokeWhileCutOff(world: World): Promise<string> {
  world.history = createHistory('by hand');
  const verifiers = world.verifiers.map(({ terms }) => terms);
  world.note({ type: 'begun', at: referenceMs(), wallMs: Date.now(), seed: 0, schedule: 'by hand', verifiers });
  await using opened = new AsyncDisposableStack();
  const holder = opened.adopt(createTokenHolder(world), (open) => open.close());
  const callers = opened.adopt(createTrialCallers(world), (open) => open.close());
  const token = await holder.obtain(createRandom(seed));
  if (!token) throw new Error('token-exchange runs');
  const callAll = () => Promise.all(world.verifiers.flatMap((verifier) => classes.map((of) => callers.call(verifier, of, token))));
  const beyond = (design: Design, outcomes: readonly string[]) => {
    const acknowledgedAt = world.history.facts.find(({ type }) => type === 'acknowledged')?.at ?? Number.POSITIVE_INFINITY;
    const isIt = (fact: Fact) => fact.type === 'decision' && fact.verifier === nameOf(design) && fact.class === 'critical';
    return world.history.facts.some(
      (fact) => isIt(fact) && fact.type === 'decision' && outcomes.includes(fact.outcome) && fact.began > acknowledgedAt + staleAfterMs,
    );
  };

  while (!(await callAll()).every(({ outcome }) => outcome === 'admitted'));
  // there has to be a past to live in
  while (world.verifiers.some(({ messages }) => messages.seen.length === 0)) await callAll();
  const [fault] = faults.filter(({ name }) => name === 'a broker that lives in the past');
  if (!fault) throw new Error('it is among the faults');
  const { detail, heal } = await fault.apply(world, createRandom(seed));
  await holder.revoke('by hand', [{ kind: 'token', value: token.jti }]);
  while (!(beyond('real', ['admitted', 'refused']) && beyond('plain', ['admitted']) && beyond('receipt', ['admitted']))) await callAll();
  await heal();
  return detail;
}
