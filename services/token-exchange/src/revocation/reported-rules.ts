import { createHash } from 'node:crypto';
import type { ReportedAccessRule, ServedMethods } from '@tokenmesh/proto';

/** What one process serves, as it said it. Processes that serve the same share one table. */
export interface RuleTable {
  /** SHA-256 of what is in it. */
  readonly key: string;
  readonly methods: ServedMethods['methods'];
}

// whoever reports is a workload of the mesh, and may be a hostile one: with these, all that is kept of it is at most 2 MiB
const maxMethods = 512;
const maxTableLength = 128 * 1024;
/** Different tables of one workload at a time: those of a change that is rolled out, and a few of one before. */
const maxTables = 16;
/** As much as fits into an answer. */
const maxListed = 5_000;

/**
 * The table that a report carries.
 *
 * @param kept The tables of the same workload's other processes: one that is alike is used again.
 * @returns `undefined` when it is too large, or one table more than may be kept: rules that are cut would say something else.
 */
export function readRuleTable({ methods }: ServedMethods, kept: Iterable<RuleTable | undefined>): RuleTable | undefined {
  const text = JSON.stringify(methods);
  if (methods.length > maxMethods || text.length > maxTableLength) return undefined;
  const key = createHash('sha256').update(text).digest('base64url');
  const tables = new Map([...kept].flatMap((table) => (table ? [[table.key, table] as const] : [])));
  return tables.get(key) ?? (tables.size < maxTables ? { key, methods } : undefined);
}

/** The rules of tables, sorted by workload and method, with the number of processes that judge by each; at most 5 000. */
export function listRules(
  verifiers: Iterable<{ readonly clientId: string; readonly table: RuleTable | undefined }>,
): readonly ReportedAccessRule[] {
  const listed = new Map<string, ReportedAccessRule & { readonly method: string; instances: number }>();
  for (const { clientId, table } of verifiers) {
    for (const { method, rule } of table?.methods ?? []) {
      const key = JSON.stringify([clientId, method, rule]);
      const known = listed.get(key);
      if (known) known.instances++;
      else if (listed.size < maxListed) listed.set(key, { client_id: clientId, method, rule, instances: 1 });
    }
  }
  return [...listed].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, rule]) => rule);
}
