import { metrics } from '@opentelemetry/api';
import { PrometheusExporter, PrometheusSerializer } from '@opentelemetry/exporter-prometheus';
import { MeterProvider } from '@opentelemetry/sdk-metrics';
import type { FeedPublisher } from '@tokenmesh/revocation';
import { TokenError } from '@tokenmesh/token';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { AuditedRefusal } from '../audit/audit.ts';
import { auditOperations } from '../audit/audit-operations.ts';
import { createOperations, type OperatedIssuer } from '../grants/operations.ts';
import type { StoredKey } from '../record/key-records.ts';
import {
  authenticate,
  createTestIssuer,
  createTestLog,
  exchangeRequest,
  gateway,
  grants,
  introspectRequest,
  orders,
  payments,
  type TestIssuer,
} from '../testing.ts';
import { measuredPublisher } from './measured-publisher.ts';
import { measuredStore } from './measured-store.ts';
import { observeIssuer } from './observe-issuer.ts';
import { createOperationMetrics } from './operation-metrics.ts';
import { createRevocationMetrics } from './revocation-metrics.ts';

let reader: PrometheusExporter;
let issuer: TestIssuer;

beforeEach(async () => {
  reader = new PrometheusExporter({ preventServerStart: true });
  metrics.setGlobalMeterProvider(new MeterProvider({ readers: [reader] }));
  issuer = await createTestIssuer();
});

afterEach(async () => {
  await issuer.close();
  metrics.disable();
});

/** The series of one metric, as Prometheus would read them: without the name, sorted; of a histogram the counts. */
async function series(name: string): Promise<readonly string[]> {
  const { resourceMetrics, errors } = await reader.collect();
  expect(errors).toEqual([]);
  const lines = new PrometheusSerializer('', false, undefined, true, true).serialize(resourceMetrics).split('\n');
  return lines
    .filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `))
    .map((line) => line.slice(name.length))
    .sort();
}

/** What both doors offer, measured as the server has it. */
function measuredOperations() {
  const { config, keys } = issuer;
  const live: OperatedIssuer & { readonly config: { readonly grants: typeof grants } } = {
    ...{ keys, config: { ...config, development: false, grants } },
    run: (work) => work(issuer),
  };
  const measured = createOperationMetrics();
  const refused = (refusal: AuditedRefusal) => measured.refused(refusal);
  return measured.measure(auditOperations(createOperations(live, createTestLog(), measured.issued), live, { refused }));
}

describe('requests of clients', () => {
  const credentials = 'client_credentials';

  it('are counted by workload, audience and what became of them', async () => {
    const operations = measuredOperations();
    const ask = (client: string) =>
      operations.exchange(exchangeRequest({ ...authenticate(client, issuer.now), grant_type: credentials, audience: orders }));
    await ask(gateway);
    await ask(gateway);
    await expect(ask(payments)).rejects.toThrow(TokenError);
    expect(await series('tokenmesh_tokens_issued_total')).toEqual([
      `{tokenmesh_workload="${gateway}",tokenmesh_audience="${orders}",tokenmesh_grant_type="client_credentials"} 2`,
    ]);
    expect(await series('tokenmesh_tokens_refused_total')).toEqual([
      `{tokenmesh_workload="${payments}",tokenmesh_audience="${orders}",tokenmesh_reason="TARGET_REFUSED"} 1`,
    ]);
    expect(await series('tokenmesh_exchange_server_duration_count')).toEqual([
      '{tokenmesh_operation="exchange",error_type="TARGET_REFUSED"} 1',
      '{tokenmesh_operation="exchange"} 2',
    ]);
  });

  it('make no time series of their own when their workload and audience are unknown, however many they are', async () => {
    const operations = measuredOperations();
    for (let n = 0; n < 10_000; n++) {
      const request = exchangeRequest({
        client_id: `spiffe://shop.test/unknown-${n}`,
        grant_type: credentials,
        audience: `spiffe://shop.test/to-${n}`,
      });
      await operations.exchange(request).catch(() => undefined);
    }
    expect(await series('tokenmesh_tokens_refused_total')).toEqual([
      '{tokenmesh_workload="other",tokenmesh_audience="other",tokenmesh_reason="CLIENT_AUTHENTICATION_FAILED"} 10000',
    ]);
    expect(await series('tokenmesh_exchange_server_duration_count')).toHaveLength(1);
  });

  it('are counted one by one when several come in one message', async () => {
    const operations = measuredOperations();
    const requests = [orders, gateway].map((audience) => exchangeRequest({ grant_type: credentials, audience }));
    await operations.exchangeSeveral({ ...authenticate(gateway, issuer.now), requests });
    expect(await series('tokenmesh_tokens_issued_total')).toHaveLength(1);
    expect(await series('tokenmesh_tokens_refused_total')).toHaveLength(1);
    expect(await series('tokenmesh_exchange_server_duration_count')).toEqual(['{tokenmesh_operation="exchange"} 1']);
  });

  it('for something else than a token are no refused tokens', async () => {
    const operations = measuredOperations();
    await expect(operations.introspect(introspectRequest({ client_id: gateway, token: 'none' }))).rejects.toThrow(TokenError);
    expect(await series('tokenmesh_tokens_refused_total')).toEqual([]);
    expect(await series('tokenmesh_exchange_server_duration_count')).toEqual([
      '{tokenmesh_operation="introspect",error_type="CLIENT_AUTHENTICATION_FAILED"} 1',
    ]);
  });
});

