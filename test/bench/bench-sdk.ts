import { metrics, ProxyTracerProvider, trace } from '@opentelemetry/api';

/** An OpenTelemetry SDK as a service has it, by the standard variables alone; what these do not name has its default. */
export interface SdkSettings {
  /** Its `service.name`. */
  readonly service: string;
  /** Where it sends by OTLP over gRPC, `http://host:port`. */
  readonly endpoint: string;
  /** Of the traces that begin here; of others, whoever began them has decided. 0…1. */
  readonly sampled: number;
  /** Who decides on that: `sampler`: the SDK's, when a span is to be made; `mesh`: the mesh does before, and the SDK's, which is its default, keeps all. */
  readonly decides: 'sampler' | 'mesh';
  /** Metrics as well as traces. */
  readonly metrics: boolean;
}

export interface BenchSdk {
  /** Sends what is not sent yet, and reads the metrics once. Rejects when the receiver did not take it. */
  flush(): Promise<void>;
}

/** What a mesh beside it is told of traces. */
export function tracingOf(sdk: SdkSettings | undefined): { readonly traceRatio?: number } {
  return sdk?.decides === 'mesh' ? { traceRatio: sdk.sampled } : {};
}

/** Starts it, in a process where none is loaded otherwise. To be called before what is measured is made. */
export async function startSdk({ service, endpoint, sampled, decides, metrics: isMetered }: SdkSettings): Promise<BenchSdk> {
  Object.assign(process.env, {
    OTEL_SERVICE_NAME: service,
    OTEL_EXPORTER_OTLP_ENDPOINT: endpoint,
    OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc',
    OTEL_TRACES_EXPORTER: 'otlp',
    OTEL_TRACES_SAMPLER: decides === 'sampler' ? 'parentbased_traceidratio' : 'parentbased_always_on',
    OTEL_TRACES_SAMPLER_ARG: String(sampled),
    OTEL_METRICS_EXPORTER: isMetered ? 'otlp' : 'none',
    OTEL_LOGS_EXPORTER: 'none',
  });
  const { NodeSDK } = await import('@opentelemetry/sdk-node');
  new NodeSDK({ instrumentations: [] }).start();
  const proxy = trace.getTracerProvider();
  const spans = proxy instanceof ProxyTracerProvider ? proxy.getDelegate() : proxy;
  // the casts hold: the API names no more of a provider than what makes spans and instruments, the SDK's can be flushed
  const flushed = [spans, ...(isMetered ? [metrics.getMeterProvider()] : [])] as unknown as readonly { forceFlush(): Promise<void> }[];
  return { flush: async () => void (await Promise.all(flushed.map((provider) => provider.forceFlush()))) };
}
