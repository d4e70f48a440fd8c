import { readFileSync } from 'node:fs';
import { Client } from '@grpc/grpc-js';
import { type Mesh, unary } from '@tokenmesh/interceptor';
import { tokenmesh } from '@tokenmesh/proto';
import { shop as services } from '@tokenmesh/proto/shop';
import { address, type ManagedProcess, type Shop, spiffeId, startShop } from '@tokenmesh/shop/demo';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { documentedMetrics, type Metric, scrape, scrapeUntil } from './scraped-metrics.ts';

const page = readFileSync(new URL('../docs/reference/metrics.md', import.meta.url), 'utf8');
const deadline = () => Date.now() + 5_000;
const env = { OTEL_METRICS_EXPORTER: 'prometheus', OTEL_EXPORTER_PROMETHEUS_PORT: '0' };

/** What everything that is documented takes to happen once: an order, refusals, a revocation, a courier and an issuer that go away. */
describe('metrics', () => {
  let shop: Shop;
  let customer: Mesh;
  let operator: Mesh;
  let admin: InstanceType<typeof tokenmesh.Admin>;
  let gateway: InstanceType<typeof services.Gateway>;
  /** By process, as they were before it went away, and at the end. */
  const scraped = new Map<string, readonly Metric[]>();

  const order = () => unary(gateway, 'placeOrder', { item: 'tea', quantity: 1 }, { deadline: deadline() });
  const suspendOrders = () => unary(admin, 'suspendWorkload', { client_id: spiffeId('orders') }, { deadline: deadline() });
  const revoke = () => unary(admin, 'addRevocation', { targets: [{ kind: 'subject', value: 'nobody' }] }, { deadline: deadline() });
  const all = () => [...scraped.values()].flat();
  const of = (service: ManagedProcess, name: string): Metric => {
    const found = scraped.get(service.name)?.find((metric) => metric.name === name);
    if (!found) throw new Error(`${service.name} shows no ${name}`);
    return found;
  };

  beforeAll(async () => {
    shop = await startShop({ env, settings: { revocation: { stale_after: '2s' } } });
    customer = await shop.mesh('customer');
    operator = await shop.mesh('operator');
    admin = new tokenmesh.Admin(address(shop.tokenExchange), operator.channelCredentials(), operator.client(spiffeId('token-exchange')));
    gateway = new services.Gateway(address(shop.gateway), customer.channelCredentials(), customer.client(spiffeId('gateway')));
    await order();
    await order();
    await withoutToken(shop, customer);
    await refusedToken(shop, customer);
    await scrapeUntil(shop.tokenExchange, 'tokenmesh_verifiers', ({ value }) => value === 1);
    const { acknowledgement } = await suspendOrders();
    await scrapeUntil(shop.orders, 'tokenmesh_revocation_position', ({ value }) => value === acknowledgement?.n);
    await expect(order()).rejects.toThrow(); // orders gets no token any more
    scraped.set(shop.orders.name, await scrape(shop.orders));

    await shop.nats?.kill();
    await revoke();
    await scrapeUntil(shop.tokenExchange, 'tokenmesh_problems_total', ({ value }) => value > 0);
    scraped.set(shop.tokenExchange.name, await scrape(shop.tokenExchange));
    await shop.tokenExchange.kill();
    await scrapeUntil(shop.gateway, 'tokenmesh_revocation_freshness_state', ({ value, labels }) => value === 1 && isStale(labels));
    await expect(order()).rejects.toThrow();
    scraped.set(shop.gateway.name, await scrape(shop.gateway));
  });

  afterAll(async () => {
    for (const client of [admin, gateway]) client?.close();
    await shop?.close();
  });

  it('shows what docs/reference/metrics.md lists, with these types, units and attributes, and nothing else', () => {
    const shown = all().filter(({ name }) => name.startsWith('tokenmesh_'));
    const merged = new Map(shown.map((metric) => [metric.name, { ...metric, labels: new Set<string>() }]));
    for (const { name, series } of shown)
      for (const { labels } of series) for (const label of Object.keys(labels)) merged.get(name)?.labels.add(label);
    const lines = [...merged.values()].map(({ name, type, unit, labels }) => ({ name, type, unit, labels: [...labels].sort() }));
    expect(lines.sort(byName)).toEqual([...documentedMetrics(page)].sort(byName));
  });

  it('names units beside the name and not in it, as the exporter does', () => {
    const names = all().map(({ name }) => name);
    expect(names).toContain('tokenmesh_token_age');
    expect(names.filter((name) => /_(seconds|milliseconds|ratio)(_|$)/.test(name))).toEqual([]);
  });

  it('counts calls by how they were decided, and those that need no token apart', () => {
    expect(of(shop.gateway, 'tokenmesh_calls_decided_total').valueOf({ tokenmesh_outcome: 'verified' })).toBe(1);
    expect(of(shop.gateway, 'tokenmesh_calls_decided_total').valueOf({ tokenmesh_outcome: 'cached' })).toBe(3);
    const refused = { tokenmesh_outcome: 'refused', tokenmesh_reason: 'CREDENTIAL_MISSING' };
    expect(of(shop.gateway, 'tokenmesh_calls_decided_total').valueOf(refused)).toBe(1);
    expect(of(shop.gateway, 'tokenmesh_calls_exempt_total').valueOf({ rpc_method: 'grpc.health.v1.Health/Check' })).toBe(1);
    const tolerated = { rpc_method: 'shop.v1.Gateway/PlaceOrder', tokenmesh_stale_decision: 'tolerated' };
    expect(of(shop.gateway, 'tokenmesh_calls_stale_total').valueOf(tolerated)).toBe(1);
  });

  it('counts tokens by workload and audience, issued and refused', () => {
    const asked = { tokenmesh_workload: spiffeId('customer'), tokenmesh_audience: spiffeId('gateway') };
    expect(of(shop.tokenExchange, 'tokenmesh_tokens_issued_total').valueOf({ ...asked, tokenmesh_grant_type: 'client_credentials' })).toBe(
      1,
    );
    const refused = {
      tokenmesh_workload: spiffeId('customer'),
      tokenmesh_audience: spiffeId('payments'),
      tokenmesh_reason: 'TARGET_REFUSED',
    };
    expect(of(shop.tokenExchange, 'tokenmesh_tokens_refused_total').valueOf(refused)).toBe(1);
  });

  it('shows that the courier went away, and what was not handed to it', () => {
    expect(of(shop.tokenExchange, 'tokenmesh_courier_connected').valueOf({ tokenmesh_courier: 'nats' })).toBe(0);
    const count = of(shop.tokenExchange, 'tokenmesh_courier_publish_duration');
    expect(count.valueOf({ tokenmesh_courier: 'nats', tokenmesh_outcome: 'taken' })).toBe(1);
    expect(count.valueOf({ tokenmesh_courier: 'nats', tokenmesh_outcome: 'failed' })).toBeGreaterThanOrEqual(1);
    expect(of(shop.tokenExchange, 'tokenmesh_revocations_total').valueOf({ tokenmesh_revocation_kind: 'subject' })).toBe(2);
    expect(of(shop.tokenExchange, 'tokenmesh_revocation_log_position').valueOf({})).toBe(2);
  });
});