it('times the transactions of the record, those that are undone apart', async () => {
  const store = measuredStore(issuer.store);
  await store.transaction(async () => 'done');
  await expect(store.transaction(() => Promise.reject(new Error('no')))).rejects.toThrow('no');
  expect(await series('tokenmesh_store_transaction_duration_count')).toEqual([
    '{tokenmesh_outcome="committed"} 1',
    '{tokenmesh_outcome="undone"} 1',
  ]);
  expect(await store.keysVersion()).toBe(await issuer.store.keysVersion());
});

it('shows whether the courier is connected, and what it took and did not take', async () => {
  let isConnected = true;
  const publisher: FeedPublisher = {
    name: 'nats',
    get isConnected() {
      return isConnected;
    },
    publishEvent: async () => {
      if (!isConnected) throw new Error('away');
    },
    publishCheckpoint() {},
    close: async () => {},
  };
  const measured = measuredPublisher(publisher);
  const event = { epoch: 'e', n: 1, compact: '' };
  await measured.publishEvent(event);
  expect(await series('tokenmesh_courier_connected')).toEqual(['{tokenmesh_courier="nats"} 1']);
  isConnected = false;
  await expect(measured.publishEvent(event)).rejects.toThrow('away');
  expect(await series('tokenmesh_courier_connected')).toEqual(['{tokenmesh_courier="nats"} 0']);
  expect(await series('tokenmesh_courier_publish_duration_count')).toEqual([
    '{tokenmesh_courier="nats",tokenmesh_outcome="failed"} 1',
    '{tokenmesh_courier="nats",tokenmesh_outcome="taken"} 1',
  ]);
});

it('counts what is revoked and found, from 0', async () => {
  const { revoked, found } = createRevocationMetrics();
  expect(await series('tokenmesh_stream_findings_total')).toContain('{tokenmesh_finding="rewound"} 0');
  found({ kind: 'rewound', what: {} });
  revoked([
    { kind: 'subject', value: gateway, exp: 1 },
    { kind: 'subject', value: orders, exp: 1 },
  ]);
  expect(await series('tokenmesh_stream_findings_total')).toContain('{tokenmesh_finding="rewound"} 1');
  expect(await series('tokenmesh_revocations_total')).toContain('{tokenmesh_revocation_kind="subject"} 2');
  expect(await series('tokenmesh_revocations_total')).toContain('{tokenmesh_revocation_kind="key"} 0');
});

it('shows how many keys are in each state, and for how long the active ones have signed', async () => {
  const stop = observeIssuer({ keys: issuer.keys, view: issuer.revocations.view, reports: { list: () => [] }, now: issuer.now });
  issuer.clock.nowMs += 90_000;
  const states = await series('tokenmesh_keys');
  expect(states).toHaveLength(10);
  expect(states).toContain('{tokenmesh_key_purpose="feed",tokenmesh_key_state="active"} 1');
  expect(states).toContain('{tokenmesh_key_purpose="token",tokenmesh_key_state="published"} 0');
  expect(await series('tokenmesh_key_age')).toEqual(['{tokenmesh_key_purpose="feed"} 90', '{tokenmesh_key_purpose="token"} 90']);
  stop();
});

it('shows how far the last verifier of each workload is behind, and 0 once it has gone', async () => {
  const states: StoredKey[] = [];
  const report = { fresh_at_ms: 0, path: 'nats', kids: [], version: '1', reportedAtMs: 0, table: undefined };
  let listed = [
    { ...report, clientId: orders, instance: 'a', n: 4 },
    { ...report, clientId: orders, instance: 'b', n: 1 },
    { ...report, clientId: payments, instance: 'c', n: 7 },
  ];
  const view = { freshness: () => ({ state: 'fresh' as const, freshAtMs: 0, ageMs: 0, epoch: 'e', n: 5, path: 'record' }) };
  observeIssuer({ keys: { states: () => states }, view, reports: { list: () => listed }, now: issuer.now });
  expect(await series('tokenmesh_revocation_log_position')).toEqual([' 5']);
  expect(await series('tokenmesh_verifiers')).toEqual([`{tokenmesh_workload="${orders}"} 2`, `{tokenmesh_workload="${payments}"} 1`]);
  expect(await series('tokenmesh_verifiers_lag')).toEqual([`{tokenmesh_workload="${orders}"} 4`, `{tokenmesh_workload="${payments}"} 0`]);
  listed = [];
  expect(await series('tokenmesh_verifiers')).toEqual([`{tokenmesh_workload="${orders}"} 0`, `{tokenmesh_workload="${payments}"} 0`]);
  expect(await series('tokenmesh_verifiers_lag')).toEqual([`{tokenmesh_workload="${orders}"} 0`, `{tokenmesh_workload="${payments}"} 0`]);
});

it('stands in nobody’s way while no SDK is registered', async () => {
  metrics.disable();
  expect(measuredStore(issuer.store)).toBe(issuer.store);
  const { measure } = createOperationMetrics();
  const operations = measuredOperations();
  expect(measure(operations)).toBe(operations);
});
