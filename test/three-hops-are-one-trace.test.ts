import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { context, propagation, trace } from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-grpc';
import { NodeSDK } from '@opentelemetry/sdk-node';
import { spanAttributes, spanEvents, unary } from '@tokenmesh/interceptor';
import { tokenmesh } from '@tokenmesh/proto';
import { shop as services } from '@tokenmesh/proto/shop';
import { address, type ManagedProcess, type Shop, type Span, spiffeId, startShop } from '@tokenmesh/shop/demo';
import { importSigningKey, signClientAssertion } from '@tokenmesh/token';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fetchFromFacade, withFacade } from './facade-of-shop.ts';
import { tokensIn } from './tokens-in.ts';

let shop: Shop;
let sdk: NodeSDK;

beforeAll(async () => {
  shop = await startShop({ settings: withFacade });
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

const named = (spans: readonly Span[], service: string, name: string) =>
  spans.find((span) => span.service === service && span.name === name);

const attributesOf = (span: Span | undefined): Readonly<Record<string, unknown>> => span?.attributes ?? {};

const exchangesIn = (spans: readonly Span[]) => spans.filter((span) => span.service === 'token-exchange' && span.kind === 'server');

/** Fails unless the log of a process has a line with this event for each of the spans. */
async function expectLogged({ output }: ManagedProcess, event: string, spans: readonly (Span | undefined)[]): Promise<void> {
  const logged = () => {
    const lines = output.stdout.split('\n').filter((line) => line.startsWith('{'));
    return lines.map((line) => JSON.parse(line) as Readonly<Record<string, unknown>>).filter((line) => line.event === event);
  };
  for (const span of spans) {
    await expect
      .poll(logged)
      .toContainEqual(expect.objectContaining({ trace_id: span?.traceId, span_id: span?.spanId, trace_flags: '01' }));
  }
}

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
    await expectLogged(shop.tokenExchange, 'token.issued', exchangesIn(spans));
    expect(tokensIn(JSON.stringify(spans))).toEqual([]);

    const hops = ['gateway', 'orders', 'payments'].map((service) =>
      spans.find((span) => span.service === service && span.kind === 'server'),
    );
    for (const [depth, hop] of hops.entries()) {
      expect(attributesOf(hop)).toMatchObject({
        'tokenmesh.decision': 'admitted',
        'tokenmesh.token.audience': spiffeId(hop?.service ?? ''),
        'tokenmesh.token.id_hash': expect.stringMatching(/^[0-9a-f]{16}$/),
        'tokenmesh.token.kid': expect.any(String),
        'tokenmesh.cache.hit': false,
        'tokenmesh.revocation.age': expect.any(Number),
      });
      expect(hop?.attributes['tokenmesh.delegation.depth']).toBe(depth === 0 ? undefined : depth);
      expect(hop?.events).toEqual([{ name: 'tokenmesh.decision', attributes: {} }]);
    }
    // what was issued is what was admitted at the next hop
    const tokensOf = (of: readonly (Span | undefined)[]) => of.map((span) => String(span?.attributes['tokenmesh.token.id_hash'])).sort();
    expect(tokensOf(exchangesIn(spans))).toEqual(tokensOf(hops.slice(1)));
    for (const exchange of exchangesIn(spans)) {
      expect(attributesOf(exchange)).toMatchObject({
        'tokenmesh.grant.outcome': 'issued',
        'tokenmesh.grant.type': 'urn:ietf:params:oauth:grant-type:token-exchange',
        'tokenmesh.grant.rule': expect.any(String),
      });
    }
    expect(named(spans, 'gateway', 'tokenmesh.token.obtain')?.attributes).toMatchObject({ 'tokenmesh.token.audience': spiffeId('orders') });
    expect(unknownNames(spans)).toEqual([]);
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
      'tokenmesh.decision': 'refused',
      'tokenmesh.reason': 'AUDIENCE_MISMATCH',
    });
    expect(refused?.events).toEqual([{ name: 'tokenmesh.decision', attributes: {} }]);
    // nothing of a token that was not verified
    expect(Object.keys(refused?.attributes ?? {}).filter((name) => name.startsWith('tokenmesh.token.'))).toEqual([]);
    await expectLogged(shop.payments, 'call.refused', [refused]);
    payments.close();
  });

  it('shows the refusal of an exchange at token-exchange, at the one who asked, and in the call that failed for it', async () => {
    const customer = await shop.mesh('customer');
    const refused = (spans: readonly Span[]) =>
      spans.filter((span) => span.attributes['tokenmesh.reason'] === 'TARGET_REFUSED').map(({ service, name }) => `${service} ${name}`);
    const expected = [
      'customer shop.v1.Payments/Charge',
      'customer tokenmesh.token.obtain',
      'token-exchange tokenmesh.v1.TokenExchange/ExchangeToken',
    ];
    const spans = await traceOf(
      async () => {
        // a customer has no grant for payments
        const options = customer.client(spiffeId('payments'));
        const payments = new services.Payments(address(shop.payments), customer.channelCredentials(), options);
        await expect(unary(payments, 'charge', { order_id: 'o', amount_cents: 1 }, { deadline: Date.now() + 5_000 })).rejects.toThrow();
        payments.close();
      },
      (received) => expected.every((one) => refused(received).includes(one)),
    );
    const exchange = named(spans, 'token-exchange', 'tokenmesh.v1.TokenExchange/ExchangeToken');
    expect(exchange?.attributes).toMatchObject({ 'tokenmesh.decision': 'admitted', 'tokenmesh.grant.outcome': 'refused' });
    await expectLogged(shop.tokenExchange, 'call.refused', [exchange]);
  });
});

