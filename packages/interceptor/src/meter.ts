import { createNoopMeter, type Meter, metrics } from '@opentelemetry/api';

/**
 * The meter of this package; `undefined` while no SDK is registered. The API hands nothing on to an SDK that comes later: who asked before is not told.
 */
export function findMeter(): Meter | undefined {
  const meter = metrics.getMeter('@tokenmesh/interceptor');
  return meter === createNoopMeter() ? undefined : meter;
}
