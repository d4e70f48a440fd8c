import type { Store } from '../record/store.ts';
import { findMeter } from './meter.ts';

/** The store, with its transactions timed: from the call to the commit that made it durable, waiting for others included. */
export function measuredStore(store: Store): Store {
  const meter = findMeter();
  if (!meter) return store;
  const duration = meter.createHistogram('tokenmesh.store.transaction.duration', {
    description: 'Time until a transaction of the record was durable, or undone',
    unit: 's',
    advice: { explicitBucketBoundaries: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5] },
  });
  const measured: Pick<Store, 'transaction'> = {
    async transaction(work) {
      const beganAt = performance.now();
      const record = (outcome: 'committed' | 'undone') =>
        duration.record((performance.now() - beganAt) / 1000, { 'tokenmesh.outcome': outcome });
      try {
        const result = await store.transaction(work);
        record('committed');
        return result;
      } catch (error) {
        record('undone');
        throw error;
      }
    },
  };
  return { ...store, ...measured };
}
