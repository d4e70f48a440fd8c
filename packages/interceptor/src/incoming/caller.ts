import type { Metadata } from '@grpc/grpc-js';
import type { BindingEvidence } from '@tokenmesh/proto';
import { actorChain, hasScope, TokenError, type VerifiedToken } from '@tokenmesh/token';

/** Who is calling, as verified: what a handler may base decisions on. */
export interface Caller {
  /** The subject: the workload itself, or whom it acts for. */
  readonly sub: string;
  /** The workload that obtained the token and made this call (RFC 8693 section 4.3). */
  readonly clientId: string;
  /** What the token allows, one scope token each. */
  readonly scope: readonly string[];
  /** Identities that act for `sub`, the current actor first; empty when the subject calls by itself. For display and audit: RFC 8693 section 4.1. */
  readonly act: readonly string[];
  /** Names the token in logs. */
  readonly jti: string;
  /** Seconds since epoch. */
  readonly exp: number;
  /** The call chain that this call belongs to; the same on every hop. */
  readonly txn: string;
  /** True when the call was admitted although revocations could not be checked lately. */
  readonly stale: boolean;
}

/** A token as it is presented to token-exchange when a service acts for its caller. */
export interface SubjectToken {
  readonly compact: string;
  readonly jti: string;
  readonly expMs: number;
  readonly binding: BindingEvidence | undefined;
}

// beside the metadata and not in them: what is opaque is neither sent nor copied. A WeakMap would cost a call more than the check of its token
const opaqueKey = 'tokenmesh.caller';

/** The part of grpc-js's server calls that names the call: all four kinds of call have it. */
interface ServerCall {
  readonly metadata: Metadata;
}

/**
 * The verified caller of a call, in a handler.
 *
 * @throws {TokenError} CREDENTIAL_MISSING when the method is public and the call came without a credential; see `findCaller`.
 */
export function callerOf(call: ServerCall): Caller {
  const caller = findCaller(call);
  if (!caller) throw new TokenError('CREDENTIAL_MISSING', 'the call has no verified caller');
  return caller;
}

/** The verified caller of a call, or `undefined` when the method is public and the call came without a credential. */
export function findCaller(call: ServerCall): Caller | undefined {
  const caller = call.metadata.getOpaque(opaqueKey);
  return VerifiedCaller.is(caller) ? caller : undefined;
}

/**
 * Whether a caller has all of these scopes: for what a handler decides beyond its method's rule. It says nothing of what the subject may do with
 * the thing at hand: that is the service's own to know.
 *
 * @param scope Scope tokens separated by blanks, all of them needed.
 * @throws {TypeError} When `scope` is empty, or no scope: a check that cannot fail checks nothing.
 */
export function can(caller: Caller, scope: string): boolean {
  if (!/^[!#-[\]-~]+( [!#-[\]-~]+)*$/.test(scope)) throw new TypeError('can() needs scope tokens with single blanks between');
  return hasScope(caller.scope, scope.split(' '));
}

/** Remembers the caller for the handler that gets this metadata object. */
export function keepCaller(metadata: Metadata, caller: Caller): void {
  metadata.setOpaque(opaqueKey, caller);
}

/** The caller that a verified token speaks of; `compact` is kept aside for calls on its behalf. */
export function createCaller(token: VerifiedToken, compact: string): Caller {
  return new VerifiedCaller(token, compact, false);
}

/** The same caller, marked as admitted without a fresh look at revocations. */
export function markStale(caller: Caller): Caller {
  return VerifiedCaller.from(caller).asStale();
}

/**
 * The token that a caller presented.
 *
 * @throws {TypeError} When the object did not come from `callerOf`: nobody can act for a caller that was not verified here.
 */
export function subjectTokenOf(caller: Caller): SubjectToken {
  return VerifiedCaller.from(caller).subjectToken();
}

/** The token stays in what no handler gets at: one that logs its caller, or copies it, has no credential in its hands. */
class VerifiedCaller implements Caller {
  readonly sub: string;
  readonly clientId: string;
  readonly scope: readonly string[];
  readonly act: readonly string[];
  readonly jti: string;
  readonly exp: number;
  readonly txn: string;
  readonly stale: boolean;
  readonly #token: VerifiedToken;
  readonly #compact: string;

  constructor(token: VerifiedToken, compact: string, stale: boolean) {
    const { claims, scope } = token;
    this.sub = claims.sub;
    this.clientId = claims.client_id;
    this.scope = scope;
    this.act = claims.act === undefined ? nobody : actorChain(claims);
    this.jti = claims.jti;
    this.exp = claims.exp;
    this.txn = claims.txn;
    this.stale = stale;
    this.#token = token;
    this.#compact = compact;
    Object.freeze(this);
  }

  static is(value: unknown): value is VerifiedCaller {
    return typeof value === 'object' && value !== null && #compact in value;
  }

  static from(caller: Caller): VerifiedCaller {
    if (!VerifiedCaller.is(caller)) throw new TypeError('onBehalfOf takes the caller that callerOf(call) returned');
    return caller;
  }

  asStale(): Caller {
    return new VerifiedCaller(this.#token, this.#compact, true);
  }

  subjectToken(): SubjectToken {
    const { cnf, jti, exp } = this.#token.claims;
    const binding = cnf && { x5t_s256: cnf['x5t#S256'] ?? '', jkt: cnf.jkt ?? '' };
    return { compact: this.#compact, jti, expMs: exp * 1000, binding };
  }
}

const nobody: readonly string[] = Object.freeze([]);
