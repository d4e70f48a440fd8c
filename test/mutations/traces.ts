import type { Mutation } from './mutation.ts';

const applied = 'packages/interceptor/src/mesh/applied-span.ts';
const grant = 'services/token-exchange/src/grants/grant-span.ts';
const httpSpan = 'services/token-exchange/src/doors/http-span.ts';
const httpSpanTest = 'services/token-exchange/src/doors/http-span.test.ts';
const tokenId = 'packages/interceptor/src/token-id-hash.ts';
const traceparent = 'packages/interceptor/src/traceparent.ts';
const appliedTest = 'packages/interceptor/src/mesh/applied-span.test.ts';
const traceparentTest = 'packages/interceptor/src/traceparent.test.ts';
const tracesTest = 'services/token-exchange/src/traces.test.ts';
const tracingTest = 'packages/interceptor/src/tracing.test.ts';
const tracedCall = 'packages/interceptor/src/incoming/traced-call.ts';
const withoutSdkTest = 'test/traces-without-the-sdk.test.ts';
const ratioTest = 'packages/interceptor/src/trace-ratio.test.ts';
const tracing = 'packages/interceptor/src/tracing.ts';
const sampledOutTest = 'packages/interceptor/src/tracing-sampled-out.test.ts';
const outgoingCall = 'packages/interceptor/src/outgoing/traced-call.ts';

