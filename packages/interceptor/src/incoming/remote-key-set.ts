import { createKeyAnnouncements } from '@tokenmesh/revocation';
import { importJwks, type Jwk, type KeySet, TokenError, type VerificationKey } from '@tokenmesh/token';

/** One answer of the issuer: its keys, and for how long nobody needs to ask again. */
export interface FetchedKeys {
  readonly keys: readonly Jwk[];
  readonly maxAgeSeconds: number;
  /** Grows with every change of the keys; 0 where the issuer does not say. */
  readonly version: number;
}

/** A key set that is kept up to date in the background. */
export interface RemoteKeySet extends KeySet {
  /** Resolves once keys are in; keeps trying until then. Rejects when the key set is closed before. */
  ready(): Promise<void>;
  /** Asks the issuer now, unless it is being asked. Resolves also when that failed: what was known stays. */
  refresh(): Promise<void>;
  /**
   * The issuer said, signed, that its keys have this version now: asks for them when that is a later one than those here have, after a random part of half a
   * second, and no sooner than a second after it was asked before.
   */
  announced(version: number): void;
  /** Ids of the keys that tokens can be verified with now. */
  kids(): readonly string[];
  /** Since the last good answer, in milliseconds; `undefined` while there was none. */
  ageMs(): number | undefined;
  close(): void;
}

/** Whatever max-age an answer names: neither a storm, nor keys that are never looked at again. */
const minRefreshMs = 1_000;
const maxRefreshMs = 3600_000;

/**
 * The issuer's keys, bounded in staleness and polite.
 *
 * A known key answers at once and goes on doing so while the issuer cannot be reached, up to `maxStaleMs` after the last good answer. An
 * unknown one causes at most one fetch a second, shared by all who wait for it. A failed fetch never turns a known key into an unknown
 * one. What the issuer announces is asked for at once. `find` rejects with KEYS_UNAVAILABLE when there are no keys, or only ones that are too old.
 *
 * @param options.fetch Asks the issuer, over a channel that proves who it is; rejects when it cannot be asked.
 * @param options.maxStaleMs Default 24 h.
 * @param options.onChange Called when the set of keys is another one than before; must not throw.
 */
export function createRemoteKeySet(options: {
  readonly fetch: () => Promise<FetchedKeys>;
  readonly maxStaleMs?: number;
  readonly onChange?: () => void;
  readonly now?: () => number;
  /** A clock that never steps, in milliseconds. */
  readonly monotonicNow?: () => number;
  readonly random?: () => number;
}): RemoteKeySet {
  const { fetch, maxStaleMs = 24 * 3600_000, onChange, now = Date.now, random = Math.random } = options;
  const { monotonicNow = () => performance.now() } = options;
  let keys: ReadonlyMap<string, VerificationKey> = new Map();
  let fetchedAtMs = Number.NEGATIVE_INFINITY;
  let askedAtMs = Number.NEGATIVE_INFINITY;
  let failures = 0;
  let inFlight: Promise<void> | undefined;
  let timer: NodeJS.Timeout | undefined;
  let closed = false;
  const loaded = Promise.withResolvers<void>();
  const announcements = createKeyAnnouncements({ ask: refresh, monotonicNow, random });
  loaded.promise.catch(() => undefined); // whoever waits for ready() is told

  function refresh(): Promise<void> {
    inFlight ??= load().finally(() => {
      inFlight = undefined;
    });
    return inFlight;
  }

  async function load(): Promise<void> {
    askedAtMs = now();
    announcements.asked();
    try {
      const answer = await fetch();
      const before = keys;
      const answered = importJwks(answer.keys);
      // an issuer without keys issues nothing: this is no answer, and turns no known key into an unknown one
      if (answered.size === 0) throw new TypeError('the issuer answered with no keys');
      keys = answered;
      announcements.answered(answer.version);
      fetchedAtMs = now();
      failures = 0;
      loaded.resolve();
      schedule(Math.min(maxRefreshMs, Math.max(minRefreshMs, answer.maxAgeSeconds * 500)));
      if (keys.size !== before.size || [...keys.keys()].some((kid) => !before.has(kid))) onChange?.();
    } catch {
      failures++;
      schedule(Math.min(30_000, 250 * 2 ** failures));
    }
  }

  function schedule(delayMs: number): void {
    clearTimeout(timer);
    if (closed) return;
    timer = setTimeout(refresh, delayMs * (0.9 + 0.2 * random())).unref();
  }

  function usable(): boolean {
    return now() - fetchedAtMs <= maxStaleMs;
  }

  async function findUnknown(kid: string): Promise<VerificationKey | undefined> {
    // either way: a clock that was set back must not stop it
    if (inFlight || Math.abs(now() - askedAtMs) >= 1000) await refresh();
    if (!usable()) throw new TokenError('KEYS_UNAVAILABLE', 'the issuer has not been reached for its keys');
    return keys.get(kid);
  }

  void refresh();
  return {
    find(kid) {
      const key = usable() ? keys.get(kid) : undefined;
      return key ?? findUnknown(kid);
    },
    ready: () => loaded.promise,
    refresh,
    announced: announcements.announced,
    kids: () => [...keys.keys()],
    ageMs: () => (fetchedAtMs === Number.NEGATIVE_INFINITY ? undefined : Math.max(0, now() - fetchedAtMs)),
    close() {
      closed = true;
      clearTimeout(timer);
      announcements.close();
      loaded.reject(new Error('the key set was closed before it had keys'));
    },
  };
}
