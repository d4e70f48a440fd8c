// A real nats-server for tests: JetStream in a temporary directory, on a free port of 127.0.0.1.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const program = process.env.TOKENMESH_NATS_SERVER || 'nats-server';
/** Tests that need one are skipped without. */
export const hasNatsServer = spawnSync(program, ['--version']).status === 0;

export interface TestNats {
  readonly servers: string;
  /** Stops it in the middle of everything. */
  kill(): Promise<void>;
  /** On the same port, with what is on its disk. */
  start(): Promise<void>;
  /** Copies its store as it is; `restore`, while it is stopped, puts the copy in its place. */
  backup(): void;
  restore(): void;
  /** Stops it, and removes everything. */
  remove(): Promise<void>;
}

export async function startTestNats(): Promise<TestNats> {
  const directory = mkdtempSync(join(tmpdir(), 'nats-'));
  const [store, copy] = [join(directory, 'store'), join(directory, 'copy')];
  let port = -1;
  let server: ChildProcess | undefined;

  async function start(): Promise<void> {
    const started = spawn(program, ['-a', '127.0.0.1', '-p', String(port), '-js', '-sd', store], { stdio: ['ignore', 'ignore', 'pipe'] });
    server = started;
    const lines: string[] = [];
    for await (const line of createInterface({ input: started.stderr })) {
      lines.push(line);
      port = Number(/Listening for client connections on 127\.0\.0\.1:(\d+)/.exec(line)?.[1] ?? port);
      if (line.includes('Server is ready')) {
        started.stderr.resume();
        return;
      }
    }
    throw new Error(`nats-server did not start: ${lines.join('\n')}`);
  }

  async function kill(): Promise<void> {
    if (!server || server.exitCode !== null || server.signalCode !== null) return;
    const ended = once(server, 'exit');
    server.kill('SIGKILL');
    await ended;
  }

  function replace(to: string, from: string): void {
    rmSync(to, { recursive: true, force: true });
    cpSync(from, to, { recursive: true });
  }

  await start();
  return {
    servers: `127.0.0.1:${port}`,
    ...{ kill, start },
    backup: () => replace(copy, store),
    restore: () => replace(store, copy),
    async remove() {
      await kill();
      rmSync(directory, { recursive: true });
    },
  };
}
