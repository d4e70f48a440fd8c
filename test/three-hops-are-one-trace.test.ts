import { context, trace } from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-grpc';
import { NodeSDK } from '@opentelemetry/sdk-node';
import { unary } from '@tokenmesh/interceptor';
import { shop as services } from '@tokenmesh/proto/shop';
import { address, type Shop, type Span, spiffeId, startShop } from '@tokenmesh/shop/demo';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { tokensIn } from './tokens-in.ts';

let shop: Shop;
let sdk: NodeSDK;

beforeAll(async () => {
  shop = await startShop({ nats: false });
  process.env.OTEL_BSP_SCHEDULE_DELAY = '200'; // the default of 5 s is long for a test
  sdk = new NodeSDK({
    serviceName: 'customer',
    traceExporter: new OTLPTraceExporter({ url: shop.otlpEndpoint }),
    metricReaders: [],
    logRecordProcessors: [],
  });
  sdk.start();
});

afterAll(async () => {
  await sdk.shutdown();
  await shop.close();
});

/** Runs a call inside a span of its own and returns its trace as soon as it satisfies `enough`. */
async function traceOf(call: () => Promise<unknown>, enough: (spans: readonly Span[]) => boolean): Promise<readonly Span[]> {
  const span = trace.getTracer('test').startSpan('customer');
  const traceId = span.spanContext().traceId;
  await context.with(trace.setSpan(context.active(), span), call).finally(() => span.end());
  return shop.otlp?.trace(traceId, enough) ?? [];
}

const has = (spans: readonly Span[], service: string, kind: Span['kind'], name: string) =>
  spans.some((span) => span.service === service && span.kind === kind && span.name === name);

const exchangesIn = (spans: readonly Span[]) => spans.filter((span) => span.service === 'token-exchange' && span.kind === 'server');

describe('a call of three hops', () => {
  it('is one trace with the client and server span of every hop and of every exchange', async () => {
    const customer = await shop.mesh('customer');
    const gateway = new services.Gateway(address(shop.gateway), customer.channelCredentials(), customer.client(spiffeId('gateway')));
    const expected = [
      ['customer', 'client', 'shop.v1.Gateway/PlaceOrder'],
      ['gateway', 'server', 'shop.v1.Gateway/PlaceOrder'],
      ['gateway', 'client', 'tokenmesh.v1.TokenExchange/ExchangeToken'],
      ['gateway', 'client', 'shop.v1.Orders/Create'],
      ['orders', 'server', 'shop.v1.Orders/Create'],
      ['orders', 'client', 'tokenmesh.v1.TokenExchange/ExchangeToken'],
      ['orders', 'client', 'shop.v1.Payments/Charge'],
      ['payments', 'server', 'shop.v1.Payments/Charge'],
      ['token-exchange', 'server', 'tokenmesh.v1.TokenExchange/ExchangeToken'],
    ] as const;
    const spans = await traceOf(
      async () => {
        const { chain } = await unary(gateway, 'placeOrder', { item: 'tea', quantity: 1 }, { deadline: Date.now() + 5_000 });
        expect(chain).toEqual(['customer', 'orders', 'gateway'].map(spiffeId));
      },
      (received) =>
        received.some((span) => span.parentSpanId === '') &&
        expected.every(([service, kind, name]) => has(received, service, kind, name)) &&
        exchangesIn(received).length >= 2,
    );
    const ids = new Set(spans.map((span) => span.spanId));
    expect(spans.filter((span) => !ids.has(span.parentSpanId)).map((span) => span.name)).toEqual(['customer']);
    expect(exchangesIn(spans)).toHaveLength(2);
    expect(tokensIn(JSON.stringify(spans))).toEqual([]);
    gateway.close();
  });

  it('has a server span with status and reason where it is refused', async () => {
    const customer = await shop.mesh('customer');
    // a token for gateway, shown to payments
    const payments = new services.Payments(address(shop.payments), customer.channelCredentials(), customer.client(spiffeId('gateway')));
    const spans = await traceOf(
      () => expect(unary(payments, 'charge', { order_id: 'o', amount_cents: 1 }, { deadline: Date.now() + 5_000 })).rejects.toThrow(),
      (received) => has(received, 'payments', 'server', 'shop.v1.Payments/Charge'),
    );
    const refused = spans.find((span) => span.service === 'payments');
    expect(refused?.attributes).toMatchObject({
      'rpc.status_code': 'UNAUTHENTICATED',
      'tokenmesh.decision': 'refuse',
      'tokenmesh.reason': 'AUDIENCE_MISMATCH',
    });
    payments.close();
  });
});