/** What traces must not tell, and what may not be believed of what comes with a revocation. */
export const traceMutations: readonly Mutation[] = [
  {
    of: ['traces'],
    file: tokenId,
    find: "hash('sha256', jti, 'buffer')",
    put: 'Buffer.from(jti)',
    fails: { file: tracingTest, title: 'is on the server span with what it was based on, and marked by one event' },
  },
  {
    of: ['traces'],
    file: grant,
    find: 'grantTypes.includes(grant_type) ?',
    put: "grant_type !== '' ?",
    fails: { file: tracesTest, title: 'says why nothing was issued, and nothing that the client wrote' },
  },
  {
    of: ['traces'],
    file: traceparent,
    find: '/^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/',
    put: '/^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})/',
    fails: { file: traceparentTest, title: 'is left out when it is %s', case: 'a MiB' },
  },
  {
    of: ['traces'],
    file: traceparent,
    find: 'return isSpanContextValid(context) ? context : undefined;',
    put: 'return context;',
    fails: { file: traceparentTest, title: 'is left out when it is %s', case: 'a span of zeros' },
  },
  {
    of: ['traces'],
    file: traceparent,
    find: ' || (context.traceFlags & TraceFlags.SAMPLED) === 0',
    put: '',
    fails: { file: tracesTest, title: 'sends no context where it is not sampled' },
  },
  {
    of: ['traces'],
    file: applied,
    find: '{ root: true, kind: SpanKind.CONSUMER, startTime: receivedAtMs, links, attributes }',
    put: '{ kind: SpanKind.CONSUMER, startTime: receivedAtMs, attributes }',
    fails: { file: appliedTest, title: 'makes a span in a trace of its own, linked to the one that published, and from the arrival on' },
  },
  {
    of: ['traces'],
    file: applied,
    find: ' || isTracingOff()',
    put: '',
    fails: { file: appliedTest, title: 'does not even read the context while nobody traces' },
  },
  {
    of: ['traces'],
    file: 'packages/interceptor/src/outgoing/obtain-span.ts',
    find: 'if (span) link();\n      else if (trace.getActiveSpan()?.isRecording()) span',
    put: 'if (!span && trace.getActiveSpan()?.isRecording()) span',
    fails: {
      file: 'packages/interceptor/src/outgoing/obtain-span.test.ts',
      title: 'is a child of the call that began it, has the exchange inside, and is linked from those that wait for it',
    },
  },
  {
    of: ['traces'],
    file: 'packages/interceptor/src/outgoing/obtain-span.ts',
    find: '      else if (trace.getActiveSpan()?.isRecording()) span = tracer.startSpan(spanNames.obtain, { attributes });\n',
    put: '',
    fails: {
      file: 'packages/interceptor/src/outgoing/obtain-span.test.ts',
      title: 'is a child of the first recorded call that waits, where the one that began it is in no trace',
    },
  },
  {
    of: ['traces'],
    file: 'packages/interceptor/src/outgoing/obtain-span.ts',
    find: '.filter((one) => trace.getSpan(one)?.isRecording())',
    put: '',
    fails: {
      file: 'packages/interceptor/src/outgoing/obtain-span.test.ts',
      title: 'carries the request that others travel in, and is linked from theirs',
    },
  },
  {
    of: ['traces'],
    file: applied,
    find: ' || !choice.hasSpan(ROOT_CONTEXT)',
    put: '',
    fails: {
      file: appliedTest,
      title: 'makes none where a ratio says that what the mesh does by itself begins no trace',
    },
  },
  {
    of: ['traces'],
    file: 'packages/interceptor/src/incoming/decision-span.ts',
    find: "if (rule.public || rule.class === 'critical') ",
    put: 'if (rule.public) ',
    fails: {
      file: 'packages/interceptor/src/incoming/decision-span.test.ts',
      title: 'says %s',
      case: 'that it is critical, and its scope',
    },
  },
  {
    of: ['traces'],
    file: 'services/token-exchange/src/revocation/publish-span.ts',
    find: '{ kind: SpanKind.PRODUCER, links }',
    put: '{ kind: SpanKind.PRODUCER }',
    fails: { file: tracesTest, title: 'is one for those that share an event, and linked to the calls that are not its own' },
  },
  {
    of: ['traces'],
    file: 'services/token-exchange/src/doors/feed-service.ts',
    find: 'write({ event: compact, traceparent })',
    put: 'write({ event: compact })',
    fails: {
      file: 'services/token-exchange/src/service.test.ts',
      title: 'tells verifiers on gRPC streams which span published a revocation',
    },
  },
  {
    of: ['traces'],
    file: 'packages/revocation/src/nats/publisher.ts',
    find: '(headers && { headers })',
    put: '(headers && {})',
    fails: {
      file: 'test/three-hops-are-one-trace.test.ts',
      title: 'is linked from the span of every verifier that applies it to the span that published it, in the trace of who revoked',
    },
  },
  {
    of: ['traces'],
    file: outgoingCall,
    find: 'propagation.inject(this.#active, metadata, metadataSetter);',
    put: 'if (this.#span?.isRecording()) propagation.inject(this.#active, metadata, metadataSetter);',
    fails: { file: sampledOutTest, title: 'tells every hop of a trace that is sampled out so, and records nothing' },
  },
  {
    of: ['traces'],
    file: tracedCall,
    find: 'if (span.isRecording()) this.#span = span;',
    put: 'this.#span = span;',
    fails: {
      file: 'packages/interceptor/src/incoming/guarded-call.test.ts',
      title: 'has no attribute, event or link computed when it is sampled out',
    },
  },
  {
    of: ['traces'],
    file: tracedCall,
    find: 'values[0] === undefined ? undefined : String(values[0])',
    put: 'values.map(String)',
    fails: { file: sampledOutTest, title: 'adds no trace state and no baggage that nobody sent' },
  },
  {
    of: ['traces'],
    file: tracing,
    find: 'within.getValue(leftOutKey) === undefined && ',
    put: '',
    fails: { file: ratioTest, title: 'is decided on where it comes in, and not again for what its handler calls: with %s' },
  },
  {
    of: ['traces'],
    file: tracing,
    find: ' && random() < traceRatio',
    put: '',
    fails: { file: ratioTest, title: 'has no span, no header and no context when it is not chosen, at no hop' },
  },
  {
    of: ['traces'],
    file: tracing,
    find: '(parent.traceFlags & TraceFlags.SAMPLED) !== 0',
    put: 'true',
    fails: { file: ratioTest, title: 'has no span when it is not sampled, whatever the chance, and its context travels as it is' },
  },
  {
    of: ['traces'],
    file: tracing,
    find: 'if (parent && isSpanContextValid(parent))',
    put: 'if (parent)',
    fails: { file: ratioTest, title: 'begins one within a span that nobody made' },
  },
  {
    of: ['traces'],
    file: outgoingCall,
    find: 'isEmpty(within) ? nextCall(options) : new TracedCall(options, nextCall, within, undefined)',
    put: 'nextCall(options)',
    fails: { file: ratioTest, title: 'carries its baggage to every hop all the same' },
  },
  {
    of: ['traces'],
    file: tracedCall,
    find: 'return context.active() === this.#active;',
    put: 'return this.#active === ROOT_CONTEXT;',
    fails: { file: ratioTest, title: 'reaches its handler in an empty context, whatever the one was in which it came' },
  },
  {
    of: ['traces'],
    file: 'packages/interceptor/src/mesh/compose-mesh.ts',
    find: 'traceRatio === undefined ? {} : { traceRatio: 0 }',
    put: '{}',
    fails: { file: ratioTest, title: 'has none by 0, of its exchanges neither' },
  },
  {
    of: ['traces'],
    file: 'packages/interceptor/src/mesh/compose-mesh.ts',
    find: '        ...{ traceRatio, random },\n',
    put: '',
    fails: { file: ratioTest, title: 'has none by 0, of its exchanges neither' },
  },
  {
    of: ['traces'],
    file: httpSpan,
    find: "route ?? 'REDACTED'",
    put: 'c.req.path',
    fails: { file: httpSpanTest, title: 'holds nothing that a caller wrote: no query, no header, no path and no method that there is not' },
  },
  {
    of: ['traces'],
    file: httpSpan,
    find: "methods.has(c.req.method) ? c.req.method : '_OTHER'",
    put: 'c.req.method',
    fails: { file: httpSpanTest, title: 'holds nothing that a caller wrote: no query, no header, no path and no method that there is not' },
  },
  {
    of: ['traces'],
    file: httpSpan,
    find: 'status >= 500',
    put: 'status >= 400',
    fails: { file: httpSpanTest, title: 'is an error when the server failed and not when the client did: %i', case: '499' },
  },
  {
    of: ['traces'],
    file: httpSpan,
    find: 'await context.with(trace.setSpan(parent, span), next);',
    put: 'await next();',
    fails: { file: 'test/three-hops-are-one-trace.test.ts', title: 'is a server span in the trace of who asked, with what was decided' },
  },
  {
    of: ['traces'],
    file: 'services/token-exchange/src/revocation/outbox.ts',
    find: 'traceparent = traced.get(n)',
    put: 'traceparent',
    fails: {
      file: tracesTest,
      title: 'goes with an event that the courier takes on a later attempt, so that verifiers are linked to who asked for it',
    },
  },
  {
    of: ['traces'],
    file: httpSpan,
    find: "'http.route': route",
    put: "'http.target': route",
    fails: { file: 'test/semantic-conventions.test.ts', title: "names each attribute of OpenTelemetry's that spans have, and no other" },
  },
  {
    of: ['traces'],
    file: grant,
    find: 'trace.getActiveSpan()?.setAttribute(attribute.introspectionActive, response.active === true);',
    put: '',
    fails: { file: 'test/semantic-conventions.test.ts', title: 'has no name that nothing in the code writes: %s', case: 'spanAttributes' },
  },
  {
    of: ['traces'],
    file: 'packages/interceptor/src/outgoing/exchange-client.ts',
    find: 'tracingClientInterceptor(options.tracing)',
    put: 'tracingClientInterceptor()',
    fails: { file: ratioTest, title: "a workload's own call to token-exchange has %s, though nobody answers it", case: 'none by 0' },
  },
  {
    of: ['traces'],
    file: 'packages/interceptor/src/incoming/server-interceptor.ts',
    find: 'alsoTrust.length > 0',
    put: 'false',
    fails: { file: tracingTest, title: 'says whose token it was where several issuers count' },
  },
  {
    of: ['traces'],
    file: 'packages/interceptor/src/incoming/decision-span.ts',
    find: 'tokenIdHash(claims.jti)',
    put: 'tokenIdHash(claims.sub)',
    fails: {
      file: 'packages/interceptor/src/incoming/decision-span.test.ts',
      title: 'names each token by a hash of its own, the second time as the first',
    },
  },
  {
    of: ['traces'],
    file: tracing,
    find: 'if (known.size >= mostRemembered) known.clear();',
    put: '',
    fails: { file: tracingTest, title: 'leave nothing in memory of more than a thousand methods or addresses' },
  },
  {
    of: ['traces'],
    file: 'packages/interceptor/src/incoming/decision-span.ts',
    find: 'if (!isCached) ',
    put: '',
    fails: {
      file: tracingTest,
      title: 'has nothing of what is as usual: a token that was verified before, bound to nothing, of who calls, and fresh revocations',
    },
  },
  {
    of: ['traces'],
    file: 'packages/interceptor/src/incoming/decision-span.ts',
    find: '  span.addEvent(spanEvents.decision);\n',
    put: '',
    fails: {
      file: withoutSdkTest,
      title: 'a call is one trace with its decision, by whatever tracer, context manager and propagator are registered',
    },
  },
  {
    of: ['traces'],
    file: 'packages/interceptor/src/incoming/traced-call.ts',
    find: 'propagation.extract(ROOT_CONTEXT, metadata, metadataGetter)',
    put: 'ROOT_CONTEXT',
    fails: { file: withoutSdkTest, title: 'so is one that is refused' },
  },
];
