import { expect, it } from 'vitest';
import { help, parseBenchArguments } from './bench-arguments.ts';
import { suites } from './suites.ts';

it('runs every suite when none is named, and those that are, once each', () => {
  expect(parseBenchArguments([]).names).toEqual(Object.keys(suites));
  expect(parseBenchArguments(['verify', 'calls', 'verify']).names).toEqual(['verify', 'calls']);
});

it('reads what else is asked for', () => {
  expect(parseBenchArguments(['calls', '--quick', '-o', 'json', '--compare', '--record', '--charts', 'out'])).toEqual({
    ...{ names: ['calls'], quick: true, json: true, compare: true, record: true, charts: 'out', help: false },
  });
  expect(parseBenchArguments(['--help'])).toMatchObject({ help: true, quick: false, json: false, compare: false, record: false });
});

it.each([
  [['call'], 'no such suite: call'],
  [['constructor'], 'no such suite: constructor'],
  [['-o', 'yaml'], '-o yaml'],
  [['--fast'], '--fast'],
  [['--charts'], '--charts'],
  [['--charts', ''], '--charts needs a directory'],
])('says what is wrong about %j', (args, message) => {
  expect(() => parseBenchArguments(args)).toThrow(TypeError);
  expect(() => parseBenchArguments(args)).toThrow(message);
});

it('shows every suite and every option', () => {
  for (const [name, { about }] of Object.entries(suites)) expect(help).toContain(`  ${name.padEnd(10)}  ${about}\n`);
  for (const option of ['--quick', '-o json', '--compare', '--record', '--charts', '--help']) expect(help).toContain(`\n  ${option}`);
});
