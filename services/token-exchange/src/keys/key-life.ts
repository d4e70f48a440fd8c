import type { Algorithm } from '@tokenmesh/token';
import type { KeyPurpose, KeyState, StoredKey } from '../record/key-records.ts';

/** How long keys live, in milliseconds. */
export interface KeyLifeSettings {
  /** Of new token keys; feed keys are ES256. */
  readonly alg: Algorithm;
  /** A key signs for this long before its successor does. */
  readonly rotateEveryMs: number;
  /** How long an activation that is due waits for verifiers that do not know the key. */
  readonly activationTimeoutMs: number;
  /** How long a feed key is announced before it signs: verifiers do not report feed keys, they ask for them regularly. */
  readonly feedAnnouncementMs: number;
  /** The longest life of a token: how long a key that signs no more is still needed. */
  readonly longestLifeMs: number;
}

/** What the next changes depend on besides the keys themselves. */
export interface KeyFacts {
  readonly nowMs: number;
  /** When verifiers could begin to report here: nobody was waited for before. */
  readonly listeningSinceMs: number;
  /** Names of the live verifiers, or of the replicas that hear them, that do not know this token key yet. */
  awaited(kid: string): readonly string[];
  /** Time of the oldest event of the log that is kept; `undefined` when there is none. */
  readonly oldestEventMs: number | undefined;
}

/** What of a key decides about its life. */
export type KeyRecord = Omit<StoredKey, 'sealed'>;

/** One step of a key's life. */
export type KeyChange = Addition<'prepared' | 'active'> | Move | Removal;

/** One step of a key's life that is the rotation's: nothing is withdrawn, and no key signs that was not announced. */
export type RotationChange = Addition<'prepared'> | Move<'published' | 'active' | 'retiring'> | Removal;

interface Addition<State extends KeyState> {
  readonly type: 'add';
  readonly purpose: KeyPurpose;
  readonly alg: Algorithm;
  readonly state: State;
}

interface Move<To extends KeyState = KeyState> {
  readonly type: 'move';
  readonly kid: string;
  readonly purpose: KeyPurpose;
  readonly from: KeyState;
  readonly to: To;
  /** Who was waited for in vain: the activation was forced. */
  readonly forcedPast?: readonly string[];
}

interface Removal {
  readonly type: 'remove';
  readonly kid: string;
  readonly purpose: KeyPurpose;
  readonly from: KeyState;
}

/** Verifiers accept a token for a minute after its `exp` at most; the rest is for replicas that learn a second late that a key is retiring. */
const graceMs = 90_000;

/** How long verifiers use a key that they can no longer ask about (protocol section 8): a withdrawn one stays on record for as long. */
const keyMemoryMs = 24 * 60 * 60 * 1000;

/**
 * The next changes of the keys' lives, in order; none when there is nothing to do. Applying them and asking again ends after a few rounds.
 *
 * - `prepared`: stored. Left as soon as it has been read back from the record: it becomes `published`.
 * - `published`: in the JWKS. There always is one, so that an emergency finds a successor that verifiers know. It becomes `active` when the
 *   active key's time is over, or an operator asked for it, and all live verifiers know it or the timeout is over. One whose algorithm is no
 *   longer the configured one is replaced before it signs.
 * - `active`: signs; becomes `retiring` with the activation of its successor.
 * - `retiring`: removed when the longest token that it signed is dead; a feed key when no event is kept that it may have signed.
 * - `withdrawn`: removed when no verifier can still hold it.
 *
 * A purpose that has not exactly one active key is left alone: whatever made it so is for people to look at.
 */
export function planKeyChanges(keys: readonly KeyRecord[], facts: KeyFacts, settings: KeyLifeSettings): readonly RotationChange[] {
  return (['token', 'feed'] as const).flatMap((purpose) => {
    const ofPurpose = keys.filter((key) => key.purpose === purpose);
    const active = ofPurpose.filter(({ state }) => state === 'active');
    if (!active[0] || active.length > 1) return [];
    return [
      ...ofPurpose.filter((key) => isOver(key, facts, settings)).map(remove),
      ...planSuccession(active[0], successorsOf(ofPurpose), facts, settings),
    ];
  });
}

