import { type Target, targetKinds } from '@tokenmesh/revocation';
import { findingKinds, type StreamFinding } from '../revocation/stream-auditor.ts';
import { findMeter } from './meter.ts';

/** What is counted of the revocation log, by this replica. */
export interface RevocationMetrics {
  /** Targets became durable here. */
  revoked(targets: readonly Target[]): void;
  found(finding: StreamFinding): void;
}

/** Counts what is revoked, and what was found to be wrong with the courier's stream. Every kind is there from the start, at 0: a first finding is an increase. */
export function createRevocationMetrics(): RevocationMetrics {
  const meter = findMeter();
  if (!meter) return { revoked() {}, found() {} };
  const revoked = meter.createCounter('tokenmesh.revocations', { description: 'Targets that were revoked', unit: '{target}' });
  const findings = meter.createCounter('tokenmesh.stream.findings', {
    description: "Differences between the courier's stream and the record",
    unit: '{finding}',
  });
  const countTarget = (count: number, kind: Target['kind']) => revoked.add(count, { 'tokenmesh.revocation.kind': kind });
  const countFinding = (count: number, kind: StreamFinding['kind']) => findings.add(count, { 'tokenmesh.finding': kind });
  for (const kind of targetKinds) countTarget(0, kind);
  for (const kind of findingKinds) countFinding(0, kind);
  return {
    revoked(targets) {
      for (const { kind } of targets) countTarget(1, kind);
    },
    found: ({ kind }) => countFinding(1, kind),
  };
}
