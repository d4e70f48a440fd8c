/**
 * What a target covers, and by which claim a token is found to be covered.
 *
 * `token` and `key` are absolute: whoever holds a stolen key writes any `rn` he likes. All others are watermarks: they cover the tokens
 * that were issued before the event, by log position.
 */
export const targetKinds = ['token', 'subject', 'client', 'session', 'chain', 'actor', 'grant', 'audience', 'key', 'all'] as const;

/** Where each kind stands in `targetKinds`. */
export const kindIndex = {
  token: 0,
  subject: 1,
  client: 2,
  session: 3,
  chain: 4,
  actor: 5,
  grant: 6,
  audience: 7,
  key: 8,
  all: 9,
} as const satisfies Record<TargetKind, number>;

/** What a target's value names: one of `targetKinds`. */
export type TargetKind = (typeof targetKinds)[number];

/** One thing that is taken back. */
export interface Target {
  readonly kind: TargetKind;
  /** The jti, sub, client_id, sid, txn, actor's sub, `client_id aud` (one space between), aud or kid; empty for `all`. 1 to 2 048 characters otherwise. */
  readonly value: string;
  /** Seconds since epoch: after it no token can be alive that this target covers, and it is forgotten everywhere. */
  readonly exp: number;
}

const maxValueLength = 2_048;
const kinds: ReadonlySet<string> = new Set(targetKinds);

export function isTargetKind(text: unknown): text is TargetKind {
  return typeof text === 'string' && kinds.has(text);
}

/** Whether `value` can name a target of this kind. Half a surrogate pair cannot: it would change on its way through UTF-8. */
export function isTargetValue(kind: TargetKind, value: string): boolean {
  if (kind === 'all') return value === '';
  if (kind === 'grant' && !/^[^ ]+ [^ ]+$/.test(value)) return false;
  return value.length > 0 && value.length <= maxValueLength && value.isWellFormed();
}
