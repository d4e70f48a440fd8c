import { Metadata, ServerInterceptingCall, type ServerInterceptingCallInterface, type ServerInterceptor } from '@grpc/grpc-js';
import { type Span, trace } from '@opentelemetry/api';
import type { PackageDefinition } from '@tokenmesh/proto';
import { TokenError } from '@tokenmesh/token';
import { createServerMetrics, type ServerMetrics } from '../call-metrics.ts';
import { checkNodeVersion } from '../mesh/node-version.ts';
import { redactGrpcLog } from '../mesh/redacted-grpc-log.ts';
import { toStatus } from '../status.ts';
import { tracingServerInterceptor } from '../tracing.ts';
import type { AccessRules } from './access-rules.ts';
import { type AwaitedRequests, createAwaitedRequests } from './awaited-requests.ts';
import { readCredential, removeCredential } from './bearer.ts';
import { CallPeer } from './call-peer.ts';
import { keepCaller } from './caller.ts';
import { noteAdmitted, noteRefused, noteStreamEnded, verifiedAttributes } from './decision-span.ts';
import { createLiveCalls, type LiveCalls, type WatchedCall } from './live-calls.ts';
import { createRefusalStatuses } from './refusal-statuses.ts';
import { isExempt, type Rule, readRules, reflectionRules } from './rules.ts';
import {
  createRenewableStreams,
  type RenewableStreams,
  renewRule,
  type StreamCredentialService,
  streamIdKey,
} from './stream-credential.ts';
import {
  type AdmittedCall,
  type CallVerifier,
  type CallVerifierOptions,
  createCallVerifier,
  type VerifiedListener,
} from './verify-call.ts';

/** A call that was refused, for the service's own log or audit. Never holds token bytes. */
export interface RefusedCall {
  /** Full method name. */
  readonly method: string;
  readonly error: TokenError;
  /** Address and port that the call came from, as grpc-js tells it. */
  readonly peer: string;
}

/** What is served, besides whose tokens count for it. */
export interface ServerInterceptorsOptions extends CallVerifierOptions {
  /** Definitions whose services the server serves; every method must carry an access rule, or have one from `accessRules`. */
  readonly packages: readonly (PackageDefinition | AccessRules)[];
  /** Lets everybody list services and messages by `grpc.reflection`, when the server serves it. Default false: refused as any method without a rule. */
  readonly allowReflection?: boolean;
  /** How long a call may wait for its one request, in milliseconds; 1…2^31-1, default 30 000. It ends within twice that. Not for calls that stream requests. */
  readonly maxUnaryWaitMs?: number;
  /** Told of every refusal. Default: nobody. */
  readonly onRefused?: (refused: RefusedCall) => void;
  /** Shared by the servers of one process, so that each of them renews the streams of all. Default: of this server only. */
  readonly streams?: RenewableStreams;
}

