import { genesisHash, signEvent, type Target } from '@tokenmesh/revocation';
import { auditEntry } from '../audit/audit.ts';
import type { KeyRing } from '../keys/keys.ts';
import type { Head } from '../record/revocation-records.ts';
import type { Store } from '../record/store.ts';

export interface BeginEpochOptions {
  readonly store: Store;
  readonly keys: Pick<KeyRing, 'feedKey' | 'withdraw'>;
  readonly issuer: string;
  /** The trust domain. */
  readonly mesh: string;
  /** The longest life of a token in seconds. */
  readonly ceilingSeconds: number;
  readonly now: () => number;
  readonly newId: () => string;
}

/**
 * How far a new epoch begins above the position of the record: above every position that the lost part of the log can have reached (at 500
 * revocations a second, 99 days), so that every `rn` that was ever stamped lies below. Two million restores fit into a number. The version of the keys goes
 * as far, for the same reason.
 */
const epochDistance = 2 ** 32;
const note = 'the record was restored from a backup';
/** Verifiers may tolerate this difference of clocks at most (seconds), and so accept a token this long after its `exp`. */
const clockToleranceSeconds = 60;
/** How long verifiers keep and use a key that they can no longer ask about (protocol section 8). */
const keyMemorySeconds = 24 * 60 * 60;

/**
 * Begins a new epoch of the revocation log in a record that was restored from a backup. Its first event is an `all` watermark: revocations
 * since the backup are lost, so everything that was issued until now is revoked with them. What is issued afterwards works at once. The keys of the
 * backup are withdrawn in the same event, for new ones: one of them may have been withdrawn since, and whoever has a stolen one writes any `rn` he
 * likes; and verifiers that remember its withdrawal would refuse everything that it signs again.
 *
 * No token-exchange may be running on the record; one that is (a replica on PostgreSQL) stops revoking and has to be started again. Does NOT
 * bring back anything else that the backup lacks: workloads suspended since then are to be suspended again. The audit keeps it as `epoch.begun`.
 *
 * @returns Where the new log stands.
 */
export async function beginEpoch({ store, keys, issuer, mesh, ceilingSeconds, now, newId }: BeginEpochOptions): Promise<Head> {
  return await store.transaction(async (transaction) => {
    const before = await transaction.holdHead();
    const epoch = newId();
    const prev = genesisHash(epoch);
    await transaction.replaceLog({ epoch, n: before.n + epochDistance, h: prev });
    const t = now();
    const iat = Math.floor(t / 1000);
    const n = before.n + epochDistance + 1;
    const kids = (await transaction.keys()).filter(({ state }) => state !== 'withdrawn').map(({ kid }) => kid);
    // what the lost part of the record announced must not stand above what is announced from now on
    await transaction.lockKeys(epochDistance);
    await keys.withdraw(transaction, kids);
    const exp = iat + (await transaction.longestLife(ceilingSeconds)) + 1 + clockToleranceSeconds;
    const targets: readonly Target[] = [
      { kind: 'all', value: '', exp },
      ...kids.map((value) => ({ kind: 'key', value, exp: exp + keyMemorySeconds }) as const),
    ];
    const feedKey = await keys.feedKey(transaction);
    const { compact, hash } = signEvent({ iss: issuer, aud: mesh, iat, jti: newId(), epoch, n, t, prev, targets }, feedKey);
    // unsent: if there is a courier, the service hands it over when it starts
    await transaction.appendEvent(
      { n, compact, hash, t, sent: false },
      targets.map((target) => ({ ...target, n, t, revokedBy: 'begin-epoch', note })),
    );
    const what = { epoch, n: `${n}`, former_epoch: before.epoch, former_n: `${before.n}`, withdrawn_keys: kids.join(', '), note };
    transaction.audit(auditEntry('epoch.begun', now, { who: 'begin-epoch', what }));
    return { epoch, n, h: hash };
  });
}
