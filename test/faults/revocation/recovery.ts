import { setTimeout as delay } from 'node:timers/promises';
import type { Random } from '../random.ts';
import { coverageOf, revocationsOf } from './coverage.ts';
import { type MethodClass, referenceMs } from './history.ts';
import type { HeldToken, TokenHolder } from './token-holder.ts';
import type { TrialCallers } from './trial-callers.ts';
import type { TrialLoad } from './trial-load.ts';
import type { VerifierProcess, World } from './world.ts';

/** Who asks, and with what. */
export interface Witnesses {
  readonly holder: TokenHolder;
  readonly callers: TrialCallers;
  readonly load: TrialLoad;
  readonly random: Random;
}

/** A token that nothing revoked, and one that was revoked after everything was healed. */
interface Pair {
  readonly live: HeldToken;
  readonly revoked: HeldToken;
}

const askAgainMs = 20;
/** Tokens that live for less are left out: they may expire on their way. */
const leastLeftMs = 1_500;
const classes = ['critical', 'standard'] as const satisfies readonly MethodClass[];

/**
 * After everything was healed: waits until each verifier refuses a token that is revoked now and admits another one, in both classes. Then presents
 * everything that is held at each of them, and asks the record what is in force. All of it goes into the history.
 *
 * @param limitMs A verifier that has not recovered by then is given up.
 */
export async function seeRecovery(world: World, { holder, callers, load, random }: Witnesses, limitMs: number): Promise<void> {
  const giveUpAt = referenceMs() + limitMs;
  const lastsStill = ({ exp }: HeldToken) => exp * 1000 - Date.now() > leastLeftMs;
  let pairs = 0;
  let pair: Promise<Pair | undefined> | undefined;

  async function obtain(): Promise<HeldToken | undefined> {
    while (referenceMs() < giveUpAt) {
      const token = await holder.obtain(random);
      if (token) return token;
      await delay(askAgainMs);
    }
    return undefined;
  }

  async function makePair(): Promise<Pair | undefined> {
    const revoked = await obtain();
    if (!revoked) return undefined;
    const target = { kind: 'token', value: revoked.jti } as const;
    if ((await holder.revoke(`${world.history.name} after healing ${pairs++}`, [target])) === undefined) return undefined;
    const live = await obtain();
    return live && { live, revoked };
  }

  async function lastingPair(): Promise<Pair | undefined> {
    const held = await pair;
    if (held && lastsStill(held.live) && lastsStill(held.revoked)) return held;
    // whoever comes first makes the next one for all
    const mine = pair;
    await Promise.resolve();
    if (pair === mine) pair = makePair();
    return await pair;
  }

  async function hasRecovered(verifier: VerifierProcess): Promise<boolean> {
    while (referenceMs() < giveUpAt) {
      const current = await lastingPair();
      if (!current) return false;
      const { live, revoked } = current;
      const decisions = await Promise.all(classes.flatMap((of) => [live, revoked].map((token) => callers.call(verifier, of, token))));
      const isRight = decisions.every(({ jti, outcome, reason }) =>
        jti === live.jti ? outcome === 'admitted' : reason === 'TOKEN_REVOKED',
      );
      if (isRight) return true;
      await delay(askAgainMs);
    }
    return false;
  }

  async function presentEverything(verifier: VerifierProcess, of: MethodClass): Promise<void> {
    const coverage = coverageOf(revocationsOf(world.history.facts));
    for (const token of load.live().filter(lastsStill)) {
      // what was in force before may still be on its way: the bound says for how long, and every call is judged by it
      while (coverage.firstAcknowledged(token) && referenceMs() < giveUpAt) {
        if ((await callers.call(verifier, of, token)).outcome !== 'admitted') break;
        await delay(askAgainMs);
      }
      await callers.call(verifier, of, token, { afterHealing: true });
    }
  }

  await Promise.all(
    world.verifiers.map(async (verifier) => {
      if (!(await hasRecovered(verifier))) return;
      world.note({ type: 'recovered', at: referenceMs(), verifier: verifier.terms.verifier });
      await Promise.all(classes.map((of) => presentEverything(verifier, of)));
    }),
  );
  const positions = world.history.facts.flatMap((fact) => (fact.type === 'acknowledged' ? [fact.n] : []));
  const since = positions.reduce((least, n) => Math.min(least, n), Number.MAX_SAFE_INTEGER);
  world.note({ type: 'listed', at: referenceMs(), revocations: await holder.list(since) });
}
