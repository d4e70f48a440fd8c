import { context, type Span, trace } from '@opentelemetry/api';
import { NodeSDK } from '@opentelemetry/sdk-node';
import { InMemorySpanExporter, type ReadableSpan, SimpleSpanProcessor } from '@opentelemetry/sdk-trace';
import { TokenError } from '@tokenmesh/token';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { orders } from '../test-issuer.ts';
import type { TracingOptions } from '../tracing.ts';
import { togetherInOneTurn } from './together-in-one-turn.ts';
import { createTokenSource, type IssuedToken, type TokenSource } from './token-source.ts';

const exporter = new InMemorySpanExporter();
const sdk = new NodeSDK({ spanProcessors: [new SimpleSpanProcessor({ exporter })], metricReaders: [], logRecordProcessors: [] });
beforeAll(() => sdk.start());
afterAll(() => sdk.shutdown());

let source: TokenSource;
let asked: { readonly span: Span | undefined; readonly answer: PromiseWithResolvers<IssuedToken> }[];
let nowMs: number;

beforeEach(() => {
  exporter.reset();
  [asked, nowMs] = [[], 1_000_000];
  source = createSource();
});

function createSource(tracing: TracingOptions = {}): TokenSource {
  return createTokenSource({
    exchange() {
      const answer = Promise.withResolvers<IssuedToken>();
      asked.push({ span: trace.getActiveSpan(), answer });
      return answer.promise;
    },
    tracing,
    now: () => nowMs,
    random: () => 0.5,
  });
}

const token: IssuedToken = { accessToken: 'opaque', tokenType: 'Bearer', expiresInSeconds: 300 };
const idOf = (span: Pick<Span, 'spanContext'> | undefined) => span?.spanContext().spanId;

/** Runs as a call does, inside a span of its own. */
function inCall<T>(work: () => T): { readonly span: Span & ReadableSpan; readonly result: T } {
  const span = trace.getTracer('test').startSpan('call') as Span & ReadableSpan; // the SDK's spans are readable
  return { span, result: context.with(trace.setSpan(context.active(), span), work) };
}

const get = () => inCall(() => source.get({ audience: orders }));
/** The exchanges' spans, once there are so many: the SDK exports the first ones late. */
async function obtained(count: number): Promise<readonly ReadableSpan[]> {
  const all = () => exporter.getFinishedSpans().filter(({ name }) => name === 'tokenmesh.token.obtain');
  await expect.poll(all).toHaveLength(count);
  return all();
}

