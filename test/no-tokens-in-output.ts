import { ChildProcess } from 'node:child_process';
import http2 from 'node:http2';
import { syncBuiltinESMExports } from 'node:module';
import type { Readable } from 'node:stream';
import { afterAll, afterEach, expect } from 'vitest';
import { createTokenScanner, tokensIn } from './tokens-in.ts';

// Whatever leaves is looked through: what the process of a test file prints, what processes that it starts print, what OpenTelemetry exports to it, and what it
// scrapes. A token in it fails the test during which it left.
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

watchPrinted(process.stdout);
watchPrinted(process.stderr);
for (const level of ['log', 'info', 'warn', 'error', 'debug', 'trace'] as const) {
  const print = console[level].bind(console);
  console[level] = (...values: unknown[]) => {
    leaked.push(...values.flatMap((value) => tokensIn(typeof value === 'string' ? value : JSON.stringify(value))));
    print(...values);
  };
}
watchProcesses();
watchExports();
watchScrapes();

const expectNone = () => expect(leaked.splice(0), 'tokens that left').toEqual([]);
afterEach(expectNone);
afterAll(expectNone); // of what hooks did, and of processes that ended late

/** What was seen since this was asked last, for the test of the watch itself. */
export function takeLeaked(): string[] {
  return leaked.splice(0);
}
