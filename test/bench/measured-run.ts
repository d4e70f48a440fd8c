import { execFileSync } from 'node:child_process';
import { cpus } from 'node:os';
import grpcPackage from '@grpc/grpc-js/package.json' with { type: 'json' };
import { holds, type SuiteResult } from './measure.ts';

/** A suite that ran, and how long that took. */
export interface MeasuredSuite extends SuiteResult {
  readonly seconds: number;
}

/** A suite that did not come to its end, or measured something else than it should. */
export interface BrokenSuite {
  readonly suite: string;
  readonly error: string;
}

/** Where and when figures were measured: what somebody needs to know who compares them with his own. */
export interface RunFacts {
  /** ISO 8601, UTC, when the run began. */
  readonly startedAt: string;
  /** Of the working tree, abbreviated; `+` behind it: with changes. Absent outside of a repository. */
  readonly commit?: string;
  readonly quick: boolean;
  readonly cpu: string;
  readonly processors: number;
  readonly node: string;
  readonly grpcJs: string;
}

export function runFacts(quick: boolean, now: () => number): RunFacts {
  const commit = readCommit();
  const [first, ...others] = cpus();
  return {
    startedAt: new Date(now()).toISOString(),
    ...(commit !== undefined && { commit }),
    quick,
    cpu: first?.model.trim() ?? 'unknown',
    processors: others.length + 1,
    node: process.versions.node,
    grpcJs: grpcPackage.version,
  };
}

function readCommit(): string | undefined {
  const git = (...args: readonly string[]) =>
    execFileSync('git', args, { cwd: import.meta.dirname, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  try {
    return `${git('rev-parse', '--short', 'HEAD')}${git('status', '--porcelain') === '' ? '' : '+'}`;
  } catch {
    return undefined;
  }
}

/** One line that a person reads. */
export function describeRun({ startedAt, commit, quick, cpu, processors, node, grpcJs }: RunFacts): string {
  const parts = [
    startedAt.slice(0, 10),
    commit,
    `${processors} × ${cpu}`,
    `Node ${node}`,
    `grpc-js ${grpcJs}`,
    quick ? '--quick' : undefined,
  ];
  return parts.filter((part) => part !== undefined).join(', ');
}

/**
 * The document of `-o json`: `holds` of the whole, of each suite and of each figure says whether every target in it is met; of the whole it is false as well
 * when a suite broke.
 */
export function runDocument(facts: RunFacts, measured: readonly MeasuredSuite[], broken: readonly BrokenSuite[] = []) {
  const suites = measured.map(({ suite, seconds, checks, figures, series = [] }) => ({
    ...{ suite, seconds, checks, series },
    holds: figures.every(holds),
    figures: figures.map((figure) => ({ ...figure, holds: holds(figure) })),
  }));
  const isWhole = broken.length === 0;
  return { holds: isWhole && suites.every((suite) => suite.holds), ...facts, suites, ...(!isWhole && { broken }) };
}
