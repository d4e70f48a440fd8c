import { coverageOf, type Revocation, revocationsOf } from './coverage.ts';
import type { Fact, MethodClass, TokenHandles, VerifierTerms } from './history.ts';

/** What a history shows. */
export interface Judgement {
  /** What must not happen and did, in sentences; none: the safety line of protocol section 7 held. */
  readonly violations: readonly string[];
  /** Those of them that are calls and streams beyond the bound. */
  readonly unsafe: readonly string[];
  /** Why the history proves nothing: too little happened in it. */
  readonly vacuous: readonly string[];
  readonly counts: JudgedCounts;
  /** By class, the admitted call that came nearest to the bound of its verifier; `undefined`: none was admitted after an acknowledgement that covered it. */
  readonly latest: Readonly<Record<MethodClass, Lateness | undefined>>;
}

/** How long after an acknowledgement that covered it a call began that was admitted. */
export interface Lateness {
  readonly lateMs: number;
  readonly boundMs: number;
}

export interface JudgedCounts {
  readonly acknowledged: number;
  readonly unacknowledged: number;
  readonly decisions: number;
  readonly admitted: number;
  /** Calls with a token that an acknowledged revocation covered when they began, and that had not expired. */
  readonly covered: number;
  /** Of those, the ones that were admitted, within the bound or not. */
  readonly coveredAdmitted: number;
  readonly streams: number;
  /** Streams that a revocation covered while they lived, or before. */
  readonly coveredStreams: number;
}

type Decision = Extract<Fact, { type: 'decision' }>;
type Stream = Extract<Fact, { type: 'stream' }>;

/** Protocol section 7: a live stream ends this long after its bound at the latest. */
const streamMs = 100;
/**
 * What a stream's stamp may lie beyond that: timers of a process that gets one of two processors with a dozen others fire late. Calls need no such
 * allowance: what is judged is the moment before the request was sent, which the decision cannot precede.
 */
const timerSlackMs = 250;
/** Between the two clocks that the observer compares to know when a token expires. */
const readingMs = 20;
/** A token that is about to expire may do so on its way. */
const onItsWayMs = 1_000;

/**
 * Holds a history against the safety line and the liveness of protocol section 7. Pure; takes each moment from the side on which a
 * violation is certain: a revocation counts from when its acknowledgement was seen, a call from before its request was sent.
 *
 * - A call that a revocation covers is not admitted later than S (critical) or G (standard) after the acknowledgement, plus twice what clocks
 *   were off; whatever happened, no token is accepted after its `exp` and the tolerance for it. A stream that it covers has ended 100 ms later,
 *   or that long after its process could run again.
 * - Positions grow in the order of acknowledgements, and what was acknowledged is in the record in the end, unless a new epoch began above it.
 * - A token that nothing revoked is never refused as revoked. After all faults every verifier is fresh again, refuses what is revoked and admits
 *   the rest.
 */
