import { type Attributes, metrics } from '@opentelemetry/api';
import { DataPointType, MeterProvider, MetricReader } from '@opentelemetry/sdk-metrics';

/** A real SDK whose metrics are collected when a test asks, for this room's own tests. */
export interface TestMetrics {
  /** The series of one metric: values, and of a histogram how often something was recorded. */
  collect(name: string): Promise<readonly { readonly attributes: Attributes; readonly value: number }[]>;
  /** Of one series, by all its attributes; `undefined`: there is none. */
  valueOf(name: string, attributes: Attributes): Promise<number | undefined>;
  close(): Promise<void>;
}

class PulledReader extends MetricReader {
  protected override async onForceFlush(): Promise<void> {}
  protected override async onShutdown(): Promise<void> {}
}

/** Registers the SDK, until it is closed. */
export function startTestMetrics(): TestMetrics {
  const reader = new PulledReader();
  const provider = new MeterProvider({ readers: [reader] });
  metrics.setGlobalMeterProvider(provider);

  async function collect(name: string) {
    const { resourceMetrics, errors } = await reader.collect();
    if (errors.length > 0) throw new AggregateError(errors, 'metrics could not be collected');
    const metric = resourceMetrics.scopeMetrics.flatMap((scope) => scope.metrics).find(({ descriptor }) => descriptor.name === name);
    if (!metric) return [];
    if (metric.dataPointType === DataPointType.SUM || metric.dataPointType === DataPointType.GAUGE) return metric.dataPoints;
    return metric.dataPoints.map(({ attributes, value }) => ({ attributes, value: value.count }));
  }

  return {
    collect,
    async valueOf(name, attributes) {
      const wanted = JSON.stringify(Object.entries(attributes).sort());
      const series = await collect(name);
      return series.find((one) => JSON.stringify(Object.entries(one.attributes).sort()) === wanted)?.value;
    },
    async close() {
      metrics.disable();
      await provider.shutdown();
    },
  };
}
