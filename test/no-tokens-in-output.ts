import childProcess, { ChildProcess } from 'node:child_process';
import fs from 'node:fs';
import http2 from 'node:http2';
import { syncBuiltinESMExports } from 'node:module';
import { Socket } from 'node:net';
import type { Readable } from 'node:stream';
import { inspect } from 'node:util';
import { afterAll, afterEach, expect } from 'vitest';
import { createTokenScanner, tokensIn } from './tokens-in.ts';
import { tokensInDatabases, tokensInRecord } from './tokens-in-records.ts';

// Whatever leaves is looked through: what the process of a test file prints, what processes that it starts print, what OpenTelemetry exports to it, what it
// scrapes, what it sends to PostgreSQL, and the SQLite databases in the directories that it removes. A token in it fails the test during which it was seen.
const leaked: string[] = [];

function watchPrinted(stream: NodeJS.WriteStream): void {
  const write = stream.write.bind(stream);
  const scan = createTokenScanner();
  stream.write = ((chunk: string | Uint8Array, ...rest: []) => {
    leaked.push(...scan(textOf(chunk)));
    return write(chunk, ...rest);
  }) as typeof stream.write;
}

/** Sees what arrives without reading it: a stream that nobody reads stays as it is. */
function watchArriving(stream: Readable | null, from: string): void {
  if (!stream) return;
  const push = stream.push.bind(stream);
  const scan = createTokenScanner();
  stream.push = (chunk, encoding) => {
    if (chunk !== null) leaked.push(...scan(textOf(chunk)).map((found) => `${from}: ${found}`));
    return push(chunk, encoding);
  };
}

function textOf(chunk: string | Uint8Array): string {
  return typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString('latin1');
}

function watchProcesses(): void {
  // not in Node's types: where spawn, fork, exec and execFile meet
  const { prototype } = ChildProcess as unknown as { prototype: ChildProcess & { spawn(options: { file: string }): number } };
  const { spawn } = prototype;
  prototype.spawn = function (options) {
    const failed = spawn.call(this, options);
    for (const stream of ['stdout', 'stderr'] as const) watchArriving(this[stream], `${stream} of ${options.file}`);
    return failed;
  };
}

/** What they print is there when they have ended. */
function watchSynchronous(): void {
  const { spawnSync, execFileSync } = childProcess;
  const look = (output: string | Uint8Array | null | undefined, program: string) =>
    leaked.push(...tokensIn(textOf(output ?? '')).map((found) => `output of ${program}: ${found}`));
  // the casts hold: they have the overloads of what they call with the same arguments
  childProcess.spawnSync = ((...args: Parameters<typeof spawnSync>) => {
    const ended = spawnSync(...args);
    for (const output of [ended.stdout, ended.stderr]) look(output, args[0]);
    return ended;
  }) as typeof spawnSync;
  childProcess.execFileSync = ((...args: Parameters<typeof execFileSync>) => {
    try {
      const stdout = execFileSync(...args);
      look(stdout, args[0]);
      return stdout;
    } catch (error) {
      // the cast holds for a program that failed; one that could not be started has printed nothing
      const { stdout, stderr } = error as Partial<Record<'stdout' | 'stderr', string | Uint8Array | null>>;
      for (const output of [stdout, stderr]) look(output, args[0]);
      throw error;
    }
  }) as typeof execFileSync;
  syncBuiltinESMExports();
}

function watchExports(): void {
  const { createServer } = http2;
  http2.createServer = ((...args: Parameters<typeof createServer>) =>
    createServer(...args).on('stream', (stream, { ':path': path = '' }) => {
      if (path.startsWith('/opentelemetry.proto.collector.')) watchArriving(stream, path);
    })) as typeof createServer;
  syncBuiltinESMExports();
}

function watchScrapes(): void {
  const { fetch } = globalThis;
  globalThis.fetch = async (input, init) => {
    const response = await fetch(input, init);
    if (new URL(response.url || 'http://none').pathname === '/metrics') leaked.push(...tokensIn(await response.clone().text()));
    return response;
  };
}

/** A message to PostgreSQL is written at once, with all its values as they are. */
function watchPostgres(): void {
  const { connect } = Socket.prototype;
  Socket.prototype.connect = function (this: Socket, ...args: [never]) {
    connect.apply(this, args); // puts the usual `write` in its place
    // net.connect hands its arguments on as one list
    const [target] = (args as unknown[]).flat() as [{ readonly path?: unknown } | string | number | undefined];
    if (/\/\.s\.PGSQL\.\d+$/.test(String(typeof target === 'object' ? target.path : target))) {
      const write = this.write.bind(this);
      this.write = ((chunk: string | Uint8Array, ...rest: []) => {
        leaked.push(...tokensInRecord(textOf(chunk)).map((found) => `PostgreSQL: ${found}`));
        return write(chunk, ...rest);
      }) as typeof write;
    }
    return this;
  };
}

function watchRemoved(): void {
  const { rmSync } = fs;
  const { rm } = fs.promises;
  const look = (path: fs.PathLike) => {
    const directory = String(path);
    if (fs.statSync(directory, { throwIfNoEntry: false })?.isDirectory()) leaked.push(...tokensInDatabases(directory));
  };
  fs.rmSync = (path, options) => {
    look(path);
    rmSync(path, options);
  };
  fs.promises.rm = async (path, options) => {
    look(path);
    await rm(path, options);
  };
  syncBuiltinESMExports();
}

/** More than is printed: a token deep down in what is logged today is at its top tomorrow. */
const wholly = { depth: null, maxArrayLength: null, maxStringLength: null, breakLength: Number.POSITIVE_INFINITY } as const;

watchPrinted(process.stdout);
watchPrinted(process.stderr);
for (const level of ['log', 'info', 'warn', 'error', 'debug', 'trace'] as const) {
  const print = console[level].bind(console);
  console[level] = (...values: unknown[]) => {
    leaked.push(...values.flatMap((value) => tokensIn(typeof value === 'string' ? value : inspect(value, wholly))));
    print(...values);
  };
}
watchProcesses();
watchSynchronous();
watchExports();
watchScrapes();
watchPostgres();
watchRemoved();

const expectNone = () => expect(leaked.splice(0), 'tokens that left').toEqual([]);
afterEach(expectNone);
afterAll(expectNone); // of what hooks did, and of processes that ended late

/** What was seen since this was asked last, for the test of the watch itself. */
export function takeLeaked(): string[] {
  return leaked.splice(0);
}
