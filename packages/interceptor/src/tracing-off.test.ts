import {
  type InterceptorOptions,
  Metadata,
  type NextCall,
  type ServerInterceptingCallInterface,
  type ServerMethodDefinition,
} from '@grpc/grpc-js';
import {
  type ContextManager,
  context,
  propagation,
  ROOT_CONTEXT,
  type TextMapPropagator,
  TraceFlags,
  type TracerProvider,
  trace,
} from '@opentelemetry/api';
import { shop } from '@tokenmesh/proto/shop';
import { afterEach, expect, it } from 'vitest';
import { tracingServerInterceptor } from './incoming/traced-call.ts';
import { tracingClientInterceptor } from './outgoing/traced-call.ts';

afterEach(() => {
  trace.disable();
  propagation.disable();
  context.disable();
});

const method = shop.Orders.service.Get;
// the casts hold as far as the interceptors look before a call is started
const incoming = {} as ServerInterceptingCallInterface;
const outgoing = {} as ReturnType<NextCall>;
const serve = () => tracingServerInterceptor()(method as ServerMethodDefinition<unknown, unknown>, incoming);
const options = { method_definition: method } as unknown as InterceptorOptions;
const call = () => tracingClientInterceptor()(options, () => outgoing);
const manager: ContextManager = {
  active: () => ROOT_CONTEXT,
  with: (_, run, self, ...args) => run.call(self, ...args),
  bind: (_, target) => target,
  enable: () => manager,
  disable: () => manager,
};

it('hands calls on as they are while nobody traces', () => {
  expect(serve()).toBe(incoming);
  expect(call()).toBe(outgoing);
});

it('traces from the next call on when an SDK is registered later', () => {
  const provider: TracerProvider = { getTracer: () => trace.getTracer('none') };
  trace.setGlobalTracerProvider(provider);
  expect(serve()).not.toBe(incoming);
  expect(call()).not.toBe(outgoing);
});

it('passes the context of a trace on where there is a propagator and no SDK', () => {
  const propagator: TextMapPropagator = { inject: () => {}, extract: (context) => context, fields: () => ['traceparent'] };
  propagation.setGlobalPropagator(propagator);
  expect(serve()).not.toBe(incoming);
  expect(call()).not.toBe(outgoing);
});

it.each([undefined, 0, 1])(
  'passes the context of a trace on as it is where there is no SDK, sampled or not: by a ratio of %s',
  (traceRatio) => {
    const [traceId, spanId] = ['0af7651916cd43dd8448eb211c80319c', 'b7ad6b7169203331'];
    const carriedWith = (traceFlags: TraceFlags) => {
      const active = trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId, traceFlags, isRemote: true });
      context.disable();
      context.setGlobalContextManager({ ...manager, active: () => active });
      const metadata = new Metadata();
      const started = tracingClientInterceptor({ traceRatio })(options, () => ({ ...outgoing, start: () => {} }));
      started.start(metadata);
      return metadata.getMap();
    };
    propagation.setGlobalPropagator({
      inject: (within, carrier, setter) => setter.set(carrier, 'traceparent', trace.getSpanContext(within)?.spanId ?? ''),
      extract: (within) => within,
      fields: () => ['traceparent'],
    });
    expect(carriedWith(TraceFlags.SAMPLED)).toEqual({ traceparent: spanId });
    expect(carriedWith(TraceFlags.NONE)).toEqual({ traceparent: spanId });
  },
);