/** What a server is given so that only callers with the right token get in. */
export interface ServerInterceptors {
  /** For `new grpc.Server({ interceptors })`: tracing outermost, so that a refused call has its span, then verification. */
  readonly interceptors: ServerInterceptor[];
  /**
   * The service with which callers renew the credentials of their live streams: `server.addService(...streamCredential())`. Without it streams
   * end with the token that they were opened with.
   */
  streamCredential(): StreamCredentialService;
  /** The rule of every method that is served, health excepted. */
  readonly rules: readonly Rule[];
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
 * @throws {Error} When the engine is older than Node 24.14.1.
 */
export function serverInterceptors(options: ServerInterceptorsOptions): ServerInterceptors {
  checkNodeVersion();
  redactGrpcLog();
  const { packages, allowReflection = false, maxUnaryWaitMs = 30_000 } = options;
  const rules = new Map([...readRules(packages), ...(allowReflection ? reflectionRules : []), [renewRule.method, renewRule]]);
  const verifier = createCallVerifier(options);
  const { clockToleranceSeconds = 5, streams = createRenewableStreams(), now = Date.now } = options;
  const liveCalls = createLiveCalls({ verifier, clockToleranceSeconds, now });
  const awaited = createAwaitedRequests(maxUnaryWaitMs);
  const metrics = createServerMetrics(() => liveCalls.size);
  return {
    get rules() {
      return [...rules.values()].filter((rule) => rule !== renewRule || streams.offered);
    },
    interceptors: [
      tracingServerInterceptor(),
      verifyingInterceptor(rules, verifier, liveCalls, streams, awaited, metrics, options.onRefused),
    ],
    streamCredential: () => streams.service(),
    close() {
      liveCalls.close();
      awaited.close();
      metrics.close();
    },
  };
}

function verifyingInterceptor(
  rules: ReadonlyMap<string, Rule>,
  verifier: CallVerifier,
  liveCalls: LiveCalls,
  streams: RenewableStreams,
  awaited: AwaitedRequests,
  metrics: ServerMetrics,
  onRefused: ((refused: RefusedCall) => void) | undefined,
): ServerInterceptor {
  const statusOf = createRefusalStatuses();
  return (definition, nextCall) => {
    const { path } = definition;
    if (isExempt(path)) {
      metrics.exempt(path);
      return boundedCall(nextCall, awaited);
    }
    const rule = rules.get(path);
    const isStream = definition.requestStream || definition.responseStream;
    // a live stream is ended from outside of the call's context
    let span: Span | undefined;
    let ended = false;
    let hasProof = false;
    let peer: CallPeer | undefined;
    let live: WatchedCall | undefined;
    let streamId: string | undefined;

    function finish(): void {
      if (ended) return;
      ended = true;
      if (peer) peer.isGone = true;
      awaited.delete(intercepting);
      live?.release();
      if (streamId !== undefined) streams.delete(streamId);
    }

    function refuse(error: unknown): void {
      if (ended) return;
      const { reason } = error instanceof TokenError ? error : { reason: undefined };
      if (live) metrics.ended(reason);
      else metrics.refused(reason);
      if (live) noteStreamEnded(span, reason);
      else noteRefused(span, rule, reason);
      if (error instanceof TokenError) onRefused?.({ method: path, error, peer: nextCall.getPeer() });
      intercepting.sendStatus(reason && rule ? statusOf(reason, rule, live !== undefined) : toStatus(error));
    }

    function admit(metadata: Metadata, admitted: AdmittedCall, rule: Rule, next: (metadata: Metadata) => void): void {
      if (ended) return;
      noteAdmitted(span, rule, admitted.caller.stale);
      removeCredential(metadata);
      if (hasProof) metadata.remove('dpop');
      keepCaller(metadata, admitted.caller);
      if (isStream) live = liveCalls.add({ token: admitted.token, rule, end: refuse, announce });
      else if (rule === renewRule) streams.present(metadata, admitted.token);
      next(metadata);
    }

    // The stream's id travels with the metadata that its handler sends, or with its first message. Where neither comes in time for a renewal it
    // goes alone, and the metadata of a handler that comes later are too late.
    function announce(): void {
      if (!ended && streams.offered && streamId === undefined) intercepting.sendMetadata(new Metadata());
    }

    function withStreamId(metadata: Metadata): Metadata {
      if (ended || !live || !streams.offered) return metadata;
      streamId ??= streams.add(live);
      const announcing = metadata.clone(); // the handler may send the same object on every call
      announcing.set(streamIdKey, streamId);
      return announcing;
    }

    const intercepting = new ServerInterceptingCall(nextCall, {
      start(next) {
        if (!definition.requestStream) awaited.add(intercepting);
        next({
          onReceiveMetadata(metadata, nextMetadata) {
            span = trace.getActiveSpan();
            try {
              if (!rule) throw new TokenError('CALLER_NOT_ALLOWED', `${path} has no access rule: name its package to mesh.server()`);
              const presented = readCredential(metadata);
              if (!presented) {
                if (!rule.public) throw new TokenError('CREDENTIAL_MISSING', 'no credential');
                metrics.exempt(path);
                noteAdmitted(span, rule, false);
                return nextMetadata(metadata);
              }
              hasProof = presented.scheme === 'DPoP';
              peer = new CallPeer(nextCall);
              const outcome = verifier.verify(presented, rule, peer, verifiedListener(span));
              if (!(outcome instanceof Promise)) return admit(metadata, outcome, rule, nextMetadata);
              outcome.then((admitted) => admit(metadata, admitted, rule, nextMetadata)).catch(refuse);
            } catch (error) {
              refuse(error);
            }
          },
          onReceiveHalfClose(nextHalfClose) {
            awaited.delete(intercepting);
            nextHalfClose();
          },
          onCancel: finish,
        });
      },
      sendMetadata(metadata, next) {
        next(withStreamId(metadata));
      },
      sendStatus(status, next) {
        finish();
        const nonce = hasProof ? verifier.proofNonce() : undefined;
        if (nonce === undefined) return next(status);
        // RFC 9449 sections 8.2 and 9: with every answer, so that the next proof holds it without a refusal before
        const metadata = status.metadata?.clone() ?? new Metadata();
        metadata.set('dpop-nonce', nonce);
        next({ ...status, metadata });
      },
    });
    return intercepting;
  };
}

/** Writes what was verified to the call's span; `undefined` while that is not recorded, so that nothing is made for it. */
function verifiedListener(span: Span | undefined): VerifiedListener | undefined {
  if (!span?.isRecording()) return undefined;
  return (token, freshness, isCached) => span.setAttributes(verifiedAttributes(token, freshness, isCached));
}

/** A call of the health service: nobody is asked who he is, but it does not wait for ever for its request either. */
function boundedCall(nextCall: ServerInterceptingCallInterface, awaited: AwaitedRequests): ServerInterceptingCall {
  const call = new ServerInterceptingCall(nextCall, {
    start(next) {
      awaited.add(call);
      next({
        onReceiveHalfClose(nextHalfClose) {
          awaited.delete(call);
          nextHalfClose();
        },
        onCancel: () => awaited.delete(call),
      });
    },
    sendStatus(status, next) {
      awaited.delete(call);
      next(status);
    },
  });
  return call;
}
