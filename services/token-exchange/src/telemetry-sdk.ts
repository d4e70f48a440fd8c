import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { OTLPMetricExporter } from '@opentelemetry/exporter-metrics-otlp-grpc';
import { PrometheusExporter } from '@opentelemetry/exporter-prometheus';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-grpc';
import { type IMetricReader, PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics';
import { NodeSDK } from '@opentelemetry/sdk-node';
import { ConfigError } from './config/config-problem.ts';
import type { MetricsExporter, Telemetry } from './telemetry.ts';

/** Without a collector that answers the SDK would take seven seconds to give up. */
const shutdownTimeoutMs = 2000;

export interface TelemetrySdkOptions {
  readonly serviceName: string;
  /** Whether spans are exported, by OTLP. */
  readonly isTraced: boolean;
  readonly exporters: ReadonlySet<MetricsExporter>;
  /** Where exporters send to, or listen. */
  readonly env: NodeJS.ProcessEnv;
}

/**
 * Starts the OpenTelemetry SDK: a file of its own, for its some three hundred modules are a third of what a start loads, and only some processes export anything.
 *
 * @throws {ConfigError} The port for Prometheus is none, or cannot be had.
 */
export async function startTelemetrySdk({ serviceName, isTraced, exporters, env }: TelemetrySdkOptions): Promise<Telemetry> {
  const readers: IMetricReader[] = [];
  if (exporters.has('otlp')) readers.push(periodicReader(env));
  const prometheus = exporters.has('prometheus') ? await startPrometheus(env) : undefined;
  if (prometheus) readers.push(prometheus.reader);
  const sdk = new NodeSDK({
    serviceName,
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
