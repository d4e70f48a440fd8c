import type { Random } from '../random.ts';
import type { FakeClock } from './fake-clock.ts';
import type { AppliedFault, Fault } from './fault.ts';
import { namesOf, someVerifiers } from './link-faults.ts';

/** What nobody can tell from clocks that differ as they may: a checkpoint that lies further in the future is refused. */
const untoldMs = 5_000;
const hourMs = 3_600_000;
const driftEveryMs = 50;

/** Clocks that are set, at either side, or run too fast or too slowly; for worlds with clocks that can be set. */
export const clockFaults: readonly Fault[] = [
  {
    ...{ name: 'verifier clock set', holds: ['verifier clock'], weight: 3, durationMs: [500, 4_000] },
    async apply(world, random) {
      const some = someVerifiers(world, random);
      const { detail, ...fault } = setClocks(
        clocksOf(
          world.clocks,
          some.map(({ terms }) => terms.verifier),
        ),
        random,
      );
      return { ...fault, detail: `${namesOf(some)}: ${detail}` };
    },
  },
  {
    ...{ name: 'token-exchange clock set', holds: ['issuer clock'], weight: 3, durationMs: [500, 4_000] },
    apply: async ({ clocks }, random) => setClocks(clocksOf(clocks, ['issuer']), random),
  },
  {
    ...{ name: 'verifier clock drifting', holds: ['verifier clock'], weight: 2, durationMs: [1_000, 4_000] },
    async apply(world, random) {
      const some = someVerifiers(world, random);
      const { detail, ...fault } = driftClocks(
        clocksOf(
          world.clocks,
          some.map(({ terms }) => terms.verifier),
        ),
        random,
      );
      return { ...fault, detail: `${namesOf(some)}: ${detail}` };
    },
  },
  {
    ...{ name: 'token-exchange clock drifting', holds: ['issuer clock'], weight: 2, durationMs: [1_000, 4_000] },
    apply: async ({ clocks }, random) => driftClocks(clocksOf(clocks, ['issuer']), random),
  },
];

function clocksOf(clocks: ReadonlyMap<string, FakeClock>, names: readonly string[]): readonly FakeClock[] {
  return names.map((name) => {
    const clock = clocks.get(name);
    if (!clock) throw new Error(`${name} has the machine's own clock`);
    return clock;
  });
}

/** Two hours, ten minutes, or so little that it may go unnoticed; ahead or behind. */
function setClocks(clocks: readonly FakeClock[], random: Random): AppliedFault {
  const size = random.pick([2 * hourMs, hourMs / 6, random.whole(500, untoldMs + 1_000)]);
  const offsetMs = random.chance(0.5) ? size : -size;
  for (const clock of clocks) clock.step(offsetMs);
  return {
    detail: `${offsetMs} ms`,
    epsMs: Math.min(size, untoldMs),
    clockOffMs: size,
    async heal() {
      for (const clock of clocks) clock.set();
    },
  };
}

/** Up to twice as fast, or standing still; set right in the end. */
function driftClocks(clocks: readonly FakeClock[], random: Random): AppliedFault {
  const rate = random.pick([-1, -0.5, -0.1, 0.1, 0.5, 1]);
  const startedAt = performance.now();
  const timer = setInterval(() => {
    for (const clock of clocks) clock.step((performance.now() - startedAt) * rate);
  }, driftEveryMs);
  return {
    detail: `${rate * 1000} ms a second`,
    epsMs: untoldMs,
    clockOffMs: 2 * untoldMs,
    async heal() {
      clearInterval(timer);
      for (const clock of clocks) clock.set();
    },
  };
}