describe('the span of an exchange', () => {
  it('is a child of the call that began it, has the exchange inside, and is linked from those that wait for it', async () => {
    const [first, second, third] = [get(), get(), get()];
    asked[0]?.answer.resolve(token);
    await Promise.all([first.result, second.result, third.result]);
    const spans = await obtained(1);
    expect(spans).toMatchObject([
      {
        parentSpanContext: { spanId: idOf(first.span) },
        attributes: {
          'tokenmesh.token.audience': orders,
          'tokenmesh.obtain.cause': 'first',
          'tokenmesh.obtain.waiters': 3,
          'tokenmesh.grant.type': 'client_credentials',
        },
      },
    ]);
    const exchange = spans[0]?.spanContext().spanId;
    expect(idOf(asked[0]?.span)).toBe(exchange);
    expect([first, second, third].map(({ span }) => span.links.map(({ context: to }) => to.spanId))).toEqual([[], [exchange], [exchange]]);
    expect(second.span.links[0]?.attributes).toEqual({ 'tokenmesh.obtain.shared': true });
  });

  it('is not linked from calls that go on with the token that they have', async () => {
    const first = get();
    asked[0]?.answer.resolve(token);
    await first.result;
    nowMs += 200_000;
    const [refreshing, warm] = [get(), get()];
    asked[1]?.answer.resolve(token);
    const [, refresh] = await obtained(2);
    expect(refresh?.attributes).toMatchObject({ 'tokenmesh.obtain.cause': 'refresh', 'tokenmesh.obtain.waiters': 1 });
    expect(refresh?.parentSpanContext?.spanId).toBe(idOf(refreshing.span));
    expect(warm.span.links).toEqual([]);
  });

  it('belongs to the call that the source is told of, and not to what is active', async () => {
    const calls = Array.from({ length: 4 }, () => inCall(() => context.active()));
    const [first, waiting, refreshing, failing] = calls.map(({ result }) => ({ get: () => source.get({ audience: orders }, result) }));
    const answers = inCall(() => [first?.get(), waiting?.get()]);
    asked[0]?.answer.resolve(token);
    await Promise.all(answers.result);
    nowMs += 200_000;
    inCall(() => refreshing?.get());
    asked[1]?.answer.reject(new TokenError('TARGET_REFUSED', 'no grant'));
    const [exchange, refresh] = await obtained(2);
    nowMs += 100_000;
    const again = failing?.get();
    asked[2]?.answer.reject(new TokenError('TARGET_REFUSED', 'no grant'));
    await expect(again).rejects.toThrow('no grant');
    expect(() => failing?.get()).toThrow('no grant');
    const [, , failed] = await obtained(3);
    expect([exchange, refresh, failed].map((span) => span?.parentSpanContext?.spanId)).toEqual(
      [0, 2, 3].map((at) => idOf(calls[at]?.span)),
    );
    expect(calls.map(({ span }) => span.links.map(({ context: to }) => to.spanId))).toEqual([[], [idOf(exchange)], [], [idOf(failed)]]);
    expect(answers.span.links).toEqual([]);
  });

  it('says why there is no token, and is linked from the calls that fail for it while that is remembered', async () => {
    const first = get();
    asked[0]?.answer.reject(new TokenError('TARGET_REFUSED', 'no grant'));
    await expect(first.result).rejects.toThrow();
    const spans = await obtained(1);
    expect(spans).toMatchObject([{ attributes: { 'tokenmesh.reason': 'TARGET_REFUSED' }, status: { message: 'TARGET_REFUSED' } }]);
    const later = inCall(() => expect(() => source.get({ audience: orders })).toThrow('no grant'));
    expect(later.span.links.map(({ context: to }) => to.spanId)).toEqual([spans[0]?.spanContext().spanId]);
    expect(asked).toHaveLength(1);
  });

  it('is a child of the first recorded call that waits, where the one that began it is in no trace', async () => {
    source = createSource({ traceRatio: 0 });
    const began = source.get({ audience: orders });
    const [first, second] = [get(), get()];
    asked[0]?.answer.resolve(token);
    await Promise.all([began, first.result, second.result]);
    const [exchange, ...none] = await obtained(1);
    expect(none).toEqual([]);
    expect(exchange?.parentSpanContext?.spanId).toBe(idOf(first.span));
    expect(exchange?.attributes).toMatchObject({ 'tokenmesh.obtain.waiters': 3 });
    expect([first, second].map(({ span }) => span.links.map(({ context: to }) => to.spanId))).toEqual([[], [idOf(exchange)]]);
    expect(asked.map(({ span }) => span)).toEqual([undefined]);
  });

  it('says why there is no token to who waited, where the call that began it is in no trace', async () => {
    source = createSource({ traceRatio: 0 });
    const began = source.get({ audience: orders });
    const waiting = get();
    asked[0]?.answer.reject(new TokenError('TARGET_REFUSED', 'no grant'));
    await expect(Promise.all([began, waiting.result])).rejects.toThrow();
    expect(await obtained(1)).toMatchObject([{ attributes: { 'tokenmesh.reason': 'TARGET_REFUSED' } }]);
  });

  it('carries the request that others travel in, and is linked from theirs', async () => {
    let carrying: Span | undefined;
    const exchange = togetherInOneTurn<string, string>({
      max: 32,
      one: () => Promise.reject(new Error('not alone')),
      async several(requests) {
        carrying = trace.getActiveSpan();
        return requests;
      },
    });
    const outside = exchange('in no trace'); // the request belongs to the first that is in one
    const calls = ['a', 'b', 'c'].map((name) => inCall(() => exchange(name)));
    expect(await Promise.all([outside, ...calls.map(({ result }) => result)])).toEqual(['in no trace', 'a', 'b', 'c']);
    const [first, ...others] = calls.map(({ span }) => span);
    expect(idOf(carrying)).toBe(idOf(first));
    expect(others.map(({ links }) => links.map(({ context: to }) => to.spanId))).toEqual([[idOf(first)], [idOf(first)]]);
  });
});
