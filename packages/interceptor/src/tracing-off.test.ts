import type { InterceptorOptions, NextCall, ServerInterceptingCallInterface, ServerMethodDefinition } from '@grpc/grpc-js';
import { propagation, type TextMapPropagator, type TracerProvider, trace } from '@opentelemetry/api';
import { shop } from '@tokenmesh/proto/shop';
import { afterEach, expect, it } from 'vitest';
import { tracingServerInterceptor } from './incoming/traced-call.ts';
import { tracingClientInterceptor } from './outgoing/traced-call.ts';

afterEach(() => {
  trace.disable();
  propagation.disable();
});

const method = shop.Orders.service.Get;
// the casts hold as far as the interceptors look before a call is started
const incoming = {} as ServerInterceptingCallInterface;
const outgoing = {} as ReturnType<NextCall>;
const serve = () => tracingServerInterceptor()(method as ServerMethodDefinition<unknown, unknown>, incoming);
const call = () => tracingClientInterceptor()({ method_definition: method } as unknown as InterceptorOptions, () => outgoing);

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
