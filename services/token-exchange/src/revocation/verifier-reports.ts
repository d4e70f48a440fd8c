import type { ReportedAccessRule, VerifierReport } from '@tokenmesh/proto';
import { listRules, type RuleTable, readRuleTable } from './reported-rules.ts';

/** What one verifier last said of itself, and who it is. */
export interface ReportedVerifier extends Omit<VerifierReport, 'served'> {
  /** The identity it reported under, as verified. */
  readonly clientId: string;
  readonly reportedAtMs: number;
  /** What it serves; `undefined` when it has not said it, or said too much. */
  readonly table: RuleTable | undefined;
}

/** The verifiers that reported lately, kept in memory. */
export interface VerifierReports {
  /** A report without `served` leaves what its instance serves as it was. */
  add(clientId: string, report: Omit<VerifierReport, 'served'> & Partial<Pick<VerifierReport, 'served'>>): void;
  /** Those that reported within the last minute, sorted by identity and instance. */
  list(): readonly ReportedVerifier[];
  /** What their methods need of callers; of one workload, or of all. At most 5 000. */
  rules(clientId?: string): readonly ReportedAccessRule[];
}

/** Verifiers report every few seconds: one that was silent for so long is gone. */
const memoryMs = 60_000;
/** Instances kept per identity; the one heard of longest ago makes room. Nobody's reports crowd out another's. */
const maxInstances = 1000;
const maxTextLength = 128;
const maxKids = 32;

/** @param onNews Called after a report of a verifier that is new here or knows other keys than before; must not throw. */
export function createVerifierReports(now: () => number, onNews: () => void = () => {}): VerifierReports {
  const byClient = new Map<string, Map<string, ReportedVerifier>>();

  function list(): readonly ReportedVerifier[] {
    const since = now() - memoryMs;
    for (const [clientId, instances] of byClient) {
      for (const [instance, { reportedAtMs }] of instances) if (reportedAtMs < since) instances.delete(instance);
      if (instances.size === 0) byClient.delete(clientId);
    }
    const all = [...byClient.values()].flatMap((instances) => [...instances.values()]);
    const key = ({ clientId, instance }: ReportedVerifier) => `${clientId} ${instance}`;
    return all.sort((a, b) => (key(a) < key(b) ? -1 : 1));
  }

  return {
    add(clientId, { served, ...report }) {
      const instances = byClient.get(clientId) ?? new Map<string, ReportedVerifier>();
      byClient.set(clientId, instances);
      const instance = report.instance.slice(0, maxTextLength);
      const reported = instances.get(instance);
      const before = reported?.kids;
      instances.delete(instance); // so that the map's order is the order of reports
      instances.set(instance, {
        ...report,
        instance,
        kids: report.kids.slice(0, maxKids).map((kid) => kid.slice(0, maxTextLength)),
        version: report.version.slice(0, maxTextLength),
        path: report.path.slice(0, maxTextLength),
        clientId,
        reportedAtMs: now(),
        table: served ? readRuleTable(served, tablesOf(instances)) : reported?.table,
      });
      const [oldest] = instances.keys();
      if (instances.size > maxInstances && oldest !== undefined) instances.delete(oldest);
      const after = instances.get(instance)?.kids;
      if (before?.join() !== after?.join()) onNews();
    },
    list,
    rules: (clientId) => listRules(list().filter((verifier) => clientId === undefined || verifier.clientId === clientId)),
  };
}

function* tablesOf(instances: ReadonlyMap<string, ReportedVerifier>): Iterable<RuleTable | undefined> {
  for (const { table } of instances.values()) yield table;
}
