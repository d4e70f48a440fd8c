import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { help } from './bench-arguments.ts';

const main = join(import.meta.dirname, 'main.ts');
const bench = (...args: readonly string[]) => spawnSync(process.execPath, [main, ...args], { encoding: 'utf8' });

it('shows its help on standard output, and ends well', () => {
  expect(bench('--help')).toMatchObject({ status: 0, stdout: help, stderr: '' });
});

it('measures nothing when an argument is wrong: it says which, and ends with 2', () => {
  const { status, stdout, stderr } = bench('verify', 'memori');
  expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
  expect(stderr).toMatch(/^no such suite: memori; there are calls, /);
});

it('measures nothing where charts cannot be put: it says so before the run, and ends with 2', () => {
  const { status, stdout, stderr } = bench('verify', '--quick', '--charts', main);
  expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
  expect(stderr).toMatch(/^--charts needs a directory: EEXIST/);
});

it('measures nothing where it cannot choose a processor: it says what is needed', () => {
  const env = { ...process.env, PATH: '' };
  const { status, stdout, stderr } = spawnSync(process.execPath, [main, 'verify', '--quick'], { encoding: 'utf8', env });
  expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
  expect(stderr).toMatch(/^Linux with taskset and two processors is needed: .*taskset/);
});
