// Preloaded into token-exchange by the revocation suite: prints when each event of the revocation log was durable, on the clock that all processes of
// the machine share (CLOCK_MONOTONIC). It stands around node:sqlite, so that what is measured is the program as it is.
import { DatabaseSync } from 'node:sqlite';

/** One line of its output. */
export interface CommittedLine {
  readonly event: 'bench.committed';
  readonly commits: readonly { readonly n: number; readonly atNs: number }[];
}

/** Long enough for the event to be with everybody: the line costs nothing that is measured. */
const printAfterMs = 200;

/** Positions that the open transaction appended. */
let appended: number[] = [];
let commits: { n: number; atNs: number }[] = [];

function note(sql: string, parameters: readonly unknown[]): void {
  if (/^insert into "?revocation_events/i.test(sql)) appended.push(Number(parameters[0]));
  else if (/^rollback\b(?! to)/i.test(sql)) appended = [];
  else if (/^(commit|end)\b/i.test(sql) && appended.length > 0) {
    const atNs = Number(process.hrtime.bigint());
    if (commits.length === 0) setTimeout(print, printAfterMs).unref();
    commits.push(...appended.map((n) => ({ n, atNs })));
    appended = [];
  }
}

function print(): void {
  const line: CommittedLine = { event: 'bench.committed', commits };
  console.log(JSON.stringify(line));
  commits = [];
}

const { prepare, exec } = DatabaseSync.prototype;
DatabaseSync.prototype.exec = function (sql) {
  exec.call(this, sql);
  note(sql, []);
};
DatabaseSync.prototype.prepare = function (sql, options) {
  const statement = prepare.call(this, sql, options);
  if (!/^(insert into "?revocation_events|commit|end|rollback)\b/i.test(sql)) return statement;
  const { run, all } = statement;
  // the casts hold: they are called with what their callers gave
  statement.run = (...parameters: unknown[]) => {
    const changes = run.apply(statement, parameters as Parameters<typeof run>);
    note(sql, parameters);
    return changes;
  };
  statement.all = (...parameters: unknown[]) => {
    const rows = all.apply(statement, parameters as Parameters<typeof all>);
    note(sql, parameters);
    return rows;
  };
  return statement;
};