/**
 * What takes keys out of use at once, whatever their state: they leave the JWKS, and where one was active its successor signs, which is the
 * published one, or a new one when there is none. Kids that are unknown or withdrawn already change nothing.
 */
export function planWithdrawal(keys: readonly KeyRecord[], kids: readonly string[], alg: Algorithm): readonly KeyChange[] {
  const withdrawn = keys.filter(({ kid, state }) => kids.includes(kid) && state !== 'withdrawn');
  return withdrawn.flatMap((key): readonly KeyChange[] => {
    const { purpose } = key;
    const change = move(key, 'withdrawn');
    if (key.state !== 'active') return [change];
    const remaining = keys.filter((other) => other.purpose === purpose && !kids.includes(other.kid));
    const published = remaining.find(({ state }) => state === 'published');
    return [change, published ? move(published, 'active') : { type: 'add', purpose, alg: algorithmFor(purpose, alg), state: 'active' }];
  });
}

/** When the successor of an active key should sign, in milliseconds since epoch. */
export function rotationDueMs({ changedAtMs, rotationRequestedAtMs }: KeyRecord, rotateEveryMs: number): number {
  const regular = changedAtMs + rotateEveryMs;
  return rotationRequestedAtMs > 0 ? Math.min(rotationRequestedAtMs, regular) : regular;
}

/** Feed keys are what every verifier of a feed can check: their algorithm is not for choice. */
export function algorithmFor(purpose: KeyPurpose, alg: Algorithm): Algorithm {
  return purpose === 'feed' ? 'ES256' : alg;
}

/** The next key comes first: one that is published, or failing that one that will be. */
function successorsOf(keys: readonly KeyRecord[]): readonly KeyRecord[] {
  return [...keys.filter(({ state }) => state === 'published'), ...keys.filter(({ state }) => state === 'prepared')];
}

function planSuccession(
  active: KeyRecord,
  [next]: readonly KeyRecord[],
  facts: KeyFacts,
  settings: KeyLifeSettings,
): readonly RotationChange[] {
  const { purpose } = active;
  const alg = algorithmFor(purpose, settings.alg);
  if (!next) return [{ type: 'add', purpose, alg, state: 'prepared' }];
  if (next.state === 'prepared') return [move(next, 'published')];
  // not sooner: while replicas are restarted one after the other they are configured differently, and would replace each other's keys
  const sinceMs = facts.nowMs - next.changedAtMs;
  if (next.alg !== alg && sinceMs >= settings.activationTimeoutMs) return [remove(next)];

  const dueMs = rotationDueMs(active, settings.rotateEveryMs);
  if (facts.nowMs < dueMs) return [];
  const activation = [move(active, 'retiring'), move(next, 'active')];
  if (purpose === 'feed') return sinceMs >= settings.feedAnnouncementMs ? activation : [];
  const awaited = facts.awaited(next.kid);
  if (awaited.length === 0) return activation;
  if (facts.nowMs - Math.max(dueMs, next.changedAtMs, facts.listeningSinceMs) < settings.activationTimeoutMs) return [];
  return [move(active, 'retiring'), { ...move(next, 'active'), forcedPast: awaited }];
}

function isOver(
  { state, purpose, changedAtMs }: KeyRecord,
  { nowMs, oldestEventMs }: KeyFacts,
  { longestLifeMs }: KeyLifeSettings,
): boolean {
  if (state === 'withdrawn') return nowMs > changedAtMs + longestLifeMs + graceMs + keyMemoryMs;
  if (state !== 'retiring') return false;
  if (purpose === 'token') return nowMs > changedAtMs + longestLifeMs + graceMs;
  return nowMs > changedAtMs + graceMs && (oldestEventMs === undefined || oldestEventMs > changedAtMs + graceMs);
}

function move<To extends KeyState>({ kid, purpose, state }: KeyRecord, to: To): Move<To> {
  return { type: 'move', kid, purpose, from: state, to };
}

function remove({ kid, purpose, state }: KeyRecord): Removal {
  return { type: 'remove', kid, purpose, from: state };
}
