// A real PostgreSQL for tests: its own cluster in a temporary directory, reached through a socket in that directory.
import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, chownSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import pg from 'pg';

const run = promisify(execFile);
/** Directory of PostgreSQL's programs; tests that need one are skipped without. */
const bin = process.env.TOKENMESH_POSTGRES_BIN ?? '';
export const hasPostgres = bin !== '';

export interface TestPostgres {
  /** A new, empty database; its URL with user and password. */
  createDatabase(): Promise<string>;
  /** Runs one statement in a database. */
  query(url: string, statement: string): Promise<readonly Record<string, unknown>[]>;
  /** Stops the server in the middle of everything; `start` recovers from its log. */
  crash(): Promise<void>;
  start(): Promise<void>;
  /** Makes it a standby, which answers what it has and takes nothing. */
  demote(): Promise<void>;
  /** Stops it, and removes everything. */
  remove(): Promise<void>;
}

/** Starts a server. Settings are those of a fresh `initdb`, with `settings` on top; durability is never turned off. */
export async function startTestPostgres(settings: readonly string[] = []): Promise<TestPostgres> {
  const directory = mkdtempSync(join(tmpdir(), 'postgres-'));
  const owner = serverUser();
  const password = randomBytes(12).toString('hex');
  const passwordFile = join(directory, 'password');
  writeFileSync(passwordFile, password);
  for (const path of [directory, passwordFile]) if (owner) chownSync(path, owner.uid, owner.gid);
  chmodSync(directory, 0o700);
  const data = join(directory, 'data');
  const initdb = [
    '-D',
    data,
    '-U',
    'postgres',
    '--auth=scram-sha-256',
    `--pwfile=${passwordFile}`,
    '--no-sync',
    '--encoding=UTF8',
    '--locale=C',
  ];
  await run(join(bin, 'initdb'), initdb, { ...owner, cwd: directory });

  let server: ChildProcess | undefined;
  async function start(): Promise<void> {
    const options = [`unix_socket_directories=${directory}`, 'listen_addresses=', 'max_connections=200', ...settings];
    const args = ['-D', data, ...options.flatMap((option) => ['-c', option])];
    const child = spawn(join(bin, 'postgres'), args, { ...owner, cwd: directory, stdio: ['ignore', 'ignore', 'pipe'] });
    server = child;
    const lines = createInterface({ input: child.stderr });
    await new Promise<void>((resolve, reject) => {
      const said: string[] = [];
      lines.on('line', (line) => {
        if (said.length < 100) said.push(line);
        if (/ready to accept (read-only )?connections/.test(line)) resolve();
      });
      child.once('exit', () => reject(new Error(`PostgreSQL did not start:\n${said.join('\n')}`)));
    });
  }

  async function stop(signal: NodeJS.Signals): Promise<void> {
    if (!server || server.exitCode !== null || server.signalCode !== null) return;
    const ended = once(server, 'exit');
    server.kill(signal);
    await ended;
  }

  const url = (database: string) => `postgres://postgres:${password}@localhost/${database}?host=${encodeURIComponent(directory)}`;
  async function query(address: string, statement: string): Promise<readonly Record<string, unknown>[]> {
    const client = new pg.Client({ connectionString: address });
    await client.connect();
    try {
      return (await client.query<Record<string, unknown>>(statement)).rows;
    } finally {
      await client.end();
    }
  }

  await start();
  return {
    async createDatabase() {
      const name = `record_${randomBytes(6).toString('hex')}`;
      await query(url('postgres'), `CREATE DATABASE ${name}`);
      return url(name);
    },
    query,
    // SIGQUIT ends all its processes at once, without a checkpoint: what is there afterwards is what the log on disk holds
    crash: () => stop('SIGQUIT'),
    start,
    async demote() {
      await stop('SIGINT');
      writeFileSync(join(data, 'standby.signal'), '');
      await start();
    },
    async remove() {
      await stop('SIGQUIT');
      if (existsSync(directory)) rmSync(directory, { recursive: true });
    },
  };
}

/** PostgreSQL refuses root: then its own user, which its packages create, runs it. */
function serverUser(): { uid: number; gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const id = (flag: string) => Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8' }));
  return { uid: id('-u'), gid: id('-g') };
}
