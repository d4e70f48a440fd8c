import { callerOf } from '@tokenmesh/interceptor';
import type { AdminHandlers } from '@tokenmesh/proto';
import { TokenError } from '@tokenmesh/token';
import { auditEntry } from '../audit/audit.ts';
import { answerUnary } from '../doors/answer-unary.ts';
import { toMessage } from '../doors/exchange-service.ts';
import type { EventLog } from '../event-log.ts';
import type { KeyPurpose, StoredKey } from '../record/key-records.ts';
import type { Store } from '../record/store.ts';
import type { RevocationLog } from '../revocation/revocation-log.ts';
import { rotationDueMs } from './key-life.ts';
import type { KeyRotation } from './key-rotation.ts';

export interface KeyAdminOptions {
  readonly store: Store;
  readonly revocations: RevocationLog;
  readonly rotation: KeyRotation;
  readonly rotateEveryMs: number;
  readonly log: EventLog;
  readonly now: () => number;
}

const maxNoteLength = 1000;

/** The handlers of `tokenmesh.v1.Admin` that are about signing keys. Nothing they answer or log holds a private key. */
export function createKeyAdmin(options: KeyAdminOptions): Pick<AdminHandlers, 'ListKeys' | 'RotateKeys' | 'WithdrawKey'> {
  const { store, revocations, rotation, rotateEveryMs, log, now } = options;
  const storedKeys = () => store.transaction((transaction) => transaction.keys());

  return {
    ListKeys: answerUnary(log, async () => {
      const keys = await storedKeys();
      const next = inState(keys, 'token', 'published');
      const awaited = next ? await rotation.awaited(next.kid) : [];
      return {
        keys: keys.map((key) => ({
          kid: key.kid,
          purpose: key.purpose,
          alg: key.alg,
          state: key.state,
          changed_at_ms: key.changedAtMs,
          rotation_due_ms: key.state === 'active' ? rotationDueMs(key, rotateEveryMs) : 0,
          awaited: key === next ? [...awaited] : [],
        })),
      };
    }),

    RotateKeys: answerUnary(log, async (call) => {
      const purpose = readPurpose(call.request.purpose);
      const keys = await store.transaction(async (transaction) => {
        await transaction.lockKeys(); // the wish belongs to the key that is active now, not to one that another replica just made so
        const stored = await transaction.keys();
        const active = inState(stored, purpose, 'active');
        if (active) await transaction.requestRotation(active.kid, now());
        const what = { purpose, kid: active?.kid ?? '' };
        transaction.audit(auditEntry('key.rotation_requested', now, { who: callerOf(call).clientId, what }));
        return stored;
      });
      const answer = { active_kid: inState(keys, purpose, 'active')?.kid ?? '', next_kid: inState(keys, purpose, 'published')?.kid ?? '' };
      log.info({ event: 'key.rotation_requested', purpose, by: callerOf(call).clientId, ...answer });
      await rotation.check();
      return answer;
    }),

    WithdrawKey: answerUnary(log, async (call) => {
      const { kid, request_id, note } = call.request;
      const requestedBy = callerOf(call).clientId;
      if (note.length > maxNoteLength) throw new TokenError('REQUEST_INVALID', `note must have at most ${maxNoteLength} characters`);
      const withdrawn = (await storedKeys()).find((key) => key.kid === kid);
      if (!withdrawn) throw new TokenError('REQUEST_INVALID', 'there is no such key');
      const acknowledgement = await revocations.append({
        targets: [{ kind: 'key', value: kid }],
        requestedBy,
        requestId: request_id,
        note,
      });
      const activeKid = inState(await storedKeys(), withdrawn.purpose, 'active')?.kid ?? '';
      log.warn({ event: 'key.withdrawn', kid, purpose: withdrawn.purpose, by: requestedBy, active: activeKid, ...acknowledgement });
      await rotation.check(); // the next successor is made at once
      return { acknowledgement: toMessage(acknowledgement), active_kid: activeKid };
    }),
  };
}

function inState(keys: readonly StoredKey[], purpose: KeyPurpose, state: StoredKey['state']): StoredKey | undefined {
  return keys.find((key) => key.purpose === purpose && key.state === state);
}

function readPurpose(text: string): KeyPurpose {
  if (text === 'token' || text === 'feed') return text;
  throw new TokenError('REQUEST_INVALID', 'purpose must be token or feed');
}
