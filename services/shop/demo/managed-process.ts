import { type ChildProcess, spawn } from 'node:child_process';
import { appendFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** A process of the sample mesh. It ends when this process ends, however that ended. */
export interface ManagedProcess {
  readonly name: string;
  /** Where it listens on 127.0.0.1; kept over a restart. */
  readonly port: number;
  /** Of the program itself; of its last run when it is not running. */
  readonly pid: number;
  readonly running: boolean;
  /** Everything that it has written since its first start. */
  readonly output: { readonly stdout: string; readonly stderr: string };
  /** The same in a file, both streams in one. */
  readonly logFile: string;
  /** Starts it again on its old port and resolves when it listens. Does nothing while it runs. */
  start(): Promise<void>;
  /** Resolves when its current run is ready to serve, with the milliseconds from its start until then. */
  ready(): Promise<number>;
  /** SIGTERM, and SIGKILL after 5 s. Resolves when it has ended. */
  stop(): Promise<void>;
  /** SIGKILL. Resolves when it has ended. */
  kill(): Promise<void>;
  /** `stop`, `start` and `ready`. */
  restart(): Promise<void>;
}

/** What a line of a process's output tells about its start: it listens on `port`, it is `ready`, or both. */
export interface Progress {
  readonly port?: number;
  readonly ready?: boolean;
}

export interface ProcessOptions {
  readonly name: string;
  readonly logFile: string;
  /** A Node module that is preloaded with what ends it with the demo, or a program that is run on a leash for the same. */
  readonly kind: 'node' | 'program';
  /** What to run, given the port to listen on: 0 (any) at the first start, afterwards the one it had. */
  readonly command: (port: number) => {
    readonly file: string;
    readonly args: readonly string[];
    readonly env?: NodeJS.ProcessEnv;
    /** Default: this process's. */
    readonly cwd?: string;
  };
  readonly read: (line: string) => Progress | undefined;
  /** Told of an end that neither `stop` nor `kill` asked for, after it had listened. */
  readonly onUnexpectedExit?: (process: ManagedProcess, how: string) => void;
}

const startLimitMs = 30_000; // a cold start under load on two cores takes a few seconds
const stopLimitMs = 5_000;
const endWithParent = fileURLToPath(new URL('./end-with-parent.ts', import.meta.url));
const leash = fileURLToPath(new URL('./leash.ts', import.meta.url));

/**
 * Starts a process and resolves when its own output says on which port it listens.
 *
 * It is the leader of a process group of its own, so that Ctrl-C in a terminal reaches the demo alone, which then stops the others in order.
 *
 * @throws {Error} It ended, or said nothing for 30 s, before it listened; the message ends with the last lines that it wrote.
 */
export async function startProcess(options: ProcessOptions): Promise<ManagedProcess> {
  const { name, logFile } = options;
  const output = { stdout: '', stderr: '' };
  const collect = (stream: 'stdout' | 'stderr', line: string) => {
    output[stream] += `${line}\n`;
    appendFileSync(logFile, `${line}\n`);
  };
  let port = 0;
  const begin = () => startRun(options, port, collect, (how) => options.onUnexpectedExit?.(managed, how));
  let run = begin();
  const managed: ManagedProcess = {
    name,
    logFile,
    output,
    get port() {
      return port;
    },
    get pid() {
      return run.pid();
    },
    get running() {
      return run.running();
    },
    start: async () => {
      if (!run.running()) run = begin();
      port = await run.listening;
    },
    ready: () => run.ready,
    stop: () => run.end('SIGTERM'),
    kill: () => run.end('SIGKILL'),
    restart: async () => {
      await managed.stop();
      await managed.start();
      await managed.ready();
    },
  };
  try {
    await managed.start();
    return managed;
  } catch (error) {
    await managed.kill();
    throw error;
  }
}

interface Run {
  readonly listening: Promise<number>;
  readonly ready: Promise<number>;
  pid(): number;
  running(): boolean;
  end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void>;
}

function startRun(
  options: ProcessOptions,
  port: number,
  collect: (stream: 'stdout' | 'stderr', line: string) => void,
  onUnexpectedExit: (how: string) => void,
): Run {
  const { name, kind, read } = options;
  const startedAt = performance.now();
  const child = spawnWithParent(kind, options.command(port));
  const listening = Promise.withResolvers<number>();
  const ready = Promise.withResolvers<number>();
  const ended = Promise.withResolvers<void>();
  let pid = child.pid ?? 0;
  let expected = true;
  const lastLines: string[] = [];
  const fail = (what: string) => {
    const error = new Error(`${name} ${what}${lastLines.map((line) => `\n  ${line}`).join('')}`);
    listening.reject(error);
    ready.reject(error);
  };
  // Whoever waits for them sees the rejection; nobody has to wait for both.
  listening.promise.catch(() => {});
  ready.promise.catch(() => {});

  for (const stream of ['stdout', 'stderr'] as const) {
    // The cast holds: both are pipes, see spawnWithParent.
    createInterface({ input: child[stream] as NodeJS.ReadableStream }).on('line', (line) => {
      collect(stream, line);
      lastLines.push(line);
      if (lastLines.length > 8) lastLines.shift();
      const progress = read(line);
      if (progress?.port !== undefined) {
        expected = false;
        listening.resolve(progress.port);
      }
      if (progress?.ready) ready.resolve(performance.now() - startedAt);
    });
  }
  child.on('message', (message: { pid?: number }) => {
    pid = message.pid ?? pid;
  });
  child.once('error', (error) => {
    fail(`could not be started: ${error.message}`);
    ended.resolve();
  });
  child.once('close', (code, signal) => {
    clearTimeout(startLimit);
    const how = `ended (${signal ?? `exit code ${code}`})`;
    fail(how);
    ended.resolve();
    if (!expected) onUnexpectedExit(how);
  });
  const startLimit = setTimeout(() => fail(`was not ready after ${startLimitMs / 1000} s`), startLimitMs);
  ready.promise.then(
    () => clearTimeout(startLimit),
    () => {},
  );

  const running = () => child.exitCode === null && child.signalCode === null;
  const send = (signal: NodeJS.Signals) => {
    if (kind === 'program' && child.connected) child.send({ signal });
    else child.kill(signal);
  };
  return {
    listening: listening.promise,
    ready: ready.promise,
    pid: () => pid,
    running,
    end: async (signal) => {
      expected = true;
      if (running()) send(signal);
      const limit = setTimeout(() => send('SIGKILL'), stopLimitMs);
      await ended.promise;
      clearTimeout(limit);
    },
  };
}

function spawnWithParent(kind: ProcessOptions['kind'], { file, args, env, cwd }: ReturnType<ProcessOptions['command']>): ChildProcess {
  const nodeArgs = kind === 'node' ? ['--import', endWithParent, file] : [leash, file];
  return spawn(process.execPath, [...nodeArgs, ...args], {
    env: env ?? process.env,
    cwd,
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    detached: true,
  });
}
