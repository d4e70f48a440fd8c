import { setTimeout as delay } from 'node:timers/promises';
import type { Random } from '../random.ts';
import type { MethodClass, RevokedTarget } from './history.ts';
import type { HeldToken, TokenHolder } from './token-holder.ts';
import type { TrialCallers } from './trial-callers.ts';
import type { VerifierProcess, World } from './world.ts';

/** Kinds of target that a load can name: each by a token that it holds. */
export const revocableKinds = ['token', 'subject', 'client', 'session', 'chain', 'actor', 'grant', 'audience', 'key', 'all'] as const;
export type RevocableKind = (typeof revocableKinds)[number];

/** Tokens that are obtained and presented all the time, at every verifier and in both classes, the revoked ones most of all. */
export interface TrialLoad {
  /** Tokens that have not expired, oldest first. */
  live(): readonly HeldToken[];
  /** Resolves when there are this many that nobody asked to revoke. */
  held(count: number): Promise<void>;
  /**
   * Asks to revoke what one of its tokens is named by; not a token's own, when `kind` is one that no token has.
   *
   * @returns The position, once it is acknowledged.
   */
  revoke(kind: RevocableKind, random: Random): Promise<number | undefined>;
  /** Ends everything, and resolves when all of it is noted. */
  stop(): Promise<void>;
}

const obtainEveryMs = 120;
/** While fewer are untouched, because a watermark took all, tokens are obtained as fast as they come. */
const leastUntouched = 5;
const probeEveryMs = 50;
/** Calls of one caller that may be under way at once: a verifier that is stopped answers none. */
const probesInFlight = 40;
const streamsOfEach = 2;
const reopenMs = 60;
/** Which share of the calls presents a token that is being revoked. */
const revokedShare = 0.65;
/** So long after its `exp` a token is presented no more; the tolerance for it is over by then. */
const presentedAfterExpMs = 5_500;
const classes = ['critical', 'standard'] as const satisfies readonly MethodClass[];

export function startTrialLoad(world: World, holder: TokenHolder, callers: TrialCallers, random: Random): TrialLoad {
  const stopping = new AbortController();
  const { signal } = stopping;
  const tokens = new Set<HeldToken>();
  /** Those that somebody asked to revoke. */
  const touched = new Set<HeldToken>();
  let sequence = 0;
  const untouched = () => live().filter((token) => !touched.has(token));
  const pause = (ms: number) => delay(ms, undefined, { signal }).catch(() => {});

  function live(): readonly HeldToken[] {
    const nowMs = Date.now();
    for (const token of tokens) if (token.exp * 1000 + presentedAfterExpMs < nowMs) tokens.delete(token);
    return [...tokens].filter(({ exp }) => exp * 1000 > nowMs);
  }

  async function keepObtaining(by: Random): Promise<void> {
    while (!signal.aborted) {
      const token = await holder.obtain(by);
      if (token) tokens.add(token);
      if (!token || untouched().length >= leastUntouched) await pause(obtainEveryMs);
    }
  }

  function choose(by: Random): HeldToken | undefined {
    const all = [...tokens];
    const revoked = all.filter((token) => touched.has(token));
    const from = revoked.length > 0 && by.chance(revokedShare) ? revoked : all;
    return from.length > 0 ? by.pick(from) : undefined;
  }

  async function keepCalling(verifier: VerifierProcess, of: MethodClass, by: Random): Promise<void> {
    const underWay = new Set<Promise<unknown>>();
    while (!signal.aborted) {
      const token = choose(by);
      if (token && underWay.size < probesInFlight) {
        const call = callers.call(verifier, of, token).finally(() => underWay.delete(call));
        underWay.add(call);
      }
      await pause(probeEveryMs * (0.5 + by.next()));
    }
    await Promise.all(underWay);
  }

  async function keepStreaming(verifier: VerifierProcess, of: MethodClass, by: Random): Promise<void> {
    while (!signal.aborted) {
      const fresh = untouched();
      if (fresh.length > 0) await callers.stream(verifier, of, by.pick(fresh), signal);
      await pause(reopenMs);
    }
  }

  const running = [keepObtaining(random.of('obtain')), keepObtaining(random.of('obtain too'))];
  for (const verifier of world.verifiers) {
    for (const of of classes) {
      const by = random.of(`${verifier.terms.verifier} ${of}`);
      running.push(keepCalling(verifier, of, by.of('calls')));
      for (let index = 0; index < streamsOfEach; index++) running.push(keepStreaming(verifier, of, by.of(`stream ${index}`)));
    }
  }

  return {
    live,
    async held(count) {
      while (untouched().length < count && !signal.aborted) await pause(10);
    },
    async revoke(kind, by) {
      const able = live().flatMap((token) => {
        const target = targetOf(kind, token, by);
        return target ? [{ token, target }] : [];
      });
      if (able.length === 0) return undefined;
      const { target } = by.pick(able);
      for (const one of able) if (one.target.value === target.value) touched.add(one.token);
      return await holder.revoke(`${world.history.name} revocation ${sequence++}`, [target]);
    },
    async stop() {
      stopping.abort();
      holder.stop();
      await Promise.all(running);
    },
  };
}

function targetOf(kind: RevocableKind, token: HeldToken, random: Random): RevokedTarget | undefined {
  const { jti, kid, sub, clientId, aud, sid, txn, actors } = token;
  const values: Readonly<Record<RevocableKind, string | undefined>> = {
    ...{ token: jti, subject: sub, client: clientId, session: sid, chain: txn, audience: aud, key: kid, all: '' },
    actor: actors.length > 0 ? random.pick(actors) : undefined,
    grant: `${clientId} ${aud}`,
  };
  const value = values[kind];
  return value === undefined ? undefined : { kind, value };
}
