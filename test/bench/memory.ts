import { type BenchMesh, startBenchMesh } from './bench-mesh.ts';
import type { HeldResources } from './held-resources.ts';
import { type Figure, medianOf, type SuiteOptions, type SuiteResult, summarize } from './measure.ts';
import { type MeasuredProcess, startMeasured } from './measured-process.ts';
import { checkRefusals, type MeasuredServer, startMeasuredServer } from './measured-side.ts';
import type { SteadyAnswer, SteadyQuestion, SteadySettings } from './measured-steady-client.ts';
import { idleFigure } from './revocation-at-rest.ts';
import { trendOf } from './trend.ts';

const many = 1_000_000;
const few = 10;

/** A verifier and who calls it. */
interface Worked {
  readonly server: MeasuredServer;
  readonly client: MeasuredProcess<SteadyQuestion, SteadyAnswer>;
}

/** What a verifier takes that has nothing to do, that knows a million revocations, and that works for half an hour. */
export async function memorySuite(options: SuiteOptions): Promise<SuiteResult> {
  await using started = new AsyncDisposableStack();
  options.report('starting token-exchange with 1 000 000 revocations, and another with 10');
  const [mesh, small] = await Promise.all([startBenchMesh({ targets: many }), startBenchMesh({ targets: few })]);
  started.use(mesh);
  started.use(small);
  const idle = await idleFigure(mesh, options);
  const worked = { many: await startWorked(started, mesh), few: await startWorked(started, small) };
  const half = await halfLoad(worked.many, options);
  const pauses = await pauseFigures(worked, half, options);
  const checks = await checkRefusals(mesh, worked.many.server);
  const long = await steadyFigures(worked.many, half, options);
  const { revocations, fresh } = await worked.many.server.ask({});
  // those that were filled in live for hours; the two others of tokens may be over
  if (!fresh || revocations < many - 1) throw new Error(`in the end the verifier knows ${revocations} revocations, fresh: ${fresh}`);
  return {
    suite: 'memory',
    figures: [idle, ...pauses, ...long],
    checks: [...checks, 'and still is after the last call, none of which failed'],
  };
}

async function startWorked(started: AsyncDisposableStack, mesh: BenchMesh): Promise<Worked> {
  const server = started.use(await startMeasuredServer(mesh, 'mesh'));
  const settings: SteadySettings = { directory: mesh.directory, tokenExchange: mesh.tokenExchange, port: server.port };
  return { server, client: started.use(await startMeasured<SteadyQuestion, SteadyAnswer>('measured-steady-client.ts', settings, 1)) };
}

/** Calls per second that are half of what the verifier answers. */
async function halfLoad({ client }: Worked, { quick, report }: SuiteOptions): Promise<number> {
  report('what the verifier answers at most');
  const seconds = quick ? 1 : 5;
  await client.ask({ seconds }); // compiled before it counts
  const { calls } = await client.ask({ seconds });
  return calls / seconds / 2;
}

/** Longest pauses at half load, of a verifier with a million revocations beside one with ten, slice by slice. */
async function pauseFigures(
  worked: Readonly<Record<'many' | 'few', Worked>>,
  perSecond: number,
  { quick, report }: SuiteOptions,
): Promise<readonly Figure[]> {
  const [rounds, seconds] = quick ? [6, 1] : [30, 4];
  const longest = { many: [] as number[], few: [] as number[] };
  for (let round = -1; round < rounds; round++) {
    report(`pauses, round ${round + 1} of ${rounds}`);
    for (const side of ['many', 'few'] as const) {
      const { server, client } = worked[side];
      await client.ask({ seconds, perSecond });
      const { longestGcMs } = await look(server);
      if (round >= 0) longest[side].push(longestGcMs); // the first look begins the watch
    }
  }
  const added = longest.many.map((ms, index) => ms - (longest.few[index] ?? Number.NaN));
  return [
    summarize('P18 longest pause for garbage, added by 1 000 000 revocations', 'ms', added, { atMost: 5 }),
    summarize(`longest pause for garbage in ${seconds} s at half load: 1 000 000 revocations`, 'ms', longest.many),
    summarize(`longest pause for garbage in ${seconds} s at half load: 10 revocations`, 'ms', longest.few),
  ];
}

/** Memory and handles of a verifier that goes on working: half an hour, or less than a minute, which is too short for a verdict on memory. */
async function steadyFigures({ server, client }: Worked, perSecond: number, { quick, report }: SuiteOptions): Promise<readonly Figure[]> {
  const [warmUp, slices, seconds] = quick ? [2, 8, 1] : [30, 180, 10];
  const looks: (HeldResources & { readonly atMs: number })[] = [];
  for (let slice = -warmUp; slice < slices; slice++) {
    report(`half load, ${perSecond.toFixed(0)} calls/s, slice ${slice + 1} of ${slices}`);
    await client.ask({ seconds, perSecond });
    const held = await look(server);
    if (slice >= 0) looks.push({ ...held, atMs: performance.now() });
  }
  const third = Math.floor(slices / 3);
  const handles = looks.map((held) => held.handles);
  const more = medianOf(handles.slice(-third)) - medianOf(handles.slice(0, third));
  const during = `${(slices * seconds) / 60 >= 1 ? `${(slices * seconds) / 60} min` : `${slices * seconds} s`} at half load`;
  const grown = (name: string, bytes: (held: HeldResources) => number | undefined): Figure => {
    const points = looks.flatMap((held) => {
      const y = bytes(held);
      return y === undefined ? [] : [{ x: held.atMs / 3_600_000, y: y / 1024 ** 2 }];
    });
    const { slope, interval } = trendOf(points);
    return { name: `${name}, growth in ${during} (95 % interval)`, unit: 'MB/h', value: slope, spread: interval };
  };
  const all = grown('memory of the process', ({ residentBytes }) => residentBytes);
  return [
    quick ? { ...all, name: `${all.name}: too short for a verdict` } : { ...all, name: `P18 ${all.name}`, target: { atMost: 1 } },
    grown('   what full collections leave of its heap', ({ keptBytes }) => keptBytes),
    grown('   what V8 compiled, a part of that', ({ codeBytes }) => codeBytes),
    summarize(`P18 handles, last third less first third of ${during}`, '', [more], { atMost: 0 }),
    summarize(
      `memory of the process, ${during}`,
      'MB',
      looks.map(({ residentBytes }) => residentBytes / 1024 ** 2),
    ),
    summarize('half load', '/s', [perSecond]),
  ];
}

async function look(server: MeasuredServer): Promise<HeldResources> {
  const { resources } = await server.ask({ resources: true });
  if (!resources) throw new Error('unreachable: it was asked for them');
  return resources;
}
