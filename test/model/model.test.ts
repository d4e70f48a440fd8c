import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { replay } from './replay.ts';
import { type CompiledModel, compileModel, simulate } from './spin.ts';
import { parseTrace } from './trace.ts';
import { replayOptionsOf, variantsOf, worlds } from './worlds.ts';

const spin = process.env.TOKENMESH_SPIN ?? '';
/** A search takes seconds, and minutes on a machine that does much else. */
const timeout = 300_000;
const randomRuns = 5;
const randomSteps = 20_000;

describe.skipIf(!spin).each(worlds)('the model of revocation, $name', { timeout }, (world) => {
  const { mutants, probes } = variantsOf(world);
  const replayOptions = replayOptionsOf(world, world.quickDefines);
  let model: CompiledModel;

  beforeAll(async () => {
    model = await compileModel(spin, world.file, world.quickDefines);
  }, timeout);
  afterAll(() => model?.remove());

  test('holds in every state that can be reached', async () => {
    const { states, violated, seconds } = await model.search(0);
    console.log(`model ${world.name}: ${states} states in ${seconds} s`);
    expect(violated).toBeUndefined();
    expect(states).toBeGreaterThan(1_000);
  });

  test.each(mutants)('finds the mistake $name: $about', async ({ number, of }) => {
    const { violated } = await model.search(number);
    expect(violated).toBeDefined();
    // The way to it is one of which the code makes nothing of the kind, unless it was told lies.
    const { endsAsModel } = replay(parseTrace(await model.trail()), replayOptions);
    if (of === 'verifier') expect(endsAsModel).toBe(false);
  });

  test.each(probes)('reaches $name, $about, and so does the code, step by step', async ({ number }) => {
    const { violated } = await model.search(number);
    expect(violated).toBeDefined();
    const { differences, compared } = replay(parseTrace(await model.trail()), replayOptions);
    expect(differences).toEqual([]);
    expect(compared).toBeGreaterThan(1);
  });

  test('is what the code does, step by step, in long random runs', async () => {
    let [compared, fresh] = [0, 0];
    for (let seed = 1; seed <= randomRuns; seed++) {
      const run = replay(
        parseTrace(await simulate(spin, world.file, world.randomDefines, seed, randomSteps)),
        replayOptionsOf(world, world.randomDefines),
      );
      expect(run.differences.slice(0, 3), `seed ${seed}`).toEqual([]);
      compared += run.compared;
      fresh += run.fresh;
    }
    console.log(`model ${world.name}: ${compared} states of ${randomRuns} random runs are the code's, ${fresh} of them fresh`);
    expect(compared).toBeGreaterThan(100);
    expect(fresh).toBeGreaterThan(20);
  });
});