export function judge(facts: readonly Fact[]): Judgement {
  const begun = facts.find(({ type }) => type === 'begun');
  if (begun?.type !== 'begun') throw new Error('a history begins with its terms');
  const terms = new Map(begun.verifiers.map((one) => [one.verifier, one]));
  const tokens = new Map<string, TokenHandles>();
  let [epsMs, clockOffMs] = [0, 0];
  for (const fact of facts) {
    if (fact.type === 'issued') tokens.set(fact.jti, fact);
    if (fact.type !== 'fault') continue;
    epsMs = Math.max(epsMs, fact.epsMs ?? 0);
    clockOffMs = Math.max(clockOffMs, fact.clockOffMs ?? 0, epsMs);
  }
  const revocations = revocationsOf(facts);
  const coverage = coverageOf(revocations);
  const standstills = standstillsIn(facts);
  const unsafe: string[] = [];
  const others: string[] = [];
  const tally = { decisions: 0, admitted: 0, covered: 0, coveredAdmitted: 0, streams: 0, coveredStreams: 0 };
  const latest: Record<MethodClass, Lateness | undefined> = { critical: undefined, standard: undefined };
  const seen = { critical: { admitted: 0, covered: 0 }, standard: { admitted: 0, covered: 0 } };

  const tokenOf = (jti: string) => {
    const token = tokens.get(jti);
    if (!token) throw new Error(`a token ${jti} was used that was never issued`);
    return token;
  };
  const wallTimeAt = (seconds: number) => begun.at + seconds * 1000 - begun.wallMs;
  const expiresAt = ({ exp }: TokenHandles) => wallTimeAt(exp);
  const termsOf = (verifier: string): VerifierTerms => {
    const found = terms.get(verifier);
    if (!found) throw new Error(`there is no verifier ${verifier}`);
    return found;
  };
  const boundMs = (fact: Decision | Stream) => {
    const { staleAfterMs, graceMs } = termsOf(fact.verifier);
    return (fact.class === 'critical' ? staleAfterMs : graceMs) + 2 * epsMs;
  };
  const lastMoment = (fact: Decision | Stream, token: TokenHandles) =>
    expiresAt(token) + termsOf(fact.verifier).toleranceMs + readingMs + epsMs;

  function judgeDecision(decision: Decision): void {
    tally.decisions++;
    const token = tokenOf(decision.jti);
    const covering = coverage.firstAcknowledged(token);
    const isCovered = covering !== undefined && covering.acknowledged.at < decision.began;
    if (isCovered && decision.began < expiresAt(token) && decision.outcome !== 'lost') {
      tally.covered++;
      seen[decision.class].covered++;
    }
    const name = `a ${decision.class} call at ${decision.verifier} with token ${decision.jti}`;
    if (decision.outcome === 'refused' && decision.reason === 'TOKEN_REVOKED' && !mayBeOver(token, decision.at)) {
      others.push(`${name} was refused as revoked, and nothing revoked it`);
    }
    if (decision.afterHealing) judgeHealed(decision, name, isCovered, token);
    if (decision.outcome !== 'admitted') return;
    tally.admitted++;
    seen[decision.class].admitted++;
    if (decision.began > lastMoment(decision, token)) {
      unsafe.push(`${name} was admitted ${ms(decision.began - expiresAt(token))} after it expired`);
    }
    if (!isCovered) return;
    tally.coveredAdmitted++;
    const lateMs = decision.began - covering.acknowledged.at;
    latest[decision.class] = nearerToBound(latest[decision.class], { lateMs, boundMs: boundMs(decision) });
    if (lateMs > boundMs(decision)) unsafe.push(`${name} was admitted ${late(lateMs, covering, boundMs(decision))}`);
  }

  /** A dead token counts as inactive at token-exchange, and is refused as if it had been revoked. */
  function mayBeOver(token: TokenHandles, at: number): boolean {
    return coverage.mayBeRevoked(token, at) || at > expiresAt(token) - clockOffMs;
  }

  function judgeHealed({ outcome, began, reason }: Decision, name: string, isCovered: boolean, token: TokenHandles): void {
    if (isCovered && outcome === 'admitted') others.push(`${name} was admitted after everything was healed, although it is revoked`);
    const isItsTime = began > wallTimeAt(token.iat) && began < expiresAt(token) - onItsWayMs;
    const mayLive = !isCovered && isItsTime;
    // on a busy machine it may be stale again for a moment, and then says so
    const isWrong = outcome !== 'admitted' && reason !== 'REVOCATION_STALE';
    if (mayLive && isWrong) others.push(`${name} came to ${reason ?? outcome} after everything was healed`);
  }

  function judgeStream(stream: Stream): void {
    tally.streams++;
    const token = tokenOf(stream.jti);
    const name = `a ${stream.class} stream at ${stream.verifier} with token ${stream.jti}`;
    if (stream.reason === 'TOKEN_REVOKED' && !mayBeOver(token, stream.at)) {
      others.push(`${name} was ended as revoked, and nothing revoked it`);
    }
    const after = (limit: number) => awakeAfter(limit, standstills.get(stream.verifier) ?? []) + streamMs + timerSlackMs;
    if (stream.lastAliveAt > after(lastMoment(stream, token))) {
      unsafe.push(`${name} lived on for ${ms(stream.lastAliveAt - expiresAt(token))} after it expired`);
    }
    const covering = coverage.firstAcknowledged(token);
    if (!covering || covering.acknowledged.at > stream.at) return;
    tally.coveredStreams++;
    const limit = covering.acknowledged.at + boundMs(stream);
    if (stream.opened > limit)
      unsafe.push(`${name} was admitted ${late(stream.opened - covering.acknowledged.at, covering, boundMs(stream))}`);
    else if (stream.lastAliveAt > after(limit)) {
      unsafe.push(`${name} lived on until ${late(stream.lastAliveAt - covering.acknowledged.at, covering, boundMs(stream))}`);
    }
  }

  for (const fact of facts) {
    if (fact.type === 'decision') judgeDecision(fact);
    else if (fact.type === 'stream') judgeStream(fact);
  }
  others.push(...judgePositions(revocations), ...judgeListed(facts, revocations), ...judgeRecovery(facts, begun.verifiers));
  const acknowledged = revocations.filter((one) => one.acknowledged).length;
  return {
    violations: [...unsafe, ...others],
    unsafe,
    vacuous: [
      ...(acknowledged === 0 ? ['no revocation was acknowledged'] : []),
      ...(['critical', 'standard'] as const).flatMap((of) => [
        ...(seen[of].admitted === 0 ? [`no ${of} call was admitted`] : []),
        ...(seen[of].covered === 0 ? [`no ${of} call was made with a token that was revoked and had not expired`] : []),
      ]),
    ],
    counts: { acknowledged, unacknowledged: revocations.length - acknowledged, ...tally },
    latest,
  };
}

