import type { ServerInterceptor } from '@grpc/grpc-js';
import type { PackageDefinition } from '@tokenmesh/proto';
import { createServerMetrics } from '../call-metrics.ts';
import { checkNodeVersion } from '../mesh/node-version.ts';
import { redactGrpcLog } from '../mesh/redacted-grpc-log.ts';
import type { TracingOptions } from '../tracing.ts';
import type { AccessRules } from './access-rules.ts';
import { AwaitedCall } from './awaited-call.ts';
import { createAwaitedRequests } from './awaited-requests.ts';
import { type Guard, GuardedCall, type RefusedCall } from './guarded-call.ts';
import { createLiveCalls } from './live-calls.ts';
import { createRefusalStatuses } from './refusal-statuses.ts';
import { isExempt, type Rule, readRules, reflectionRules } from './rules.ts';
import { createRenewableStreams, type RenewableStreams, renewRule, type StreamCredentialService } from './stream-credential.ts';
import { type CallTracer, callTracer } from './traced-call.ts';
import { type CallVerifierOptions, createCallVerifier } from './verify-call.ts';

/** What is served, besides whose tokens count for it. */
export interface ServerInterceptorsOptions extends CallVerifierOptions, TracingOptions {
  /** Definitions whose services the server serves; every method must carry an access rule, or have one from `accessRules`. */
  readonly packages: readonly (PackageDefinition | AccessRules)[];
  /** Lets everybody list services and messages by `grpc.reflection`, when the server serves it. Default false: refused as any method without a rule. */
  readonly allowReflection?: boolean;
  /** How long a call may wait for its one request, in milliseconds; 1…2^31-1, default 30 000. It ends within twice that. Not for calls that stream requests. */
  readonly maxUnaryWaitMs?: number;
  /** Told of every refusal. What it throws is ignored. Default: nobody. */
  readonly onRefused?: (refused: RefusedCall) => void;
  /** Shared by the servers of one process, so that each of them renews the streams of all. Default: of this server only. */
  readonly streams?: RenewableStreams;
}

/** What a server is given so that only callers with the right token get in. */
export interface ServerInterceptors {
  /** For `new grpc.Server({ interceptors })`: one that traces, so that a refused call has its span, and verifies inside of that. */
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
  const traceCall = callTracer(options);
  const verifier = createCallVerifier(options);
  const { clockToleranceSeconds = 5, streams = createRenewableStreams() } = options;
  const liveCalls = createLiveCalls({ verifier, clockToleranceSeconds, now: verifier.now });
  const awaited = createAwaitedRequests(maxUnaryWaitMs);
  const metrics = createServerMetrics(() => liveCalls.size);
  const { onRefused, alsoTrust = [] } = options;
  const namesIssuers = alsoTrust.length > 0;
  const guard: Guard = { verifier, liveCalls, streams, awaited, metrics, statusOf: createRefusalStatuses(), namesIssuers, onRefused };
  return {
    get rules() {
      return [...rules.values()].filter((rule) => rule !== renewRule || streams.offered);
    },
    interceptors: [guardingInterceptor(guard, rules, traceCall)],
    streamCredential: () => streams.service(),
    close() {
      liveCalls.close();
      awaited.close();
      metrics.close();
    },
  };
}

function guardingInterceptor(guard: Guard, rules: ReadonlyMap<string, Rule>, traceCall: CallTracer): ServerInterceptor {
  const { awaited, metrics } = guard;
  return (method, call) => {
    const { path } = method;
    const traced = traceCall(path, call);
    if (isExempt(path)) {
      metrics.exempt(path);
      return new AwaitedCall(traced ?? call, awaited);
    }
    return new GuardedCall(guard, method, rules.get(path), call, traced);
  };
}
