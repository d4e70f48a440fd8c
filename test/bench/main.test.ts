import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { help } from './bench-arguments.ts';

const bench = (...args: readonly string[]) =>
  spawnSync(process.execPath, [join(import.meta.dirname, 'main.ts'), ...args], { encoding: 'utf8' });

it('shows its help on standard output, and ends well', () => {
  expect(bench('--help')).toMatchObject({ status: 0, stdout: help, stderr: '' });
});

it('measures nothing when an argument is wrong: it says which, and ends with 2', () => {
  const { status, stdout, stderr } = bench('verify', 'memori');
  expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
  expect(stderr).toMatch(/^no such suite: memori; there are calls, /);
});
