import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-grpc';
import { NodeSDK } from '@opentelemetry/sdk-node';

/** Tracing of this process, until it is shut down. */
export interface Telemetry {
  /** Sends what is left; gives up after 2 s, because the exporter would wait longer for a collector that is not there. */
  shutdown(): Promise<void>;
}

const shutdownLimitMs = 2_000;

/**
 * Starts OpenTelemetry with traces over OTLP/gRPC. Without an endpoint nothing is recorded.
 *
 * @param endpoint `http://host:port` without TLS, `https://` with. Default: `OTEL_EXPORTER_OTLP_ENDPOINT`. The other `OTEL_*` variables work as
 *   everywhere.
 */
export function startTelemetry(serviceName: string, endpoint = process.env.OTEL_EXPORTER_OTLP_ENDPOINT): Telemetry {
  if (!endpoint) return { shutdown: async () => {} };
  const sdk = new NodeSDK({
    serviceName,
    traceExporter: new OTLPTraceExporter({ url: endpoint }),
    // Left out, the SDK would start exporters of its own for both.
    metricReaders: [],
    logRecordProcessors: [],
  });
  sdk.start();
  return {
    shutdown: () =>
      Promise.race([sdk.shutdown().catch(() => {}), new Promise<void>((resolve) => setTimeout(resolve, shutdownLimitMs).unref())]),
  };
}
