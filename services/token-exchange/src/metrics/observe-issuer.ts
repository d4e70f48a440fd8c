import type { BatchObservableResult } from '@opentelemetry/api';
import type { RevocationView } from '@tokenmesh/interceptor';
import type { KeyRing } from '../keys/keys.ts';
import { keyPurposes, keyStates } from '../record/key-records.ts';
import type { VerifierReports } from '../revocation/verifier-reports.ts';
import { findMeter } from './meter.ts';

/** What is looked at whenever metrics are collected. */
export interface ObservedIssuer {
  readonly keys: Pick<KeyRing, 'states'>;
  readonly view: Pick<RevocationView, 'freshness'>;
  readonly reports: Pick<VerifierReports, 'list'>;
  readonly now: () => number;
}

/**
 * Shows signing keys, the log and the verifiers that report here whenever metrics are collected; the names are in docs/reference/metrics.md.
 *
 * @returns The way to stop.
 */
export function observeIssuer({ keys, view, reports, now }: ObservedIssuer): () => void {
  const meter = findMeter();
  if (!meter) return () => {};
  const keyCount = meter.createObservableGauge('tokenmesh.keys', { description: 'Signing keys in this state', unit: '{key}' });
  const keyAge = meter.createObservableGauge('tokenmesh.key.age', {
    description: 'How long the active key has been signing',
    unit: 's',
  });
  const position = meter.createObservableGauge('tokenmesh.revocation.log.position', {
    description: 'Position of the newest revocation event that this replica has applied',
    unit: '{event}',
  });
  const verifiers = meter.createObservableGauge('tokenmesh.verifiers', {
    description: 'Verifiers that reported here within the last minute',
    unit: '{verifier}',
  });
  const lag = meter.createObservableGauge('tokenmesh.verifiers.lag', {
    description: 'Revocation events that the verifier which is furthest behind had not applied when it reported',
    unit: '{event}',
  });
  const gauges = [keyCount, keyAge, position, verifiers, lag];
  /** Workloads whose verifiers have reported: an SDK goes on showing what is not observed any more. */
  const workloads = new Set<string>();

  function observe(result: BatchObservableResult): void {
    const states = keys.states();
    for (const purpose of keyPurposes) {
      for (const state of keyStates) {
        const count = states.filter((key) => key.purpose === purpose && key.state === state).length;
        result.observe(keyCount, count, { 'tokenmesh.key.purpose': purpose, 'tokenmesh.key.state': state });
      }
      const active = states.find((key) => key.purpose === purpose && key.state === 'active');
      if (active) result.observe(keyAge, Math.max(0, now() - active.changedAtMs) / 1000, { 'tokenmesh.key.purpose': purpose });
    }
    const known = view.freshness();
    const head = known.state === 'empty' ? 0 : known.n;
    result.observe(position, head);
    const listed = reports.list();
    for (const { clientId } of listed) workloads.add(clientId);
    for (const workload of workloads) {
      const own = listed.filter(({ clientId }) => clientId === workload);
      const attributes = { 'tokenmesh.workload': workload };
      result.observe(verifiers, own.length, attributes);
      result.observe(lag, Math.max(0, ...own.map(({ n }) => head - n)), attributes);
    }
  }

  meter.addBatchObservableCallback(observe, gauges);
  return () => meter.removeBatchObservableCallback(observe, gauges);
}
