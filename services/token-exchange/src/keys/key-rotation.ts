import type { EventLog } from '../event-log.ts';
import type { KeyReadiness } from '../record/key-records.ts';
import type { Store } from '../record/store.ts';
import type { VerifierReports } from '../revocation/verifier-reports.ts';
import { traceKeyChange } from './key-change-span.ts';
import { type KeyFacts, type KeyLifeSettings, planKeyChanges, type RotationChange } from './key-life.ts';
import type { KeyRing } from './keys.ts';

/** Keeps the signing keys in rotation, and this process up to date with what other replicas do to them. */
export interface KeyRotation {
  /** Looks now for what there is to do, rather than within a second: a report came, or an operator asked. Never rejects. */
  check(): Promise<void>;
  /** Names of the live verifiers, and of the replicas that hear them, that are not known to have this token key. */
  awaited(kid: string): Promise<readonly string[]>;
  /** Waits for a check that is under way; none follows. */
  close(): Promise<void>;
}

export interface KeyRotationOptions {
  readonly store: Store;
  readonly keys: KeyRing;
  readonly reports: Pick<VerifierReports, 'list'>;
  readonly settings: KeyLifeSettings;
  readonly log: EventLog;
  /** Told of what goes wrong in the background: the record cannot be asked, or its keys are no usable set. */
  readonly onProblem: (problem: 'keys.unusable' | 'keys.rotation_failed', error: unknown) => void;
  readonly now: () => number;
  readonly newId: () => string;
}

const checkIntervalMs = 1000;
/** A replica repeats what it heard this often when nothing changed, and counts as gone after three times of silence. */
const repeatReadinessMs = 5000;
const replicaMemoryMs = 15_000;
/** Verifiers report every 5 s and reconnect within 2 s: who is silent for so long after a start is not there. */
const maxSettleMs = 15_000;
const movedEvents = { published: 'key.published', active: 'key.activated', retiring: 'key.retiring' } as const;
/** Rounds of one check: an activation is followed by the making and the announcement of the next key. */
const maxRounds = 4;

/**
 * Starts the rotation: checks at once, every second, and when asked to. The first check makes and publishes the successors of the active keys.
 *
 * Replicas decide together: a key is activated when no live verifier, at whichever replica it reports, is known not to have it; and one of
 * them acts, for changes are planned and made under the lock of the keys. A replica that has just started waits until its verifiers had time
 * to report. A verifier that is silent for a minute is not waited for.
 *
 * Logs `key.prepared`, `key.published`, `key.activated`, `key.retiring`, `key.removed`, and as an error `key.activation_forced` with who was
 * waited for in vain.
 */
export function startKeyRotation(options: KeyRotationOptions): KeyRotation {
  const { store, keys, reports, settings, log, onProblem, now, newId } = options;
  const replica = newId();
  const listeningSinceMs = now();
  const settledAtMs = listeningSinceMs + Math.min(maxSettleMs, settings.activationTimeoutMs / 2);
  let said: KeyReadiness | undefined;
  let running: Promise<void> | undefined;
  let again = false;
  let closed = false;

  const awaited = (kid: string, all: readonly KeyReadiness[]) => [...awaitedHere(kid), ...awaitedElsewhere(kid, all)];

  /** Names of the verifiers that report here and do not know the key. */
  function awaitedHere(kid: string): readonly string[] {
    const lagging = reports.list().filter(({ kids }) => !kids.includes(kid));
    const names = lagging.map(({ clientId, instance }) => `${clientId} ${instance}`);
    return names.length === 0 && now() < settledAtMs ? ['verifiers that may still report after the start'] : names;
  }

  function awaitedElsewhere(kid: string, all: readonly KeyReadiness[]): readonly string[] {
    const live = all.filter((other) => other.replica !== replica && other.heardAtMs >= now() - replicaMemoryMs);
    const holding = live.filter((other) => other.kid !== kid || other.awaited > 0);
    return holding.map(
      (other) => `replica ${other.replica}: ${other.kid === kid ? `${other.awaited} verifiers` : 'does not know the key'}`,
    );
  }

  async function sayReadiness(): Promise<void> {
    const kid = keys.token.next ?? '';
    const readiness = { replica, kid, awaited: kid === '' ? 0 : awaitedHere(kid).length, heardAtMs: now() };
    const isOld = !said || now() - said.heardAtMs >= repeatReadinessMs;
    if (!isOld && said?.kid === readiness.kid && said.awaited === readiness.awaited) return;
    await store.transaction((transaction) => transaction.putReadiness(readiness, now() - 2 * replicaMemoryMs));
    said = readiness;
  }

  async function advance(): Promise<readonly RotationChange[]> {
    const beganAtMs = now();
    const changes = await store.transaction(async (transaction) => {
      const readiness = await transaction.readiness();
      const facts: KeyFacts = {
        nowMs: now(),
        listeningSinceMs,
        awaited: (kid) => awaited(kid, readiness),
        oldestEventMs: await transaction.oldestEventMs(),
      };
      const plan = async () => planKeyChanges(await transaction.keys(), facts, settings);
      if ((await plan()).length === 0) return [];
      await transaction.lockKeys();
      const planned = await plan(); // again: another replica may have been faster
      await keys.apply(transaction, planned);
      return planned;
    });
    for (const change of changes) {
      logChange(change);
      traceKeyChange(change, beganAtMs);
    }
    return changes;
  }

  function logChange(change: RotationChange): void {
    const { purpose } = change;
    switch (change.type) {
      case 'add':
        log.info({ event: 'key.prepared', purpose, alg: change.alg });
        return;
      case 'remove':
        log.info({ event: 'key.removed', kid: change.kid, purpose, was: change.from });
        return;
      case 'move':
        if (change.forcedPast) log.error({ event: 'key.activation_forced', kid: change.kid, purpose, awaited: change.forcedPast });
        log.info({ event: movedEvents[change.to], kid: change.kid, purpose });
        return;
      default:
        change satisfies never;
    }
  }

  async function run(): Promise<void> {
    do {
      again = false;
      try {
        await keys.reload();
      } catch (error) {
        onProblem('keys.unusable', error);
        return;
      }
      try {
        await sayReadiness();
        for (let round = 0; round < maxRounds && (await advance()).length > 0; round++) await keys.reload();
      } catch (error) {
        onProblem('keys.rotation_failed', error);
      }
    } while (again && !closed);
  }

  function check(): Promise<void> {
    if (closed) return Promise.resolve();
    again = true;
    running ??= run().finally(() => {
      running = undefined;
    });
    return running;
  }

  const timer = setInterval(check, checkIntervalMs);
  timer.unref();
  void check();
  return {
    check,
    awaited: async (kid) => awaited(kid, await store.transaction((transaction) => transaction.readiness())),
    async close() {
      closed = true;
      clearInterval(timer);
      await running;
    },
  };
}
