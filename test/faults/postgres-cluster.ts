import { execFile, execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chownSync } from 'node:fs';
import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { end, spawnOwned } from './program.ts';
import { createTemporaryDirectory } from './temporary-directory.ts';

const run = promisify(execFile);

/** A PostgreSQL of one campaign: a new cluster with one empty database. */
export interface PostgresCluster {
  readonly url: string;
  /** Ends it at once and removes its files. */
  remove(): Promise<void>;
}

/**
 * Starts a PostgreSQL on a socket in a directory of its own, with the settings of a fresh `initdb`: durability is never turned off.
 *
 * @param bin Directory of its programs.
 */
export async function startPostgres(bin: string): Promise<PostgresCluster> {
  const { path: directory, remove } = createTemporaryDirectory('postgres');
  const owner = serverUser();
  const password = randomBytes(12).toString('hex');
  const passwordFile = join(directory, 'password');
  await writeFile(passwordFile, password);
  for (const path of [directory, passwordFile]) if (owner) chownSync(path, owner.uid, owner.gid);
  await chmod(directory, 0o700);
  const data = join(directory, 'data');
  const settings = ['-U', 'postgres', '--auth=scram-sha-256', `--pwfile=${passwordFile}`, '--no-sync', '--encoding=UTF8', '--locale=C'];
  await run(join(bin, 'initdb'), ['-D', data, ...settings], { ...owner, cwd: directory });

  const options = [`unix_socket_directories=${directory}`, 'listen_addresses=', 'max_connections=200'];
  const args = ['-D', data, ...options.flatMap((option) => ['-c', option])];
  const server = spawnOwned(join(bin, 'postgres'), args, { ...owner, cwd: directory, stdio: ['ignore', 'ignore', 'pipe'] });
  await new Promise<void>((resolve, reject) => {
    const said: string[] = [];
    if (!server.stderr) throw new Error('standard error was asked for');
    createInterface({ input: server.stderr }).on('line', (line) => {
      if (said.length < 100) said.push(line);
      if (line.includes('ready to accept connections')) resolve();
    });
    server.once('exit', () => reject(new Error(`PostgreSQL did not start:\n${said.join('\n')}`)));
  });
  return {
    url: `postgres://postgres:${password}@localhost/postgres?host=${encodeURIComponent(directory)}`,
    async remove() {
      await end(server, 'SIGQUIT'); // its processes end at once: nothing of it is needed any more
      remove();
    },
  };
}

/** PostgreSQL refuses root: then its own user, which its packages create, runs it. */
function serverUser(): { uid: number; gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const id = (flag: string) => Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8' }));
  return { uid: id('-u'), gid: id('-g') };
}
