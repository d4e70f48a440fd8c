import { Server, ServerCredentials, type ServiceDefinition } from '@grpc/grpc-js';
import { context, createNoopMeter, metrics, propagation, trace } from '@opentelemetry/api';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ConfigError } from './config/config-problem.ts';
import { startTelemetry, type Telemetry } from './telemetry.ts';

let started: Telemetry[];
let before: NodeJS.ProcessEnv;

beforeEach(() => {
  before = { ...process.env };
  started = [];
});

afterEach(async () => {
  await Promise.all(started.map((telemetry) => telemetry.close()));
  for (const api of [context, metrics, propagation, trace]) api.disable();
  process.env = before;
});

async function start(env: NodeJS.ProcessEnv): Promise<Telemetry> {
  Object.assign(process.env, env);
  const telemetry = await startTelemetry('token-exchange');
  started.push(telemetry);
  return telemetry;
}

const isMeasured = () => metrics.getMeter('test') !== createNoopMeter();
const prometheus = { OTEL_METRICS_EXPORTER: 'prometheus', OTEL_EXPORTER_PROMETHEUS_PORT: '0' };

/** A collector's service for metrics, as far as a test needs it: it keeps the bytes that come. */
async function startCollector() {
  const exports: string[] = [];
  const bytes = { requestSerialize: same, requestDeserialize: same, responseSerialize: same, responseDeserialize: same };
  const path = '/opentelemetry.proto.collector.metrics.v1.MetricsService/Export';
  const service: ServiceDefinition = { Export: { path, requestStream: false, responseStream: false, ...bytes } };
  const server = new Server();
  server.addService(service, {
    Export(call: { request: Buffer }, callback: (error: null, response: Buffer) => void) {
      exports.push(call.request.toString('latin1'));
      callback(null, Buffer.alloc(0));
    },
  });
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) => (error ? reject(error) : resolve(bound)));
  });
  return { exports, endpoint: `http://127.0.0.1:${port}`, close: () => server.forceShutdown() };
}

function same(value: Buffer): Buffer {
  return value;
}

describe('telemetry', () => {
  it.each([{}, { OTEL_METRICS_EXPORTER: 'none' }, { ...prometheus, OTEL_SDK_DISABLED: 'true' }])('is not started by %j', async (env) => {
    expect((await start(env)).metricsUrl).toBeUndefined();
    expect(isMeasured()).toBe(false);
  });

  it('shows metrics to Prometheus on loopback, under one path and until it is closed', async () => {
    const { metricsUrl, close } = await start(prometheus);
    expect(metricsUrl).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/metrics$/);
    metrics.getMeter('test').createCounter('tokenmesh.test').add(2);
    const scraped = await fetch(metricsUrl ?? '');
    expect(await scraped.text()).toMatch(/^tokenmesh_test_total\{.*\} 2$/m);
    expect((await fetch(new URL('/', metricsUrl))).status).toBe(404);
    await close();
    await expect(fetch(metricsUrl ?? '')).rejects.toThrow();
  });

  it('shows what is beyond the series that are kept of a metric in one that the alert MetricOverflow finds', async () => {
    const { metricsUrl = '' } = await start(prometheus);
    const counter = metrics.getMeter('test').createCounter('tokenmesh.test');
    for (let workload = 0; workload < 2_100; workload++) counter.add(1, { 'tokenmesh.workload': `spiffe://shop.test/${workload}` });
    const series = (await (await fetch(metricsUrl)).text()).split('\n').filter((line) => line.startsWith('tokenmesh_test_total{'));
    expect([series.length, series.filter((line) => line.includes('otel_metric_overflow="true"')).length]).toEqual([2_000, 1]);
  });

  it('sends metrics to a collector where there is an endpoint and nothing else is asked for, the last ones when it is closed', async () => {
    const collector = await startCollector();
    const { metricsUrl, close } = await start({ OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: collector.endpoint });
    expect(metricsUrl).toBeUndefined();
    metrics.getMeter('test').createCounter('tokenmesh.test').add(1);
    await close();
    expect(collector.exports.join()).toContain('tokenmesh.test');
    collector.close();
  });

  it('does both when both are asked for', async () => {
    const collector = await startCollector();
    const both = { ...prometheus, OTEL_METRICS_EXPORTER: 'otlp, prometheus', OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: collector.endpoint };
    const { metricsUrl, close } = await start(both);
    metrics.getMeter('test').createCounter('tokenmesh.test').add(1);
    expect(await (await fetch(metricsUrl ?? '')).text()).toContain('tokenmesh_test_total');
    await close();
    expect(collector.exports.join()).toContain('tokenmesh.test');
    collector.close();
  });

  it('sends no metrics where only traces have an endpoint', async () => {
    await start({ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://127.0.0.1:1' });
    expect(isMeasured()).toBe(false);
  });

  it('says what is wrong instead of starting without metrics that were asked for', async () => {
    await expect(start({ OTEL_METRICS_EXPORTER: 'promtheus' })).rejects.toThrow(ConfigError);
    await expect(start({ ...prometheus, OTEL_EXPORTER_PROMETHEUS_PORT: '94640' })).rejects.toThrow(ConfigError);
    const { metricsUrl = '' } = await start(prometheus);
    await expect(start({ ...prometheus, OTEL_EXPORTER_PROMETHEUS_PORT: new URL(metricsUrl).port })).rejects.toThrow(/EADDRINUSE/);
  });
});
