import { parseArgs } from 'node:util';
import { suites } from './suites.ts';

/** What a run was asked for. */
export interface BenchArguments {
  /** Suites by their names, all of them when none was named. */
  readonly names: readonly string[];
  readonly quick: boolean;
  readonly json: boolean;
  readonly compare: boolean;
  readonly record: boolean;
  /** Where charts go; absent: none are drawn. */
  readonly charts?: string;
  readonly help: boolean;
}

const column = Math.max(...Object.keys(suites).map((name) => name.length));

export const help = `pnpm bench [suite…] [--quick] [-o json] [--compare] [--record] [--charts <directory>]

Measures what the mesh costs beside baselines in the same run: real processes over loopback, interleaved slices, medians; the spread are
quartiles. Without suites, all of them:

${Object.entries(suites)
  .map(([name, { about }]) => `  ${name.padEnd(column)}  ${about}`)
  .join('\n')}

  --quick               fewer and shorter slices, every figure, about a minute a suite
  -o json               one JSON document on standard output
  --compare             beside the figures of the last recorded run, what changed since; exit code 1 when one is worse beyond both spreads
  --record              keeps the figures that do not depend on the machine in test/bench/history.jsonl
  --charts <directory>  draws how figures grow into SVG files
  --help                this text

A target that is missed is printed as such and changes nothing about the exit code: the machine has a say in it. Exit code 1 when a suite broke or
one of its checks failed, 2 when the arguments are wrong. Needs Linux (/proc, taskset) and two processors.
`;

/** @throws {TypeError} The arguments are wrong; its text says which. */
export function parseBenchArguments(args: readonly string[]): BenchArguments {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      quick: { type: 'boolean', default: false },
      output: { type: 'string', short: 'o' },
      compare: { type: 'boolean', default: false },
      record: { type: 'boolean', default: false },
      charts: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  const unknown = positionals.filter((name) => !Object.hasOwn(suites, name));
  if (unknown.length > 0) throw new TypeError(`no such suite: ${unknown.join(', ')}; there are ${Object.keys(suites).join(', ')}`);
  if (values.output !== undefined && values.output !== 'json') throw new TypeError(`-o ${values.output}: the one output is json`);
  if (values.charts === '') throw new TypeError('--charts needs a directory');
  return {
    names: positionals.length > 0 ? [...new Set(positionals)] : Object.keys(suites),
    quick: values.quick,
    json: values.output === 'json',
    compare: values.compare,
    record: values.record,
    ...(values.charts !== undefined && { charts: values.charts }),
    help: values.help,
  };
}
