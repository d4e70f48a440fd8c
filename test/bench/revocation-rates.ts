import { randomBytes } from 'node:crypto';
import { Server, ServerCredentials } from '@grpc/grpc-js';
import { tokenmesh } from '@tokenmesh/proto';
import { revocationSubjects } from '@tokenmesh/revocation/nats';
import { createMemoryRecord, type MemoryRecord, serveMemoryRecord } from '@tokenmesh/revocation/testing';
import { connect, type NatsConnection } from 'nats';
import type { BenchMesh } from './bench-mesh.ts';
import { cpuMicros, type Figure, type SuiteOptions, summarize } from './measure.ts';
import type { ApplierAnswer, ApplierQuestion, ApplierSettings } from './measured-applier.ts';
import { startMeasured } from './measured-process.ts';
import type { RevokerAnswer, RevokerQuestion } from './measured-revoker.ts';
import { measureRawSync, writtenBytes } from './raw-sync.ts';

/**
 * Calls of Revoke that one token-exchange, on the first processor, makes durable, each for one token, at several numbers of calls at a time. Beside the number
 * that has a target, after each slice: the bytes of as many calls, appended and synced by nobody in particular.
 */
export async function revokeFigures(
  { directory, tokenExchange, pid }: BenchMesh,
  { quick, report }: SuiteOptions,
): Promise<readonly Figure[]> {
  await using revoker = await startMeasured<RevokerQuestion, RevokerAnswer>('measured-revoker.ts', { directory, tokenExchange }, 1);
  const seconds = quick ? 0.3 : 2;
  const slices = quick ? 3 : 10;
  const figures: Figure[] = [];
  await revoker.ask({ inFlight: 32, seconds: 1, targets: 1 });
  for (const inFlight of [1, 16, 32, 64, 256]) {
    const answers: RevokerAnswer[] = [];
    const costs: number[] = [];
    const raw: { readonly bytes: number; readonly p50Ms: number; readonly p99Ms: number }[] = [];
    const isTarget = inFlight === sustainedInFlight;
    while (answers.length < slices) {
      report(`Revoke with ${inFlight} in flight, slice ${answers.length + 1} of ${slices}`);
      const written = writtenBytes(pid);
      const before = cpuMicros(pid);
      const answer = await revoker.ask({ inFlight, seconds, targets: 1 });
      costs.push((cpuMicros(pid) - before) / answer.calls);
      answers.push(answer);
      if (!isTarget) continue;
      const bytes = Math.round(((writtenBytes(pid) - written) / answer.calls) * inFlight);
      raw.push({ bytes, ...(await measureRawSync(directory, bytes, rawSyncs)) });
    }
    const label = `${isTarget ? 'P16' : '   '} Revoke, ${inFlight} in flight`;
    const of = (read: (answer: RevokerAnswer) => number) => answers.map(read);
    figures.push(
      summarize(
        `${label}: durable calls per second`,
        '/s',
        of(({ perSecond }) => perSecond),
        isTarget ? { atLeast: 2_000 } : undefined,
      ),
      summarize(
        `${label}: p99`,
        'ms',
        of(({ p99Ms }) => p99Ms),
        isTarget ? { atMost: 25 } : undefined,
      ),
      summarize(`${label}: CPU of token-exchange, each`, 'µs', costs),
    );
    if (!isTarget) continue;
    const ofRaw = (read: (one: (typeof raw)[number]) => number) => raw.map(read);
    figures.push(
      summarize(
        `    written by ${inFlight} calls`,
        'kB',
        ofRaw(({ bytes }) => bytes / 1_000),
      ),
      summarize(
        `    the same bytes appended and synced by themselves: p50`,
        'ms',
        ofRaw(({ p50Ms }) => p50Ms),
      ),
      summarize(
        `    the same bytes appended and synced by themselves: p99`,
        'ms',
        ofRaw(({ p99Ms }) => p99Ms),
      ),
    );
  }
  report('Revoke of 500 targets at a time');
  const large: RevokerAnswer[] = [];
  while (large.length < slices) large.push(await revoker.ask({ inFlight: 4, seconds, targets: maxTargets }));
  const targets = large.map(({ perSecond }) => perSecond * maxTargets);
  return [...figures, summarize('    Revoke of 500 targets, 4 in flight: targets per second', '/s', targets)];
}

