import { afterEach, expect } from 'vitest';
import { tokensIn } from './tokens-in.ts';

// Whatever the process of a test file prints is looked through: a token in it fails the test that printed it.
const leaked: string[] = [];

function watch(stream: NodeJS.WriteStream): void {
  const write = stream.write.bind(stream);
  stream.write = ((chunk: string | Uint8Array, ...rest: []) => {
    leaked.push(...tokensIn(typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString('latin1')));
    return write(chunk, ...rest);
  }) as typeof stream.write;
}

watch(process.stdout);
watch(process.stderr);
for (const level of ['log', 'info', 'warn', 'error', 'debug', 'trace'] as const) {
  const print = console[level].bind(console);
  console[level] = (...values: unknown[]) => {
    leaked.push(...values.flatMap((value) => tokensIn(typeof value === 'string' ? value : JSON.stringify(value))));
    print(...values);
  };
}

afterEach(() => {
  expect(leaked.splice(0), 'tokens printed by the test').toEqual([]);
});
