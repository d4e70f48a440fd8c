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

export interface ServerProcessOptions {
  /** The processor it is pinned to; default 0. */
  readonly cpu?: number;
  /** A module that is loaded before the program. */
  readonly preload?: string;
  /** Told of every event that it logs. */
  readonly onEvent?: (event: { readonly event: string }) => void;
}

/** Starts a Node program that prints `{"event":"listening","port":…}` and resolves when it has. */
export async function startServer(file: string, args: readonly string[], options: ServerProcessOptions = {}): Promise<ServerProcess> {
  const { cpu = 0, preload, onEvent } = options;
  const nodeArgs = preload === undefined ? [file] : ['--import', preload, file];
  const child = spawn('taskset', ['-c', String(cpu), process.execPath, ...nodeArgs, ...args], { stdio: ['pipe', 'pipe', 'inherit'] });
  const events = new Map<string, number>();
  const port = await new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`${file} ended with ${code} before it listened`)));
    createInterface({ input: child.stdout }).on('line', (line) => {
      if (!line.startsWith('{')) return;
      const logged = JSON.parse(line) as { readonly event?: string; readonly port?: number };
      const { event, port: bound } = logged;
      if (event) {
        events.set(event, (events.get(event) ?? 0) + 1);
        onEvent?.({ ...logged, event });
      }
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