describe('a request over HTTP', () => {
  const issuer = 'https://token-exchange.shop.test';

  /** Asks for a token for `audience`, as an OAuth client of the customer's. */
  async function requestToken(audience: string): Promise<number> {
    const [clientId, key] = [spiffeId('customer'), importSigningKey(readFileSync(shop.workloads.get('customer')?.keyFile ?? ''))];
    const client_assertion = signClientAssertion({ clientId, audience: issuer, key, now: Date.now, newId: randomUUID });
    const client_assertion_type = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';
    const body = new URLSearchParams({ grant_type: 'client_credentials', audience, client_assertion_type, client_assertion });
    const headers: Record<string, string> = {};
    propagation.inject(context.active(), headers);
    return (await fetchFromFacade(shop, 'customer')(`${issuer}/token?unheard=of`, { method: 'POST', headers, body })).status;
  }
  const traceOfRequest = async (audience: string, status: number) => {
    const [request, ...others] = await traceOf(
      async () => expect(await requestToken(audience)).toBe(status),
      (received) => has(received, 'token-exchange', 'server', 'POST /token'),
    ).then((spans) => spans.filter(({ service }) => service === 'token-exchange'));
    expect(others).toEqual([]);
    return request;
  };

  it('is a server span in the trace of who asked, with what was decided', async () => {
    const request = await traceOfRequest(spiffeId('gateway'), 200);
    expect(request).toMatchObject({ kind: 'server', status: 'unset' });
    expect(attributesOf(request)).toEqual({
      'http.request.method': 'POST',
      'http.route': '/token',
      'url.path': '/token',
      'url.scheme': 'https',
      'server.address': expect.any(String),
      'server.port': expect.any(Number),
      'http.response.status_code': 200,
      'tokenmesh.grant.outcome': 'issued',
      'tokenmesh.grant.type': 'client_credentials',
      'tokenmesh.grant.rule': expect.any(String),
      'tokenmesh.client_id': spiffeId('customer'),
      'tokenmesh.token.audience': spiffeId('gateway'),
      'tokenmesh.token.id_hash': expect.stringMatching(/^[0-9a-f]{16}$/),
      'tokenmesh.delegation.depth': 0,
    });
    await expectLogged(shop.tokenExchange, 'token.issued', [request]);
  });

  it('says why it was refused', async () => {
    const request = await traceOfRequest(spiffeId('payments'), 400);
    expect(attributesOf(request)).toMatchObject({
      'http.response.status_code': 400,
      'tokenmesh.grant.outcome': 'refused',
      'tokenmesh.reason': 'TARGET_REFUSED',
    });
    expect(Object.keys(attributesOf(request)).filter((name) => /^tokenmesh\.(token\.|client_id)/.test(name))).toEqual([]);
    await expectLogged(shop.tokenExchange, 'call.refused', [request]);
  });
});

describe('a revocation', () => {
  it('is linked from the span of every verifier that applies it to the span that published it, in the trace of who revoked', async () => {
    const operator = await shop.mesh('operator');
    const admin = new tokenmesh.Admin(
      address(shop.tokenExchange),
      operator.channelCredentials(),
      operator.client(spiffeId('token-exchange')),
    );
    const applied = (published: Span | undefined) =>
      (shop.otlp?.spans ?? []).filter(
        ({ name, links }) => name === 'tokenmesh.revocation.apply' && links.some(({ spanId }) => spanId === published?.spanId),
      );
    const services = ['gateway', 'orders', 'payments'];
    const spans = await traceOf(
      () => unary(admin, 'addRevocation', { targets: [{ kind: 'subject', value: 'nobody' }] }, { deadline: Date.now() + 5_000 }),
      (received) => {
        const applying = applied(named(received, 'token-exchange', 'tokenmesh.revocation.publish'));
        return services.every((service) => applying.some((span) => span.service === service));
      },
    );
    const published = named(spans, 'token-exchange', 'tokenmesh.revocation.publish');
    const revoked = named(spans, 'token-exchange', 'tokenmesh.v1.Admin/AddRevocation');
    expect(published).toMatchObject({
      kind: 'producer',
      parentSpanId: revoked?.spanId,
      attributes: {
        'tokenmesh.revocation.broadcast': 'sent',
        'tokenmesh.revocation.kinds': ['subject'],
        'tokenmesh.revocation.targets': 1,
      },
    });
    const position = published?.attributes['tokenmesh.revocation.position'];
    for (const span of applied(published)) {
      expect(span).toMatchObject({ kind: 'consumer', parentSpanId: '', links: [{ traceId: published?.traceId }] });
      expect(span.traceId).not.toBe(published?.traceId);
      expect(span.attributes).toMatchObject({
        'tokenmesh.revocation.path': shop.nats ? 'nats' : 'grpc',
        'tokenmesh.revocation.position': position,
      });
    }
    const all = shop.otlp?.spans ?? [];
    expect([unknownNames(all), tokensIn(JSON.stringify(all))]).toEqual([[], []]);
    admin.close();
  });
});

/** Names of the mesh's own that are not among those that are documented. */
function unknownNames(spans: readonly Span[]): string[] {
  const documented = new Set<string>([...Object.values(spanAttributes), ...Object.values(spanEvents)]);
  const used = spans.flatMap(({ attributes, events }) => [
    ...Object.keys(attributes),
    ...events.flatMap((event) => [event.name, ...Object.keys(event.attributes)]),
  ]);
  return used.filter((name) => name.startsWith('tokenmesh.') && !documented.has(name));
}
