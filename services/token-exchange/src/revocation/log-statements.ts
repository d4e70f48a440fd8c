import { signCheckpoint, signSnapshot } from '@tokenmesh/revocation';
import type { KeyRing } from '../keys/keys.ts';
import type { Store } from '../record/store.ts';
import type { AppliedLog } from './applied-log.ts';
import type { ExpiryClock } from './expiry-clock.ts';
import { type Snapshot, shareSnapshot } from './shared-snapshot.ts';

/** What is signed about the whole log: where it stands, and what is in force there. */
export interface LogStatements {
  /** A signed checkpoint made now; `nonce` is repeated in it. */
  checkpoint(nonce?: string): Promise<string>;
  /** Every target in force at one position, signed. It may be up to two seconds old: what came after it is in `events`. */
  snapshot(): Promise<Snapshot>;
}

export interface LogStatementsOptions {
  readonly store: Store;
  readonly applied: Pick<AppliedLog, 'checkedHead' | 'capture' | 'expire'>;
  readonly keys: Pick<KeyRing, 'feed' | 'version'>;
  readonly issuer: string;
  /** The trust domain. */
  readonly mesh: string;
  readonly epoch: string;
  /** S: the age at which verifiers count their knowledge as stale. */
  readonly staleAfterMs: number;
  readonly clock: Pick<ExpiryClock, 'now' | 'earliest'>;
}

/** Both reject when the record's head is not of this epoch or lies behind what was applied here: nothing is signed about a log that is not ours. */
export function createLogStatements(options: LogStatementsOptions): LogStatements {
  const { store, applied, keys, issuer, mesh, epoch, staleAfterMs, clock } = options;
  const { now } = clock;
  return {
    async checkpoint(nonce) {
      const t = now(); // before n: what was acknowledged until t is counted in n
      const { n, h } = await applied.checkedHead(() => store.head());
      return signCheckpoint(
        { iss: issuer, aud: mesh, epoch, n, h, t, s: staleAfterMs, keysVersion: keys.version, ...(nonce !== undefined && { nonce }) },
        keys.feed.signing,
      );
    },
    snapshot: shareSnapshot(async () => {
      await applied.expire(Math.floor(clock.earliest() / 1000));
      const t = now();
      const { head, entries } = await applied.capture();
      return signSnapshot({ iss: issuer, aud: mesh, epoch, n: head.n, h: head.h, t, s: staleAfterMs }, entries, keys.feed.signing);
    }, keys),
  };
}
