import { spawnSync } from 'node:child_process';
import { findNatsServer } from '@tokenmesh/shop/demo';
import { findFaketime } from './find-faketime.ts';
import { findPostgres } from './find-postgres.ts';
import { findPrometheus } from './find-prometheus.ts';
import { findSpin } from './find-spin.ts';

/**
 * Runs once before all tests: finds the programs that they run against, installs what is missing where that is possible, and says in one
 * line each what is skipped and what to install. With `TOKENMESH_SKIP_IS_FAILURE=1` nothing may be missing.
 *
 * Tests find a nats-server in `TOKENMESH_NATS_SERVER`, the directory of PostgreSQL's programs in `TOKENMESH_POSTGRES_BIN`, Linux's prlimit in
 * `TOKENMESH_PRLIMIT`, the model checker spin in `TOKENMESH_SPIN`, libfaketime's library in `TOKENMESH_FAKETIME` and Prometheus, with promtool beside it, in
 * `TOKENMESH_PROMETHEUS`; without them those that need one are skipped.
 */
export default async function realComponents(): Promise<void> {
  const report = (what: string) => console.log(what);
  const nats = await findNatsServer({ report });
  if (nats.path !== undefined) provide('TOKENMESH_NATS_SERVER', nats.path, `nats-server ${nats.version}`);
  else skip('TOKENMESH_NATS_SERVER', `tests that need NATS are skipped: ${nats.reason}; install nats-server`);

  const postgres = await findPostgres(report);
  if (postgres.bin !== undefined) provide('TOKENMESH_POSTGRES_BIN', postgres.bin, `PostgreSQL ${postgres.version}`);
  else skip('TOKENMESH_POSTGRES_BIN', `tests that need PostgreSQL are skipped: ${postgres.reason}; install postgresql`);

  const prlimit = process.env.TOKENMESH_PRLIMIT || 'prlimit';
  const { stdout } = spawnSync(prlimit, ['--version'], { encoding: 'utf8' });
  if (stdout) provide('TOKENMESH_PRLIMIT', prlimit, stdout.trim());
  else skip('TOKENMESH_PRLIMIT', 'tests that make the disk fail are skipped: no prlimit found; install util-linux, on Linux');

  const spin = await findSpin(report);
  if (spin.path !== undefined) provide('TOKENMESH_SPIN', spin.path, `spin ${spin.version}`);
  else skip('TOKENMESH_SPIN', `tests that check the model of revocation are skipped: ${spin.reason}; install spin and gcc`);

  const faketime = await findFaketime(report);
  if (faketime.library !== undefined) provide('TOKENMESH_FAKETIME', faketime.library, 'libfaketime');
  else skip('TOKENMESH_FAKETIME', `tests that set the clocks of processes are skipped: ${faketime.reason}; install libfaketime`);

  const prometheus = await findPrometheus(report);
  if (prometheus.path !== undefined) provide('TOKENMESH_PROMETHEUS', prometheus.path, `Prometheus ${prometheus.version}`);
  else skip('TOKENMESH_PROMETHEUS', `tests of dashboards and alerts are skipped: ${prometheus.reason}; install prometheus`);
}

function provide(variable: string, path: string, what: string): void {
  process.env[variable] = path;
  console.log(`tests use ${what} (${path})`);
}

function skip(variable: string, why: string): void {
  const text = `${why}, or name one in ${variable}`;
  if (process.env.TOKENMESH_SKIP_IS_FAILURE === '1') throw new Error(text);
  process.env[variable] = '';
  console.log(text);
}
