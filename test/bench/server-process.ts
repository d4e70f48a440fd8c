import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

/** A server under measurement, in a process of its own, on one processor. */
export interface ServerProcess {
  readonly pid: number;
  readonly port: number;
  /** Counts of the events that it has logged since its start. */
  readonly events: ReadonlyMap<string, number>;
  stop(): Promise<void>;
}

/**
 * Starts a Node program that prints `{"event":"listening","port":…}` and resolves when it has.
 *
 * @param cpu The processor it is pinned to, when `taskset` is there.
 */
export async function startServer(file: string, args: readonly string[], { cpu = 0 } = {}): Promise<ServerProcess> {
  const child = spawn('taskset', ['-c', String(cpu), process.execPath, file, ...args], { stdio: ['pipe', 'pipe', 'inherit'] });
  const events = new Map<string, number>();
  const port = await new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`${file} ended with ${code} before it listened`)));
    createInterface({ input: child.stdout }).on('line', (line) => {
      if (!line.startsWith('{')) return;
      const { event, port: bound } = JSON.parse(line) as { readonly event?: string; readonly port?: number };
      if (event) events.set(event, (events.get(event) ?? 0) + 1);
      if (event === 'listening' && bound !== undefined) resolve(bound);
    });
  });
  return { pid: child.pid ?? 0, port, events, stop: () => stop(child) };
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  await ended;
}
