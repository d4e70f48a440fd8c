import { setTimeout as delay } from 'node:timers/promises';
import type { BenchMesh } from './bench-mesh.ts';
import { type Figure, pointAt, type Series, type SuiteOptions, summarize } from './measure.ts';
import type { ColdAnswer, ColdSettings } from './measured-cold-verifier.ts';
import { startMeasured } from './measured-process.ts';

/** As many as verifiers start against, in three steps. */
export const coldStartSizes = [10_000, 100_000, 1_000_000] as const;

/** What verifiers take that start against as many revocations as each of these meshes has, one mesh after the other, and what they hold then. */
export async function coldStartFigures(
  meshes: readonly BenchMesh[],
  { quick, report }: SuiteOptions,
): Promise<{ readonly figures: readonly Figure[]; readonly series: readonly Series[] }> {
  const starts = quick ? 2 : 7;
  const measured = meshes.map((mesh) => ({ mesh, answers: [] as ColdAnswer[], endedAt: 0 }));
  for (let start = 0; start < starts; start++) {
    for (const of of measured) {
      report(`${of.mesh.revocations} revocations, cold start ${start + 1} of ${starts}`);
      await delay(Math.max(0, of.endedAt + snapshotSharedMs - performance.now()));
      of.answers.push(await startCold(of.mesh));
      of.endedAt = performance.now();
    }
  }
  const points = measured.map(({ mesh, answers }) =>
    pointAt(
      mesh.revocations,
      answers.map(({ freshMs }) => freshMs),
    ),
  );
  return {
    figures: measured.flatMap(({ mesh, answers }) => figuresOf(mesh.revocations, answers)),
    series: [{ chart: 'catch-up-against-entries', name: 'keys, snapshot and checkpoint from token-exchange', points }],
  };
}

/** token-exchange hands one snapshot to all who ask for it within two seconds: each of these starts has one made. */
const snapshotSharedMs = 2_000;

async function startCold(mesh: BenchMesh): Promise<ColdAnswer> {
  const { directory, tokenExchange, revocations } = mesh;
  const settings: ColdSettings = { directory, tokenExchange, revocations };
  await using verifier = await startMeasured<object, ColdAnswer>('measured-cold-verifier.ts', settings, 0);
  const answer = await verifier.ask({});
  if (answer.entries !== revocations) throw new Error(`a cold verifier knows ${answer.entries} of ${revocations} revocations`);
  return answer;
}

function figuresOf(size: number, all: readonly ColdAnswer[]): readonly Figure[] {
  const most = size === 1_000_000;
  const of = (read: (answer: ColdAnswer) => number) => all.map(read);
  const target = (atMost: number) => (most ? { atMost } : undefined);
  const label = `${most ? 'P15 ' : '    '}${size.toLocaleString('en').replaceAll(',', ' ')} revocations`;
  const held = of(({ heldBytes, entries }) => heldBytes / entries);
  return [
    summarize(
      `${label}: cold start → fresh`,
      'ms',
      of(({ freshMs }) => freshMs),
      target(1_000),
    ),
    summarize(`${label}: held per entry`, 'B', held, target(20)),
    ...(most
      ? [
          summarize(
            `${label}: process larger by, per entry`,
            'B',
            of(({ residentBytes, entries }) => residentBytes / entries),
          ),
        ]
      : []),
    summarize(
      `${label}: look-up, miss`,
      'ns',
      of(({ missNs }) => missNs),
      target(150),
    ),
    ...(most
      ? [
          summarize(
            '   one word at random out of a MiB of memory',
            'ns',
            of(({ wordNs }) => wordNs),
          ),
        ]
      : []),
    summarize(
      `${label}: look-up, hit`,
      'ns',
      of(({ hitNs }) => hitNs),
    ),
    summarize(
      `${label}: whole find, every kind looked at, miss`,
      'ns',
      of(({ wholeMissNs }) => wholeMissNs),
    ),
    summarize(
      `${label}: longest pause of the event loop at the start`,
      'ms',
      of(({ longestPauseMs }) => longestPauseMs),
    ),
    summarize(
      `${label}: longest pause for garbage at the start`,
      'ms',
      of(({ longestGcMs }) => longestGcMs),
    ),
    summarize(
      `${most ? 'P18' : '   '} ${label.slice(4)}: added to a full collection`,
      'ms',
      of(({ gcAddedMs }) => gcAddedMs),
      target(5),
    ),
  ];
}
