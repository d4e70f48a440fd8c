import { setTimeout as delay } from 'node:timers/promises';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-grpc';
import { NodeSDK } from '@opentelemetry/sdk-node';

/** Without a collector that answers the SDK would take seven seconds to give up. */
const shutdownTimeoutMs = 2000;

/**
 * Exports traces by OTLP over gRPC when OTEL_EXPORTER_OTLP_ENDPOINT (or the one for traces) is set; else nothing is started and spans cost
 * nothing.
 *
 * @param serviceName Unless OTEL_SERVICE_NAME says otherwise.
 */
export function startTelemetry(serviceName: string): { close(): Promise<void> } {
  const { OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT, OTEL_SERVICE_NAME } = process.env;
  if (!OTEL_EXPORTER_OTLP_ENDPOINT && !OTEL_EXPORTER_OTLP_TRACES_ENDPOINT) return { close: async () => {} };
  const sdk = new NodeSDK({
    serviceName: OTEL_SERVICE_NAME ?? serviceName,
    traceExporter: new OTLPTraceExporter(),
    instrumentations: [],
    metricReaders: [],
    logRecordProcessors: [],
  });
  sdk.start();
  return {
    async close() {
      const timer = new AbortController();
      const late = delay(shutdownTimeoutMs, undefined, { signal: timer.signal }).catch(() => undefined);
      await Promise.race([sdk.shutdown().catch(() => undefined), late]);
      timer.abort();
    },
  };
}
