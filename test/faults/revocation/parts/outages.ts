import type { Fact, MethodClass } from '../history.ts';
import { createWorld, type World } from '../world.ts';
import { type JudgedTrial, type Part, recoveryMs, tryFault } from './part.ts';

type Decision = Extract<Fact, { type: 'decision' }>;

const [natsAwayMs, quickNatsAwayMs] = [60_000, 3_000];
/** Longer than G, so that standard methods close as well. */
const [bothAwayMs, quickBothAwayMs] = [30_000, 7_000];
const [pausedMs, quickPausedMs] = [30_000, 6_500];

/** S of the verifiers: nearer to that of a service, for no call may fail only because this machine is slow. */
const staleAfterMs = [3_000, 3_500, 4_000];

/** F3, F4 and the suspended verifier: NATS away, NATS and token-exchange away, a process that stands still, each for longer than anything tolerates. */
export const outages: Part = {
  name: 'revocation, long outages (F3, F4, F8)',
  async run({ natsPath, quick, seed, report }) {
    await using opened = new AsyncDisposableStack();
    const world = opened.adopt(await createWorld({ natsPath, staleAfterMs }), (open) => open.close());
    const violations: string[] = [];

    report('NATS is away');
    const nats = await tryFault(world, {
      ...{ name: 'NATS away', seed, atMs: 500, forMs: quick ? quickNatsAwayMs : natsAwayMs },
      async apply(broken) {
        await broken.nats.kill();
        return { detail: 'killed, and started again', heal: broken.nats.start };
      },
    });
    violations.push(...nats.violations);
    const failed = failedCalls(nats);
    if (failed.length > 0)
      violations.push(`NATS away: ${failed.length} calls failed that nothing revoked, the first with ${failed[0]?.reason}`);

    report('NATS and token-exchange are away');
    const both = await tryFault(world, {
      ...{
        name: 'both away',
        seed,
        atMs: 1_000,
        forMs: quick ? quickBothAwayMs : bothAwayMs,
        lengthMs: (quick ? quickBothAwayMs : bothAwayMs) + 1_000,
      },
      async apply(broken) {
        await Promise.all([broken.nats.kill(), broken.issuer.kill()]);
        const heal = async () => void (await Promise.all([broken.nats.start(), broken.issuer.start()]));
        return { detail: 'killed, and started again', heal };
      },
    });
    violations.push(...both.violations, ...stillOpen(both, world));

    report('a verifier stands still');
    const paused = await tryFault(world, {
      ...{ name: 'a verifier stopped', seed, atMs: 1_000, forMs: quick ? quickPausedMs : pausedMs },
      async apply({ verifiers }) {
        const [first, ...others] = verifiers;
        first?.pause();
        others.at(-1)?.stall(quick ? quickPausedMs : pausedMs / 3);
        const stops = [first, others.at(-1)].flatMap((one) => (one ? [one.terms.verifier] : []));
        return { detail: 'one stopped by SIGSTOP, another one’s event loop held', stops, heal: async () => first?.resume() };
      },
    });
    violations.push(...paused.violations);

    const trials = [nats, both, paused];
    return {
      counts: {
        'calls judged': trials.reduce((sum, { judgement }) => sum + judgement.counts.decisions, 0),
        'calls that failed while NATS was away': failed.length,
        'ms after the acknowledgement, while NATS was away, until calls were refused (p99)': percentile(latenesses(nats), 0.99),
        'ms after both were gone, the last critical call admitted': lastAdmitted(both, 'critical'),
        'ms after both were gone, the last standard call admitted': lastAdmitted(both, 'standard'),
        'ms until all had recovered, after NATS': recoveryMs(nats.history),
        'ms until all had recovered, after both': recoveryMs(both.history),
        'ms until all had recovered, after the standstill': recoveryMs(paused.history),
      },
      violations,
    };
  },
};

const decisionsIn = ({ history }: JudgedTrial) => history.facts.filter((fact): fact is Decision => fact.type === 'decision');

function periodOf({ history }: JudgedTrial): { readonly from: number; readonly to: number } {
  const faults = history.facts.filter((fact) => fact.type === 'fault');
  return { from: faults.find(({ phase }) => phase === 'begun')?.at ?? 0, to: faults.find(({ phase }) => phase === 'healed')?.at ?? 0 };
}

/** Calls during the outage that were neither admitted nor refused for what their token is. */
function failedCalls(trial: JudgedTrial): readonly Decision[] {
  const { from, to } = periodOf(trial);
  const due = new Set(['TOKEN_REVOKED', 'TOKEN_EXPIRED']);
  return decisionsIn(trial).filter(
    ({ began, outcome, reason }) => began > from && began < to && outcome !== 'admitted' && !due.has(reason ?? ''),
  );
}

/** F4: with nobody to ask, no call is admitted beyond S on critical methods, and beyond G on standard ones. */
function stillOpen(trial: JudgedTrial, { verifiers }: World): readonly string[] {
  const { from, to } = periodOf(trial);
  return decisionsIn(trial).flatMap((decision) => {
    const terms = verifiers.find(({ terms: { verifier } }) => verifier === decision.verifier)?.terms;
    if (!terms || decision.outcome !== 'admitted' || decision.began > to) return [];
    const limitMs = decision.class === 'critical' ? terms.staleAfterMs : terms.graceMs;
    const lateMs = decision.began - from;
    return lateMs > limitMs
      ? [`both away: a ${decision.class} call at ${terms.verifier} was admitted ${Math.round(lateMs)} ms after both were gone`]
      : [];
  });
}

function lastAdmitted(trial: JudgedTrial, of: MethodClass): number {
  const { from, to } = periodOf(trial);
  const admitted = decisionsIn(trial).filter((one) => one.class === of && one.outcome === 'admitted' && one.began < to && one.began > from);
  return Math.round(admitted.reduce((latest, { began }) => Math.max(latest, began - from), 0));
}

/** For each revocation of a token by its own name during the outage: until the last call with it that was admitted. */
function latenesses(trial: JudgedTrial): readonly number[] {
  const { facts } = trial.history;
  const { from, to } = periodOf(trial);
  const targets = new Map(facts.flatMap((fact) => (fact.type === 'revoking' ? [[fact.id, fact.targets] as const] : [])));
  const decisions = decisionsIn(trial);
  return facts.flatMap((fact) => {
    if (fact.type !== 'acknowledged' || fact.at < from || fact.at > to) return [];
    const [only] = targets.get(fact.id) ?? [];
    if (only?.kind !== 'token') return [];
    const admitted = decisions.filter(({ jti, outcome, began }) => jti === only.value && outcome === 'admitted' && began > fact.at);
    return [admitted.reduce((latest, { began }) => Math.max(latest, began - fact.at), 0)];
  });
}

function percentile(values: readonly number[], share: number): number | string {
  if (values.length === 0) return 'none was revoked';
  return Math.round(values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * share))] ?? 0);
}
