import type { Target } from '@tokenmesh/revocation';

/**
 * The time by which a history is told: milliseconds of CLOCK_MONOTONIC, which all processes of a machine share and no step of a wall clock moves.
 * Only processes whose clocks are not faked may ask for it.
 */
export function referenceMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

export type MethodClass = 'critical' | 'standard';

/** A verifier as the safety line sees it. */
export interface VerifierTerms {
  readonly verifier: string;
  /** S. */
  readonly staleAfterMs: number;
  /** G. */
  readonly graceMs: number;
  /** How long after its `exp` a token may be accepted. */
  readonly toleranceMs: number;
}

/** What of a token decides which revocations cover it. `iat` and `exp` in seconds since epoch by the issuer's clock; never the token itself. */
export interface TokenHandles {
  readonly jti: string;
  readonly kid: string;
  readonly sub: string;
  readonly clientId: string;
  readonly aud: string;
  readonly sid?: string;
  readonly txn: string;
  /** The whole `act` chain, current actor first. */
  readonly actors: readonly string[];
  readonly rn: number;
  readonly iat: number;
  readonly exp: number;
}

export type RevokedTarget = Pick<Target, 'kind' | 'value'>;

/**
 * What an observer outside of every process under trial saw. `at` is when it saw it, by `referenceMs`: an answer was on its way before that, a
 * request after.
 */
export type Fact =
  /** First of a history. `wallMs` is the true wall clock at `at`. */
  | {
      readonly type: 'begun';
      readonly at: number;
      readonly wallMs: number;
      readonly seed: number;
      readonly schedule: string;
      readonly verifiers: readonly VerifierTerms[];
    }
  | ({ readonly type: 'issued'; readonly at: number } & TokenHandles)
  /** A request to revoke is about to be sent. */
  | { readonly type: 'revoking'; readonly at: number; readonly id: string; readonly targets: readonly RevokedTarget[] }
  /** The answer to it. `acknowledgedAtMs` is the issuer's wall clock. */
  | {
      readonly type: 'acknowledged';
      readonly at: number;
      readonly id: string;
      readonly n: number;
      readonly acknowledgedAtMs: number;
      readonly broadcast: string;
    }
  /** It was refused or no answer came; in the latter case it may be in force. */
  | { readonly type: 'unacknowledged'; readonly at: number; readonly id: string; readonly how: string }
  /** A unary call: it was decided between `began` and `at`. `afterHealing`: all faults were over, and the verifier was fresh again. */
  | {
      readonly type: 'decision';
      readonly at: number;
      readonly began: number;
      readonly verifier: string;
      readonly class: MethodClass;
      readonly jti: string;
      readonly outcome: 'admitted' | 'refused' | 'lost';
      /** Of a refusal. */
      readonly reason?: string;
      readonly afterHealing?: boolean;
    }
  /**
   * A server stream that was admitted and has ended. `lastAliveAt`: the verifier's own stamp, by the same clock, in the last message that
   * arrived; the stream was alive then, whatever delayed the message.
   */
  | {
      readonly type: 'stream';
      readonly at: number;
      readonly opened: number;
      readonly lastAliveAt: number;
      readonly verifier: string;
      readonly class: MethodClass;
      readonly jti: string;
      /** `cancelled` when the observer ended it. */
      readonly reason: string;
    }
  /** `epsMs`, `clockOffMs`: by how much it moves a clock away from the true time, untold and at all. `stops`: the verifiers whose process stands still meanwhile. */
  | {
      readonly type: 'fault';
      readonly at: number;
      readonly phase: 'begun' | 'healed';
      readonly fault: string;
      readonly detail: string;
      readonly epsMs?: number;
      readonly clockOffMs?: number;
      readonly stops?: readonly string[];
    }
  /** What a verifier told of itself. */
  | { readonly type: 'verifier'; readonly at: number; readonly verifier: string; readonly what: string; readonly detail: string }
  /** An operator began a new epoch: everything with `rn` below `n` is revoked, and what was acknowledged before may be lost from the record. */
  | { readonly type: 'epoch'; readonly at: number; readonly id: string; readonly n: number }
  /** All faults are over. */
  | { readonly type: 'healed'; readonly at: number }
  /** After that, this verifier was seen fresh for the first time. */
  | { readonly type: 'recovered'; readonly at: number; readonly verifier: string }
  /** What the record listed as being in force at the end. */
  | { readonly type: 'listed'; readonly at: number; readonly revocations: readonly (RevokedTarget & { readonly n: number })[] };

/** What was seen, in the order in which it was noted. */
export interface History {
  /** Unique in its world. */
  readonly name: string;
  readonly facts: readonly Fact[];
  note(fact: Fact): void;
}

export function createHistory(name: string): History {
  const facts: Fact[] = [];
  return { name, facts, note: (fact) => void facts.push(fact) };
}

/** A history as it is written down: one fact a line, as JSON. */
export function historyText({ facts }: History): string {
  return facts.map((fact) => `${JSON.stringify(fact)}\n`).join('');
}
