import { setTimeout as delay } from 'node:timers/promises';
import { createRandom } from '../random.ts';
import type { AppliedFault, Held } from './fault.ts';
import { createHistory, type History, referenceMs } from './history.ts';
import { seeRecovery } from './recovery.ts';
import type { Schedule, ScheduledFault } from './schedule.ts';
import { createTokenHolder } from './token-holder.ts';
import { createTrialCallers } from './trial-callers.ts';
import { startTrialLoad } from './trial-load.ts';
import type { World } from './world.ts';

const tokensFirst = 6;
/** A verdict, not a measurement. */
const recoveryLimitMs = 60_000;

/**
 * Does to a world what a schedule says, under load, heals it, and looks whether it recovers. The world can be used again when it did.
 *
 * @param options.limitMs How long recovery may take; default 60 s.
 * @returns What was seen: for the oracle.
 * @throws {Error} When the world could not be broken or healed as the schedule says: that is the harness's own failure.
 */
export async function runSchedule(
  world: World,
  schedule: Schedule,
  { limitMs = recoveryLimitMs }: { readonly limitMs?: number } = {},
): Promise<History> {
  // What token-exchange signed while its clock was ahead, in the schedule before, counts when it is played again, until its time has come: the bound of protocol
  // section 7 includes that, and the oracle takes each schedule for itself. What lies minutes ahead nobody takes now, and the relays forget it before its time.
  await world.clocks.get('issuer')?.caughtUp();
  const history = createHistory(schedule.name);
  world.history = history;
  const begun = { seed: schedule.seed, schedule: schedule.name, verifiers: world.verifiers.map(({ terms }) => terms) };
  world.note({ type: 'begun', at: referenceMs(), wallMs: Date.now(), ...begun });
  const random = createRandom(schedule.seed).of('load').of(schedule.name);
  await using opened = new AsyncDisposableStack();
  const holder = opened.adopt(createTokenHolder(world), (open) => open.close());
  const callers = opened.adopt(createTrialCallers(world), (open) => open.close());
  const load = opened.adopt(startTrialLoad(world, holder, callers, random), (open) => open.stop());
  await load.held(tokensFirst);

  const startedAt = performance.now();
  const until = (ms: number) => delay(Math.max(0, ms - (performance.now() - startedAt)));
  const revoking = schedule.revocations.map(async ({ atMs, kind }, index) => {
    await until(atMs);
    await load.revoke(kind, random.of(`revocation ${index}`));
  });
  /** The last fault that took hold of a thing: on a busy machine it may take longer to heal than the schedule says, and the next one waits. */
  const holders = new Map<Held, Promise<void>>();
  const breaking = schedule.faults.map((scheduled) => {
    const before = scheduled.fault.holds.map((held) => holders.get(held));
    const breaking = Promise.all([until(scheduled.atMs), ...before]).then(() =>
      breakFor(world, scheduled, () => until(scheduled.atMs + scheduled.forMs)),
    );
    for (const held of scheduled.fault.holds) holders.set(held, breaking);
    return breaking;
  });
  await Promise.all([...breaking, until(schedule.lengthMs)]);
  world.note({ type: 'healed', at: referenceMs() });
  await Promise.all(revoking);
  await seeRecovery(world, { holder, callers, load, random: random.of('recovery') }, limitMs);
  await load.stop();
  return history;
}

async function breakFor(world: World, { fault, seed }: ScheduledFault, over: () => Promise<void>): Promise<void> {
  const at = referenceMs();
  const applied: AppliedFault = await fault.apply(world, createRandom(seed));
  const { heal: _, ...details } = applied;
  const about = { fault: fault.name, ...details };
  world.note({ type: 'fault', at, phase: 'begun', ...about });
  await over();
  await applied.heal();
  world.note({ type: 'fault', at: referenceMs(), phase: 'healed', ...about });
}
