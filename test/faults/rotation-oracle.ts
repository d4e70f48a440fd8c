import { nameOf, type Outcome } from './outcome.ts';

/** One call under rotation. */
export interface RotatedCall {
  /** For people: a call with a new token, with an old one, a stream. */
  readonly what: string;
  /** The key that signed its token; empty where the caller does not know. */
  readonly kid: string;
  readonly outcome: Outcome<unknown>;
}

export interface RotationHistory {
  readonly rotationsAsked: number;
  /** Keys that signed, in the order of their first token. */
  readonly signed: readonly string[];
  readonly calls: readonly RotatedCall[];
  /** The key that was withdrawn in the end. */
  readonly withdrawn: string;
  /** How long its tokens were accepted somewhere after the withdrawal was acknowledged; `undefined`: to the end. */
  readonly withdrawnForMs: number | undefined;
}

/** With what tokens of a withdrawn key are refused. The event names the key, and it leaves the JWKS: whichever a verifier hears of first. */
export const withdrawnRefusals: ReadonlySet<string> = new Set(['TOKEN_REVOKED', 'SIGNING_KEY_UNKNOWN']);
const leastShare = 0.9;
/** protocol section 7: S, and the tolerance of clocks at either side. */
const withdrawalBoundMs = 5000 + 2 * 500;

/**
 * What went wrong: a call that failed, but for those with a token of the withdrawn key, which may be refused as such; fewer rotations than nine of
 * ten that were asked for, a withdrawal that was not in force within the bound.
 */
export function judgeRotation({ rotationsAsked, signed, calls, withdrawn, withdrawnForMs }: RotationHistory): readonly string[] {
  const rotations = new Set(signed).size - 1;
  const failed = calls.filter(
    ({ kid, outcome }) => outcome.kind !== 'accepted' && !(kid === withdrawn && withdrawnRefusals.has(nameOf(outcome))),
  );
  return [
    ...failed.map(({ what, kid, outcome }) => `${what}, key ${kid || 'unknown'}: ${nameOf(outcome)}`),
    ...(rotations >= rotationsAsked * leastShare ? [] : [`${rotationsAsked} rotations were asked for and ${rotations} took place`]),
    ...(withdrawnForMs !== undefined && withdrawnForMs <= withdrawalBoundMs
      ? []
      : [
          `tokens of the withdrawn key were accepted for ${withdrawnForMs === undefined ? 'as long as was looked' : `${withdrawnForMs} ms`}`,
        ]),
  ];
}
