import { nameOf, type Outcome } from './outcome.ts';

/** What was acknowledged before a process died, beside what its successor says of it. */
export interface RecordAnswers {
  readonly revokedSubjects: readonly { readonly subject: string; readonly acknowledgedAt: number; readonly listedAt: readonly number[] }[];
  readonly revokedTokens: readonly { readonly jti: string; readonly isActive: boolean }[];
  readonly issuedTokens: readonly {
    readonly jti: string;
    readonly isActive: boolean;
    /** Whether the key that signed it is one that counts. */
    readonly mayBeActive: boolean;
  }[];
  /** Requests that were granted already, made once more with the same assertions. */
  readonly replays: readonly Outcome<unknown>[];
}

/** What was lost, or is usable though it must not be, in sentences; empty when nothing. */
export function judgeRecord({ revokedSubjects, revokedTokens, issuedTokens, replays }: RecordAnswers): readonly string[] {
  return [
    ...revokedSubjects.flatMap(({ subject, acknowledgedAt, listedAt }) =>
      listedAt.length === 1 && listedAt[0] === acknowledgedAt
        ? []
        : [`the revocation of ${subject}, acknowledged at ${acknowledgedAt}, is listed at ${listedAt.join(', ') || 'no position'}`],
    ),
    ...revokedTokens.flatMap(({ jti, isActive }) => (isActive ? [`token ${jti} is active though its revocation was acknowledged`] : [])),
    ...issuedTokens.flatMap(({ jti, isActive, mayBeActive }) =>
      isActive === mayBeActive ? [] : [`token ${jti} is ${isActive ? 'active though its key was withdrawn' : 'lost: it is not active'}`],
    ),
    ...replays.flatMap((outcome) =>
      nameOf(outcome) === 'CLIENT_AUTHENTICATION_FAILED' ? [] : [`an assertion that was used was presented again: ${nameOf(outcome)}`],
    ),
  ];
}

/** A rotation that was asked for and acknowledged. */
export interface KeyWish {
  readonly purpose: string;
  /** The key that signed then. */
  readonly kid: string;
  readonly askedAtMs: number;
}

/** What the operator is told of a key. */
export interface ListedKey {
  readonly kid: string;
  readonly purpose: string;
  readonly state: string;
  readonly rotation_due_ms: number;
}

/**
 * What of the keys contradicts what was acknowledged: one key of each purpose signs; one whose rotation was asked for does so no longer, or is due;
 * a withdrawn one stays withdrawn.
 */
export function judgeKeys(keys: readonly ListedKey[], wishes: readonly KeyWish[], withdrawn: ReadonlySet<string>): readonly string[] {
  const byKid = new Map(keys.map((key) => [key.kid, key]));
  const counts = (['token', 'feed'] as const).map((purpose) => ({
    purpose,
    active: keys.filter((key) => key.purpose === purpose && key.state === 'active').length,
  }));
  return [
    ...counts.flatMap(({ purpose, active }) => (active === 1 ? [] : [`${active} ${purpose} keys are active`])),
    ...wishes.flatMap(({ kid, askedAtMs }) => {
      const key = byKid.get(kid);
      // the clock of the one who asks and that of token-exchange are the same here; the wish is written down within a moment
      const isForgotten = key?.state === 'active' && key.rotation_due_ms > askedAtMs + 60_000;
      return isForgotten ? [`the rotation of ${kid} was acknowledged and is not due`] : [];
    }),
    ...[...withdrawn].flatMap((kid) => {
      const state = byKid.get(kid)?.state ?? 'gone';
      return state === 'withdrawn' ? [] : [`key ${kid} was withdrawn and is ${state}`];
    }),
  ];
}
