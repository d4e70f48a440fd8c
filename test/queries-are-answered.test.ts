import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { Client } from '@grpc/grpc-js';
import { type Mesh, unary } from '@tokenmesh/interceptor';
import { tokenmesh } from '@tokenmesh/proto';
import { shop as services } from '@tokenmesh/proto/shop';
import { address, type ManagedProcess, type Shop, spiffeId, startShop } from '@tokenmesh/shop/demo';
import { importSigningKey, signClientAssertion } from '@tokenmesh/token';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fetchFromFacade, withFacade } from './facade-of-shop.ts';
import { allQueries, type Query, readDashboards, readRules, runbookQueries } from './mesh-queries.ts';
import { query, startPrometheus } from './prometheus-server.ts';

const prometheusPath = process.env.TOKENMESH_PROMETHEUS;
const issuer = 'https://token-exchange.shop.test';
const deadline = () => Date.now() + 5_000;
/** What a mesh shows only while something is broken. */
const ofTroubleWith = { courier: /tokenmesh_problems/, tokenExchange: /tokenmesh_calls_stale/ };

describe.skipIf(!prometheusPath)('a real Prometheus that scrapes the sample mesh', () => {
  let shop: Shop;
  let prometheus: ManagedProcess;
  let facade: typeof fetch;
  let customer: Mesh;
  let gateway: InstanceType<typeof services.Gateway>;
  let admin: InstanceType<typeof tokenmesh.Admin>;
  const order = () => unary(gateway, 'placeOrder', { item: 'tea', quantity: 1 }, { deadline: deadline() });
  const revoke = () => unary(admin, 'addRevocation', { targets: [{ kind: 'subject', value: randomUUID() }] }, { deadline: deadline() });

  beforeAll(async () => {
    shop = await startShop({
      env: { OTEL_METRICS_EXPORTER: 'prometheus', OTEL_EXPORTER_PROMETHEUS_PORT: '0', OTEL_TRACES_EXPORTER: 'none' },
      workloads: ['greedy'],
      grants: [{ from: spiffeId('customer'), to: spiffeId('orders'), scopes: ['orders.read'], delegation: false, refresh: true }],
      settings: { ...withFacade, revocation: { stale_after: '2s' }, limits: { per_workload: 20, burst: 40 } },
    });
    facade = fetchFromFacade(shop, 'customer');
    const jobs = { 'token-exchange': [shop.tokenExchange], shop: [shop.gateway, shop.orders, shop.payments] };
    prometheus = await startPrometheus({ path: prometheusPath ?? '', directory: shop.directory, jobs });
    const operator = await shop.mesh('operator');
    admin = new tokenmesh.Admin(address(shop.tokenExchange), operator.channelCredentials(), operator.client(spiffeId('token-exchange')));
    customer = await shop.mesh('customer');
    gateway = gatewayFor(customer);
    await prometheus.ready();
  });

  afterAll(async () => {
    for (const client of [admin, gateway]) client?.close();
    await prometheus?.stop();
    await shop?.close();
  });

  it('answers every query of a dashboard, a rule or a runbook, and none that asks for what is not there', async () => {
    const noSuchMetric: Query = { expr: 'sum(tokenmesh_no_such_metric)', labels: [] };
    const noSuchLabel: Query = { expr: 'sum by (job) (up)', labels: ['no_such_label'] };
    const wrong = [noSuchMetric, noSuchLabel];
    const queries = [...allQueries(readDashboards(), readRules()), ...runbookQueries()];
    const inTrouble = (one: Query) => Object.values(ofTroubleWith).some((trouble) => trouble.test(one.expr));
    const answered = new Set<Query>();
    /** Does something until all of these were answered; a round takes less than a second, and a few are enough. */
    const actUntilAnswered = async (asked: readonly Query[], act: () => Promise<unknown>) => {
      for (let round = 0; round < 40 && asked.some((one) => !answered.has(one)); round++) {
        await act();
        await delay(200);
        for (const one of [...asked, ...wrong]) if (!answered.has(one) && (await isAnswered(one))) answered.add(one);
      }
    };

    await actUntilAnswered(
      queries.filter((one) => !inTrouble(one)),
      useTheMesh,
    );
    await shop.nats?.kill();
    await actUntilAnswered(
      queries.filter(({ expr }) => ofTroubleWith.courier.test(expr)),
      revoke,
    );
    await shop.tokenExchange.kill();
    await actUntilAnswered(
      queries.filter(({ expr }) => ofTroubleWith.tokenExchange.test(expr)),
      () => order().catch(() => undefined), // orders has no token for this one, and cannot get it
    );
    const unanswered = queries.filter((one) => !answered.has(one)).map(({ expr }) => expr);
    expect({ unanswered, wrong: wrong.filter((one) => answered.has(one)) }).toEqual({ unanswered: [], wrong: [] });
  });

  /** There is a number in the answer, and every label that the legend names. */
  async function isAnswered({ expr, labels }: Query): Promise<boolean> {
    const samples = (await query(prometheus, expr)).filter(({ value }) => !Number.isNaN(value));
    return samples.length > 0 && labels.every((label) => samples.some(({ metric }) => metric[label]));
  }

  function gatewayFor(mesh: Mesh) {
    return new services.Gateway(address(shop.gateway), mesh.channelCredentials(), mesh.client(spiffeId('gateway')));
  }

  /** A bit of everything: orders, a new token with its chain, refusals of each kind, a revocation. */
  async function useTheMesh(): Promise<void> {
    await Promise.all(Array.from({ length: 64 }, order));
    await orderAnew();
    await orderWithoutToken();
    await revoke();
    const tooMany = Array.from({ length: 50 }, () => ask('greedy', { grant_type: 'client_credentials', audience: spiffeId('gateway') }));
    await Promise.all(tooMany);
    const { refresh_token = '' } = await ask('customer', { grant_type: 'client_credentials', audience: spiffeId('orders') });
    await ask('customer', { grant_type: 'refresh_token', refresh_token });
    await ask('customer', { grant_type: 'refresh_token', refresh_token, scope: 'orders.read' }); // differs, or it would be a retry
  }

  /** With a token that nobody has verified. */
  async function orderAnew(): Promise<void> {
    const client = gatewayFor(await shop.mesh('customer'));
    await unary(client, 'placeOrder', { item: 'tea', quantity: 1 }, { deadline: deadline() });
    client.close();
  }

  async function orderWithoutToken(): Promise<void> {
    const bare = new Client(address(shop.gateway), customer.channelCredentials());
    const same = (bytes: Buffer) => bytes;
    for (const path of ['/grpc.health.v1.Health/Check', '/shop.v1.Gateway/PlaceOrder']) {
      await new Promise((resolve) => bare.makeUnaryRequest(path, same, same, Buffer.alloc(0), { deadline: deadline() }, resolve));
    }
    bare.close();
  }

  /** Asks token-exchange for a token; a refusal is an answer without one. */
  async function ask(workload: string, parameters: Readonly<Record<string, string>>): Promise<{ refresh_token?: string }> {
    const key = importSigningKey(readFileSync(shop.workloads.get(workload)?.keyFile ?? ''));
    const clientId = spiffeId(workload);
    const body = new URLSearchParams({
      ...parameters,
      client_id: clientId,
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      client_assertion: signClientAssertion({ clientId, audience: issuer, key, now: Date.now, newId: randomUUID }),
    });
    const response = await facade(`${issuer}/token`, { method: 'POST', body });
    return (await response.json()) as { refresh_token?: string }; // RFC 6749 section 5.1
  }
});
