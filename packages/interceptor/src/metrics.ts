import { type BatchObservableResult, metrics } from '@opentelemetry/api';
import type { Freshness } from '@tokenmesh/revocation';

/** What became of a call while revocations were stale. */
export type StaleDecision = 'tolerated' | 'introspected' | 'refused';

const meterName = '@tokenmesh/interceptor';

/**
 * Counts calls that were decided while revocations were stale: `tokenmesh.calls.stale`, by `rpc.method` and `tokenmesh.decision`. Costs nothing while no
 * SDK is registered; one that is registered after this was called is not told.
 */
export function createStaleCallCounter(): (method: string, decision: StaleDecision) => void {
  const counter = metrics.getMeter(meterName).createCounter('tokenmesh.calls.stale', {
    description: 'Calls that were decided while revocation data were stale',
    unit: '{call}',
  });
  return (method, decision) => counter.add(1, { 'rpc.method': method.slice(1), 'tokenmesh.decision': decision });
}

const states = ['fresh', 'stale', 'empty'] as const satisfies readonly Freshness['state'][];

/**
 * Shows what is known of revocations whenever metrics are collected, by `tokenmesh.issuer`: its age, `tokenmesh.revocation.freshness.age` in seconds
 * (while nothing was heard yet the time since this call); 1 for its `tokenmesh.revocation.state` and 0 for the others,
 * `tokenmesh.revocation.freshness.state`; 1 for the `tokenmesh.revocation.path` in use and 0 for those that were, `tokenmesh.revocation.path`. Costs
 * nothing while no SDK is registered; one that is registered after this was called is not told.
 *
 * @returns The way to stop.
 */
export function observeFreshness(issuers: readonly { readonly issuer: string; readonly freshness: () => Freshness }[]): () => void {
  const startedAt = performance.now();
  const meter = metrics.getMeter(meterName);
  const age = meter.createObservableGauge('tokenmesh.revocation.freshness.age', {
    description: 'Age of the revocation data that calls are decided by',
    unit: 's',
  });
  const state = meter.createObservableGauge('tokenmesh.revocation.freshness.state', {
    description: '1: revocation data are in this state',
  });
  const path = meter.createObservableGauge('tokenmesh.revocation.path', { description: '1: revocation data come over this path' });
  const gauges = [age, state, path];
  // an SDK goes on showing a value that is not observed any more: who was stale once would be for ever
  const observed = issuers.map((one) => ({ ...one, paths: new Set<string>() }));

  function observe(result: BatchObservableResult): void {
    for (const { issuer, freshness, paths } of observed) {
      const known = freshness();
      const attributes = { 'tokenmesh.issuer': issuer };
      result.observe(age, (known.state === 'empty' ? performance.now() - startedAt : known.ageMs) / 1000, attributes);
      for (const one of states) result.observe(state, one === known.state ? 1 : 0, { ...attributes, 'tokenmesh.revocation.state': one });
      const inUse = known.state === 'empty' ? undefined : known.path;
      if (inUse !== undefined) paths.add(inUse);
      for (const one of paths) result.observe(path, one === inUse ? 1 : 0, { ...attributes, 'tokenmesh.revocation.path': one });
    }
  }

  meter.addBatchObservableCallback(observe, gauges);
  return () => meter.removeBatchObservableCallback(observe, gauges);
}