const isStale = (labels: Readonly<Record<string, string>>) => labels.tokenmesh_revocation_state === 'stale';
const byName = (a: { readonly name: string }, b: { readonly name: string }) => (a.name < b.name ? -1 : 1);

/** A call that needs no token, and one that has none. */
async function withoutToken(shop: Shop, mesh: Mesh): Promise<void> {
  const bare = new Client(address(shop.gateway), mesh.channelCredentials());
  const call = (path: string) =>
    new Promise<string>((resolve) => {
      const same = (bytes: Buffer) => bytes;
      bare.makeUnaryRequest(path, same, same, Buffer.alloc(0), { deadline: deadline() }, (error) => resolve(error?.details ?? 'OK'));
    });
  expect(await call('/grpc.health.v1.Health/Check')).toBe('OK');
  expect(await call('/shop.v1.Gateway/PlaceOrder')).not.toBe('OK');
  bare.close();
}

/** A call for which there is no token: its caller has no grant. */
async function refusedToken(shop: Shop, mesh: Mesh): Promise<void> {
  const payments = new services.Payments(address(shop.payments), mesh.channelCredentials(), mesh.client(spiffeId('payments')));
  await expect(unary(payments, 'charge', {}, { deadline: deadline() })).rejects.toThrow();
  payments.close();
}
