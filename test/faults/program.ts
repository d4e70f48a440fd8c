import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { lookThroughStream } from './looked-through.ts';

/** A Node program in a process of its own. */
export interface Program {
  readonly pid: number;
  readonly port: number;
  /** From its start until it listened. */
  readonly startedInMs: number;
  /** Lines of its log so far, by `event`. */
  readonly events: ReadonlyMap<string, number>;
  readonly isRunning: boolean;
  /** Sends it a signal that does not end it. */
  signal(signal: 'SIGSTOP' | 'SIGCONT' | 'SIGHUP'): void;
  /** Writes a line to its standard input. */
  tell(line: string): void;
  /** SIGKILL; resolves when it is gone. */
  kill(): Promise<void>;
  /** SIGTERM; resolves with its exit code. */
  stop(): Promise<number | null>;
}

export interface ProgramOptions {
  /** Command that it is started through, such as `['prlimit', '--fsize=1000']`. */
  readonly through?: readonly string[];
  /** Told every line of JSON that it writes to standard output. */
  readonly onLine?: (line: string) => void;
}

/**
 * Starts a program that logs JSON lines and resolves when it has logged `{"event":"listening","port":…}`.
 *
 * @throws {Error} When it ends before: with what it wrote to standard error.
 */
export async function startProgram(
  file: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  { through = [], onLine = () => {} }: ProgramOptions = {},
): Promise<Program> {
  const startedAt = performance.now();
  const [command = process.execPath, ...rest] = [...through, process.execPath, file, ...args];
  const child = spawnOwned(command, rest, { env: { PATH: process.env.PATH, ...env }, stdio: ['pipe', 'pipe', 'pipe'] });
  child.stdin?.on('error', () => {}); // it has ended
  const events = new Map<string, number>();
  let complaint = '';
  child.stderr?.on('data', (chunk) => {
    complaint = (complaint + String(chunk)).slice(-4000);
  });
  const { stdout } = child;
  if (!stdout) throw new Error('standard output was asked for');
  const port = await new Promise<number>((resolve, reject) => {
    createInterface({ input: stdout }).on('line', (line) => {
      if (!line.startsWith('{')) return;
      onLine(line);
      const { event, port: bound } = JSON.parse(line) as { readonly event?: string; readonly port?: number };
      if (event) events.set(event, (events.get(event) ?? 0) + 1);
      if (event === 'listening' && bound !== undefined) resolve(bound);
    });
    child.once('exit', (code) => reject(new Error(`${file} ended with ${code} before it listened: ${complaint}`)));
  });
  return {
    pid: Number(child.pid), // it has one: it listens
    port,
    startedInMs: performance.now() - startedAt,
    events,
    get isRunning() {
      return child.exitCode === null && child.signalCode === null;
    },
    signal: (signal) => void child.kill(signal),
    tell: (line) => void child.stdin?.write(`${line}\n`),
    kill: async () => void (await end(child, 'SIGKILL')),
    stop: () => end(child, 'SIGTERM'),
  };
}

/** Runs a program to its end: what it wrote to both streams, and its exit code. */
export async function runProgram(
  file: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<{ readonly code: number | null; readonly output: string }> {
  const child = spawnOwned(process.execPath, [file, ...args], {
    env: { PATH: process.env.PATH, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk) => {
      output += String(chunk);
    });
  }
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, output };
}

const owned = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of owned) child.kill('SIGKILL');
});

/** Starts a process that does not outlive this one. What it writes is looked through for tokens. */
export function spawnOwned(command: string, args: readonly string[], options: SpawnOptions): ChildProcess {
  const child = spawn(command, args, options);
  owned.add(child);
  for (const stream of ['stdout', 'stderr'] as const) lookThroughStream(`${stream} of ${command}`, child[stream]);
  child.once('exit', () => owned.delete(child));
  return child;
}

/** Signals a process, waits for its end, and gives its exit code. */
export async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
  const ended = once(child, 'exit');
  child.kill(signal);
  const [code] = (await ended) as [number | null];
  return code;
}
