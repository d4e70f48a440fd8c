import { ConfigError } from './config/config-problem.ts';

/** Whom metrics go to. */
export type MetricsExporter = 'otlp' | 'prometheus';

/** What of this process is seen elsewhere. */
export interface Telemetry {
  /** Where metrics can be scraped, `http://host:port/metrics`; absent: nowhere. */
  readonly metricsUrl?: string;
  /** Sends what is left; gives up after 2 s. */
  close(): Promise<void>;
}

/**
 * Exports traces and metrics by OTLP over gRPC where an endpoint is set for them, and shows metrics to Prometheus where `OTEL_METRICS_EXPORTER` names `prometheus`; else
 * nothing is started or loaded, and neither costs anything. To be called before what is measured is made.
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
  const { startTelemetrySdk } = await import('./telemetry-sdk.ts');
  return await startTelemetrySdk({ serviceName: env.OTEL_SERVICE_NAME ?? serviceName, isTraced, exporters, env });
}

function hasEndpoint(env: NodeJS.ProcessEnv, signal: 'TRACES' | 'METRICS'): boolean {
  return Boolean(env.OTEL_EXPORTER_OTLP_ENDPOINT || env[`OTEL_EXPORTER_OTLP_${signal}_ENDPOINT`]);
}

function metricsExporters(env: NodeJS.ProcessEnv): ReadonlySet<MetricsExporter> {
  const named = (env.OTEL_METRICS_EXPORTER ?? '').split(',').map((one) => one.trim());
  const wanted = named.filter((one) => one !== '' && one !== 'none');
  const unknown = wanted.find((one) => one !== 'otlp' && one !== 'prometheus');
  if (unknown !== undefined) throw new ConfigError([`OTEL_METRICS_EXPORTER: "${unknown}", expected otlp, prometheus or none`]);
  if (named.includes('none')) return new Set();
  if (wanted.length === 0) return new Set(hasEndpoint(env, 'METRICS') ? ['otlp'] : []);
  return new Set(wanted as MetricsExporter[]); // all others were refused above
}
