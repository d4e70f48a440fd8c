import { createHash } from 'node:crypto';
import { type Metadata, ServerInterceptingCall, type ServerInterceptingCallInterface, type ServerInterceptor } from '@grpc/grpc-js';
import { type Span, trace } from '@opentelemetry/api';
import type { PackageDefinition } from '@tokenmesh/proto';
import { TokenError } from '@tokenmesh/token';
import { readCredential } from './bearer.ts';
import { keepCaller } from './caller.ts';
import { createLiveCalls, type LiveCalls } from './live-calls.ts';
import { isExempt, type Rule, readRules } from './rules.ts';
import { refusalStatus, toStatus } from './status.ts';
import { tracingServerInterceptor } from './tracing.ts';
import { type AdmittedCall, type CallVerifier, type CallVerifierOptions, createCallVerifier, type Peer } from './verify-call.ts';

/** A call that was refused, for the service's own log or audit. Never holds token bytes. */
export interface RefusedCall {
  /** Full method name. */
  readonly method: string;
  readonly error: TokenError;
  readonly peer: string;
}

export interface ServerInterceptorsOptions extends CallVerifierOptions {
  /** Definitions whose services the server serves; every method must carry an access rule. */
  readonly packages: readonly PackageDefinition[];
  /** Told of every refusal. Default: nobody. */
  readonly onRefused?: (refused: RefusedCall) => void;
}

export interface ServerInterceptors {
  /** For `new grpc.Server({ interceptors })`: tracing outermost, so that a refused call has its span, then verification. */
  readonly interceptors: ServerInterceptor[];
  /** Stops the timers; calls go on. */
  close(): void;
}

/**
 * The interceptors that let only callers with the right token in.
 *
 * The bearer is removed from the metadata that handlers see. A method without a rule is refused: a service that was added to the server
 * but not named in `packages` opens nothing.
 *
 * @throws {TypeError} When a method of `packages` has no access rule, or an option is out of its range.
 */
export function serverInterceptors(options: ServerInterceptorsOptions): ServerInterceptors {
  const rules = readRules(options.packages);
  const verifier = createCallVerifier(options);
  const { revocation, clockToleranceSeconds = 5, now = Date.now } = options;
  const liveCalls = createLiveCalls({ revocation, verifier, clockToleranceSeconds, now });
  return {
    interceptors: [tracingServerInterceptor(), verifyingInterceptor(rules, verifier, liveCalls, options.onRefused)],
    close: () => liveCalls.close(),
  };
}

function verifyingInterceptor(
  rules: ReadonlyMap<string, Rule>,
  verifier: CallVerifier,
  liveCalls: LiveCalls,
  onRefused: ((refused: RefusedCall) => void) | undefined,
): ServerInterceptor {
  return (definition, nextCall) => {
    const { path } = definition;
    if (isExempt(path)) return new ServerInterceptingCall(nextCall);
    const rule = rules.get(path);
    const isStream = definition.requestStream || definition.responseStream;
    // a live stream is ended from outside of the call's context
    let span: Span | undefined;
    let ended = false;
    let release: (() => void) | undefined;

    function finish(): void {
      ended = true;
      release?.();
    }

    function refuse(error: unknown): void {
      if (ended) return;
      const { reason } = error instanceof TokenError ? error : { reason: undefined };
      span?.setAttributes({ 'tokenmesh.decision': 'refuse', ...(reason && { 'tokenmesh.reason': reason }) });
      if (error instanceof TokenError) onRefused?.({ method: path, error, peer: nextCall.getPeer() });
      intercepting.sendStatus(reason && rule ? refusalStatus(reason, wireInfo(reason, rule)) : toStatus(error));
    }

    function admit(metadata: Metadata, admitted: AdmittedCall, rule: Rule, next: (metadata: Metadata) => void): void {
      if (ended) return;
      span?.setAttribute('tokenmesh.decision', 'allow');
      metadata.remove('authorization');
      keepCaller(metadata, admitted.caller);
      if (isStream) release = liveCalls.add({ token: admitted.token, rule, end: refuse });
      next(metadata);
    }

    const intercepting = new ServerInterceptingCall(nextCall, {
      start(next) {
        next({
          onReceiveMetadata(metadata, nextMetadata) {
            span = trace.getActiveSpan();
            try {
              if (!rule) throw new TokenError('CALLER_NOT_ALLOWED', `${path} has no access rule: name its package to mesh.server()`);
              const presented = readCredential(metadata);
              if (!presented) {
                if (!rule.public) throw new TokenError('CREDENTIAL_MISSING', 'no authorization metadata');
                return nextMetadata(metadata);
              }
              const outcome = verifier.verify(presented, rule, peerOf(nextCall));
              if (!(outcome instanceof Promise)) return admit(metadata, outcome, rule, nextMetadata);
              outcome.then((admitted) => admit(metadata, admitted, rule, nextMetadata)).catch(refuse);
            } catch (error) {
              refuse(error);
            }
          },
          onCancel: finish,
        });
      },
      sendStatus(status, next) {
        finish();
        next(status);
      },
    });
    return intercepting;
  };
}

function wireInfo(reason: string, rule: Rule): Record<string, string> {
  const needed = rule.scopes.length > 0 ? rule.scopes : rule.anyScope;
  return { method: rule.method, ...(reason === 'SCOPE_INSUFFICIENT' && { scope: needed.join(' ') }) };
}

function peerOf(call: ServerInterceptingCallInterface): Peer {
  return {
    certificateThumbprint() {
      // the server credentials must check client certificates: the auth context does not say whether anyone did
      const raw = call.getAuthContext().sslPeerCertificate?.raw;
      return raw && createHash('sha256').update(raw).digest('base64url');
    },
    get address() {
      return call.getConnectionInfo().remoteAddress ?? '';
    },
  };
}
