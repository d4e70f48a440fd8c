import { createNoopMeter, type Meter, metrics } from '@opentelemetry/api';

/** The meter of this service; `undefined` while no SDK is registered: nothing is measured then. */
export function findMeter(): Meter | undefined {
  const meter = metrics.getMeter('@tokenmesh/token-exchange');
  return meter === createNoopMeter() ? undefined : meter;
}
