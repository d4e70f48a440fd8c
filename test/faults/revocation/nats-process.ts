import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { end, spawnOwned } from '../program.ts';

/** A nats-server in a process of its own, which can be ended and started again on the same ports with what is on its disk. */
export interface NatsProcess {
  readonly name: string;
  /** Where clients connect on 127.0.0.1. */
  readonly port: number;
  /** Directory that JetStream keeps its files in. */
  readonly store: string;
  readonly isRunning: boolean;
  readonly pid: number;
  /** The first line of its log, since it was last started, that has this in it; waits for it. */
  logged(text: string): Promise<string>;
  /** SIGKILL; resolves when it is gone. */
  kill(): Promise<void>;
  /** SIGTERM: what is in memory goes to the disk. */
  stop(): Promise<void>;
  /** Starts it again after `kill` or `stop`. */
  start(): Promise<void>;
  /** SIGSTOP: it answers nobody, and its connections stay. */
  pause(): void;
  resume(): void;
}

export interface NatsProcessOptions {
  readonly name: string;
  /** The program. */
  readonly path: string;
  /** For its configuration and, unless `store` says otherwise, its data. Created when it is not there. */
  readonly directory: string;
  readonly store?: string;
  /** Further text of its configuration, asked for at each start. */
  readonly config?: () => string;
  /** Default: one that is free. */
  readonly port?: number;
  /** Command that it is started through, such as `['prlimit', '--fsize=1000']`. */
  readonly through?: readonly string[];
  /** Added to its environment. */
  readonly env?: Readonly<Record<string, string>>;
}

const keptLines = 500;

/** Starts a nats-server with JetStream on 127.0.0.1 and resolves when it takes clients. */
export async function startNatsProcess(options: NatsProcessOptions): Promise<NatsProcess> {
  const { name, path, directory, store = join(directory, 'jetstream'), config = () => '', through = [], env = {} } = options;
  const file = join(directory, 'nats.conf');
  await mkdir(directory, { recursive: true });
  let port = options.port ?? -1;
  let child: ReturnType<typeof spawnOwned> | undefined;
  let lines: string[] = [];
  const lookers = new Set<(line: string) => void>();
  const isRunning = () => child !== undefined && child.exitCode === null && child.signalCode === null;

  async function start(): Promise<void> {
    if (isRunning()) return;
    await writeFile(file, `listen: "127.0.0.1:${port}"\njetstream { store_dir: ${JSON.stringify(store)} }\n${config()}\n`);
    const [command = path, ...args] = [...through, path, '-c', file];
    const started = spawnOwned(command, args, { env: { PATH: process.env.PATH, ...env }, stdio: ['ignore', 'ignore', 'pipe'] });
    child = started;
    lines = [];
    const { stderr } = started;
    if (!stderr) throw new Error('standard error was asked for');
    const ready = Promise.withResolvers<void>();
    createInterface({ input: stderr }).on('line', (line) => {
      lines.push(line);
      if (lines.length > keptLines) lines.shift();
      port = Number(/Listening for client connections on 127\.0\.0\.1:(\d+)/.exec(line)?.[1] ?? port);
      if (line.includes('Server is ready')) ready.resolve();
      for (const look of lookers) look(line);
    });
    started.once('exit', () => ready.reject(new Error(`${name} ended before it was ready: ${lines.slice(-5).join('; ')}`)));
    await ready.promise;
  }

  async function leave(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    if (!child || !isRunning()) return;
    child.kill('SIGCONT'); // one that is stopped would not take SIGTERM
    await end(child, signal);
  }

  await start();
  return {
    name,
    store,
    get port() {
      return port;
    },
    get isRunning() {
      return isRunning();
    },
    get pid() {
      return Number(child?.pid); // it was started
    },
    async logged(text) {
      const found = lines.find((line) => line.includes(text));
      if (found !== undefined) return found;
      return await new Promise((resolve) => {
        const look = (line: string) => {
          if (!line.includes(text)) return;
          lookers.delete(look);
          resolve(line);
        };
        lookers.add(look);
      });
    },
    kill: () => leave('SIGKILL'),
    stop: () => leave('SIGTERM'),
    start,
    pause: () => void child?.kill('SIGSTOP'),
    resume: () => void child?.kill('SIGCONT'),
  };
}
