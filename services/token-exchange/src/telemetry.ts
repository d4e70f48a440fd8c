import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { OTLPMetricExporter } from '@opentelemetry/exporter-metrics-otlp-grpc';
import { PrometheusExporter } from '@opentelemetry/exporter-prometheus';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-grpc';
import { type IMetricReader, PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics';
import { NodeSDK } from '@opentelemetry/sdk-node';
import { ConfigError } from './config/config-problem.ts';

/** Without a collector that answers the SDK would take seven seconds to give up. */
const shutdownTimeoutMs = 2000;

/** What of this process is seen elsewhere. */
export interface Telemetry {
  /** Where metrics can be scraped, `http://host:port/metrics`; absent: nowhere. */
  readonly metricsUrl?: string;
  /** Sends what is left; gives up after 2 s. */
  close(): Promise<void>;
}

/**
 * Exports traces and metrics by OTLP over gRPC where an endpoint is set for them, and shows metrics to Prometheus where `OTEL_METRICS_EXPORTER` names `prometheus`; else
 * nothing is started, and neither costs anything. To be called before what is measured is made.
 *
 * `OTEL_METRICS_EXPORTER` is a list of `otlp`, `prometheus` and `none`; default `otlp` when `OTEL_EXPORTER_OTLP_ENDPOINT` or the one for metrics is set, else `none`.
 * `OTEL_TRACES_EXPORTER` is `otlp`, likewise, or `none`. The endpoint for Prometheus is `OTEL_EXPORTER_PROMETHEUS_HOST` (default 127.0.0.1) and
 * `OTEL_EXPORTER_PROMETHEUS_PORT` (default 9464; 0 chooses). It has no TLS and asks nobody who he is. `OTEL_SDK_DISABLED=true` switches everything off.
 *
 * @param serviceName Unless OTEL_SERVICE_NAME says otherwise.
 * @throws {ConfigError} OTEL_METRICS_EXPORTER or the port is something else, or the port cannot be had.
 */
export async function startTelemetry(serviceName: string): Promise<Telemetry> {
  const { env } = process;
  if (env.OTEL_SDK_DISABLED?.trim().toLowerCase() === 'true') return { close: async () => {} };
  const exporters = metricsExporters(env);
  const isTraced = env.OTEL_TRACES_EXPORTER !== 'none' && hasEndpoint(env, 'TRACES');
  if (!isTraced && exporters.size === 0) return { close: async () => {} };
  const readers: IMetricReader[] = [];
  if (exporters.has('otlp')) readers.push(periodicReader(env));
  const prometheus = exporters.has('prometheus') ? await startPrometheus(env) : undefined;
  if (prometheus) readers.push(prometheus.reader);
  const sdk = new NodeSDK({
    serviceName: env.OTEL_SERVICE_NAME ?? serviceName,
    ...(isTraced ? { traceExporter: new OTLPTraceExporter() } : { spanProcessors: [] }),
    instrumentations: [],
    metricReaders: readers,
    logRecordProcessors: [],
  });
  sdk.start();
  return {
    ...(prometheus && { metricsUrl: prometheus.url }),
    async close() {
      const timer = new AbortController();
      const late = delay(shutdownTimeoutMs, undefined, { signal: timer.signal }).catch(() => undefined);
      await Promise.race([sdk.shutdown().catch(() => undefined), late]);
      timer.abort();
      prometheus?.close();
    },
  };
}

function hasEndpoint(env: NodeJS.ProcessEnv, signal: 'TRACES' | 'METRICS'): boolean {
  return Boolean(env.OTEL_EXPORTER_OTLP_ENDPOINT || env[`OTEL_EXPORTER_OTLP_${signal}_ENDPOINT`]);
}

function metricsExporters(env: NodeJS.ProcessEnv): ReadonlySet<'otlp' | 'prometheus'> {
  const named = (env.OTEL_METRICS_EXPORTER ?? '').split(',').map((one) => one.trim());
  const wanted = named.filter((one) => one !== '' && one !== 'none');
  const unknown = wanted.find((one) => one !== 'otlp' && one !== 'prometheus');
  if (unknown !== undefined) throw new ConfigError([`OTEL_METRICS_EXPORTER: "${unknown}", expected otlp, prometheus or none`]);
  if (named.includes('none')) return new Set();
  if (wanted.length === 0) return new Set(hasEndpoint(env, 'METRICS') ? ['otlp'] : []);
  return new Set(wanted as ('otlp' | 'prometheus')[]); // all others were refused above
}

function periodicReader(env: NodeJS.ProcessEnv): PeriodicExportingMetricReader {
  const exportIntervalMillis = Number(env.OTEL_METRIC_EXPORT_INTERVAL) || 60_000;
  return new PeriodicExportingMetricReader({
    exporter: new OTLPMetricExporter(),
    exportIntervalMillis,
    exportTimeoutMillis: Math.min(Number(env.OTEL_METRIC_EXPORT_TIMEOUT) || 30_000, exportIntervalMillis),
  });
}

/** A server of our own: the exporter's cannot choose a port, and says nothing when it cannot have one. */
async function startPrometheus(env: NodeJS.ProcessEnv) {
  const host = env.OTEL_EXPORTER_PROMETHEUS_HOST || '127.0.0.1';
  const port = Number(env.OTEL_EXPORTER_PROMETHEUS_PORT || 9464);
  if (!(Number.isInteger(port) && port >= 0 && port <= 65_535)) throw new ConfigError(['OTEL_EXPORTER_PROMETHEUS_PORT is not a port']);
  const reader = new PrometheusExporter({ preventServerStart: true });
  const server = createServer((request, response) => {
    if (request.url === '/metrics' && request.method === 'GET') return reader.getMetricsRequestHandler(request, response);
    response.writeHead(404).end();
  });
  const url = await listen(server, port, host);
  const close = () => {
    server.close();
    server.closeAllConnections();
  };
  return { reader, url, close };
}

async function listen(server: Server, port: number, host: string): Promise<string> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', ({ message }) => reject(new ConfigError([`OTEL_EXPORTER_PROMETHEUS_PORT: ${message}`])));
    server.listen(port, host, resolve);
  });
  server.unref();
  // the cast holds: it listens on a port, not on a pipe
  const { port: bound } = server.address() as AddressInfo;
  return `http://${host.includes(':') ? `[${host}]` : host}:${bound}/metrics`;
}