/** A request that was made after another one was acknowledged has the higher position. */
function judgePositions(revocations: readonly Revocation[]): readonly string[] {
  const acknowledged = revocations.flatMap(({ id, requestedAt, acknowledged: answer }) => (answer ? [{ id, requestedAt, ...answer }] : []));
  const inOrder = acknowledged.toSorted((a, b) => a.at - b.at);
  const violations: string[] = [];
  let next = 0;
  let highest = { id: '', n: 0 };
  for (const later of acknowledged.toSorted((a, b) => a.requestedAt - b.requestedAt)) {
    for (let earlier = inOrder[next]; earlier && earlier.at < later.requestedAt; earlier = inOrder[++next]) {
      if (earlier.n > highest.n) highest = earlier;
    }
    if (later.n <= highest.n) {
      violations.push(`${later.id} was acknowledged at position ${later.n}, after ${highest.id} had been at ${highest.n}`);
    }
  }
  return violations;
}

/** Nothing that was acknowledged is missing in the record, but for what an operator gave up with an epoch. */
function judgeListed(facts: readonly Fact[], revocations: readonly Revocation[]): readonly string[] {
  const listed = facts.findLast(({ type }) => type === 'listed');
  if (listed?.type !== 'listed') return ['the record was never asked what is in force'];
  const positions = new Map<string, number>();
  for (const { kind, value, n } of listed.revocations)
    positions.set(`${kind} ${value}`, Math.max(n, positions.get(`${kind} ${value}`) ?? 0));
  let epochFrom = 0;
  for (const fact of facts) if (fact.type === 'epoch') epochFrom = Math.max(epochFrom, fact.n);
  return revocations.flatMap(({ id, targets, acknowledged }) => {
    if (!acknowledged || acknowledged.n < epochFrom) return [];
    const lost = targets.filter(({ kind, value }) => (positions.get(`${kind} ${value}`) ?? 0) < acknowledged.n);
    return lost.map(({ kind, value }) => `${id} was acknowledged at ${acknowledged.n}, and the record does not list ${kind} ${value}`);
  });
}

function judgeRecovery(facts: readonly Fact[], verifiers: readonly VerifierTerms[]): readonly string[] {
  const healed = facts.find(({ type }) => type === 'healed');
  if (!healed) return ['the faults were never healed'];
  const recovered = new Set(facts.flatMap((fact) => (fact.type === 'recovered' ? [fact.verifier] : [])));
  const lost = verifiers.filter(({ verifier }) => !recovered.has(verifier));
  return lost.map(({ verifier }) => `${verifier} did not refuse what was revoked, and admit the rest, after everything was healed`);
}

interface Standstill {
  readonly from: number;
  readonly to: number;
}

/** When verifiers' processes stood still. */
function standstillsIn(facts: readonly Fact[]): ReadonlyMap<string, readonly Standstill[]> {
  const open = new Map<string, number>();
  const standstills = new Map<string, Standstill[]>();
  for (const fact of facts) {
    if (fact.type !== 'fault') continue;
    for (const verifier of fact.stops ?? []) {
      if (fact.phase === 'begun') open.set(verifier, fact.at);
      else standstills.set(verifier, [...(standstills.get(verifier) ?? []), { from: open.get(verifier) ?? fact.at, to: fact.at }]);
    }
  }
  return standstills;
}

/** The first moment from `at` on at which a process ran. */
function awakeAfter(at: number, standstills: readonly Standstill[]): number {
  return standstills.reduce((moment, { from, to }) => (moment >= from && moment < to ? to : moment), at);
}

/** Of two, the one that used more of its bound. */
export function nearerToBound(a: Lateness | undefined, b: Lateness | undefined): Lateness | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return b.lateMs / b.boundMs > a.lateMs / a.boundMs ? b : a;
}

function ms(value: number): string {
  return `${Math.round(value)} ms`;
}

function late(lateMs: number, { id, targets, acknowledged }: Revocation, boundMs: number): string {
  const kinds = [...new Set(targets.map(({ kind }) => kind))].join(', ');
  return `${ms(lateMs)} after ${id} (${kinds} at ${acknowledged?.n}) was acknowledged; the bound is ${ms(boundMs)}`;
}