/** Commits of the disk alone after each slice; a slice of calls has about as many. */
const rawSyncs = 100;
/** Enough to fill the batches, and not so many that they wait for one another. */
const sustainedInFlight = 32;
/** What one event holds at most. */
const maxTargets = 500;

/** Events that a verifier applies one after the other as fast as NATS brings them, and what one costs it. */
export async function applyFigures(nats: string, { quick, report }: SuiteOptions): Promise<readonly Figure[]> {
  await using started = new AsyncDisposableStack();
  const record = createMemoryRecord({ mesh: 'applied.test' });
  const server = new Server();
  server.addService(tokenmesh.RevocationFeed.service, serveMemoryRecord(record));
  started.defer(() => server.forceShutdown());
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) => (error ? reject(error) : resolve(bound))),
  );
  const connection = await connect({ servers: nats });
  started.defer(() => connection.close());
  const subjects = revocationSubjects(record.mesh);
  const heart = setInterval(() => connection.publish(subjects.checkpoints, record.beat()), 500);
  started.defer(() => clearInterval(heart));
  const settings: ApplierSettings = { nats, record: `127.0.0.1:${port}`, issuer: record.issuer, mesh: record.mesh };
  const applier = started.use(await startMeasured<ApplierQuestion, ApplierAnswer>('measured-applier.ts', settings, 0));
  const figures: Figure[] = [];
  for (const { targets, events } of [
    { targets: 1, events: quick ? 500 : 1_000 },
    { targets: maxTargets, events: quick ? 20 : 50 },
  ]) {
    const slices = quick ? 5 : 20;
    const rates: number[] = [];
    const costs: number[] = [];
    for (let slice = -1; slice < slices; slice++) {
      report(`events of ${targets} targets, slice ${slice + 1} of ${slices}`);
      const { perSecond, cpuMicros } = await applySlice(record, connection, applier, { targets, events });
      if (slice < 0) continue; // compiled then
      rates.push(perSecond);
      costs.push(cpuMicros);
    }
    const label = `    events of ${targets} target${targets === 1 ? '' : 's'}`;
    figures.push(
      summarize(`${label} that a verifier applies per second`, '/s', rates),
      summarize(`${label}: CPU at the verifier, each`, 'µs', costs),
    );
  }
  const { state, n } = await applier.ask({ type: 'expect', events: 0 });
  if (state !== 'fresh' || n !== record.head().n) throw new Error(`the verifier is ${state} at ${n} of ${record.head().n}`);
  return figures;
}

async function applySlice(
  record: MemoryRecord,
  connection: NatsConnection,
  applier: { ask(question: ApplierQuestion): Promise<ApplierAnswer> },
  { targets, events }: { readonly targets: number; readonly events: number },
): Promise<{ readonly perSecond: number; readonly cpuMicros: number }> {
  const exp = Math.floor(Date.now() / 1000) + 900;
  const newTarget = () => ({ kind: 'token', value: randomBytes(16).toString('base64url'), exp }) as const;
  const signed = Array.from({ length: events }, () => record.append(Array.from({ length: targets }, newTarget)));
  const before = await applier.ask({ type: 'expect', events });
  const { events: subject } = revocationSubjects(record.mesh);
  const fromNs = Number(process.hrtime.bigint());
  for (const { compact } of signed) connection.publish(subject, Buffer.from(compact, 'latin1'));
  const after = await applier.ask({ type: 'collect' });
  return { perSecond: (events / (after.atNs - fromNs)) * 1e9, cpuMicros: (after.cpuMicros - before.cpuMicros) / events };
}
