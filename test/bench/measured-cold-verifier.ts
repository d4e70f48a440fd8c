// A verifier that knows nothing yet, in a process of its own. Asked once: it opens a feed, and tells what that took and what it holds then.
import { randomBytes } from 'node:crypto';
import { monitorEventLoopDelay, PerformanceObserver } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { createRevocationFeed, type RevocationSet } from '@tokenmesh/revocation';
import { grpcRecord, grpcTransport } from '@tokenmesh/revocation/grpc';
import { issuer, type MeshPlace } from './bench-mesh.ts';
import { openFeedClient } from './feed-client.ts';
import { benchJti } from './filled-record.ts';
import { collectGarbage } from './forced-gc.ts';
import { answer } from './measured-process.ts';

export interface ColdSettings extends MeshPlace {
  /** Tokens of `benchJti` that are revoked. */
  readonly revocations: number;
}

export interface ColdAnswer {
  /** From the opening of the feed until it was fresh. */
  readonly freshMs: number;
  readonly entries: number;
  /** What heap and array buffers hold more than before, once everything was collected. */
  readonly heldBytes: number;
  /** The same of the whole process, with what the allocators keep. */
  readonly residentBytes: number;
  /** Longest time meanwhile that the event loop was not free, and that the collector stopped the program. */
  readonly longestPauseMs: number;
  readonly longestGcMs: number;
  /** By how much a collection of everything takes longer with the feed than before. */
  readonly gcAddedMs: number;
  /** One look-up of a token, of whose handles only the `jti` is looked at: it is not there, or it is. */
  readonly missNs: number;
  readonly hitNs: number;
  /** One word at random out of a mebibyte, which is not in a near cache: what memory takes for each look-up, whatever it is made of. */
  readonly wordNs: number;
  /** The same as `missNs` of a token with every handle, when revocations of every kind are known and none covers it. */
  readonly wholeMissNs: number;
}

// the cast holds: the suite passes these settings
const settings = JSON.parse(process.argv[2] ?? '{}') as ColdSettings;
const client = await openFeedClient(settings);
const iat = Math.floor(Date.now() / 1000);

answer<object, ColdAnswer>(0, async () => {
  const before = held();
  const gcBeforeMs = fullGcMs();
  const pauses = monitorEventLoopDelay({ resolution: 1 });
  const collections: number[] = [];
  const observer = new PerformanceObserver((list) => collections.push(...list.getEntries().map(({ duration }) => duration)));
  observer.observe({ entryTypes: ['gc'] });
  pauses.enable();
  const from = performance.now();
  const feed = createRevocationFeed({ record: grpcRecord(client), fallback: grpcTransport(client), issuer, mesh: 'bench.test' });
  await feed.ready();
  const freshMs = performance.now() - from;
  await delay(20); // what is left of the turn counts as well
  pauses.disable();
  await delay(0);
  observer.disconnect();
  const after = held();
  const gcAddedMs = fullGcMs() - gcBeforeMs;
  const entries = feed.set.size;
  const known = () => benchJti(Math.floor(Math.random() * settings.revocations));
  const unknown = () => randomBytes(16).toString('base64url');
  const missNs = nsOf(feed.set, () => bare(unknown()), false);
  const hitNs = nsOf(feed.set, () => bare(known()), true);
  const wordNs = nsOfWord(() => bare(unknown()));
  addOneOfEachKind(feed.set);
  const wholeMissNs = nsOf(feed.set, () => whole(unknown()), false);
  await feed.close();
  client.close();
  return {
    freshMs,
    entries,
    heldBytes: after.used - before.used,
    residentBytes: after.resident - before.resident,
    longestPauseMs: Math.max(0, pauses.max / 1e6 - 1), // it counts its own millisecond
    longestGcMs: Math.max(0, ...collections),
    gcAddedMs,
    missNs,
    hitNs,
    wordNs,
    wholeMissNs,
  };
});

function held() {
  collectGarbage();
  collectGarbage();
  const { heapUsed, arrayBuffers, rss } = process.memoryUsage();
  return { used: heapUsed + arrayBuffers, resident: rss };
}

function fullGcMs(): number {
  const times = Array.from({ length: 5 }, () => {
    const from = performance.now();
    collectGarbage();
    return performance.now() - from;
  });
  return Math.min(...times);
}

const batches = 200;
const batchSize = 200;

type Handles = Parameters<RevocationSet['find']>[0];

function bare(jti: string): Handles {
  return { kid: 'k', claims: { sub: 's', aud: 'a', jti, iat, rn: Number.MAX_SAFE_INTEGER } };
}

function whole(jti: string): Handles {
  const claims = {
    sub: 'spiffe://bench.test/s',
    client_id: 'spiffe://bench.test/c',
    aud: 'spiffe://bench.test/a',
    jti,
    txn: jti,
    sid: jti,
  };
  return { kid: 'k', claims: { ...claims, act: { sub: 'spiffe://bench.test/b' }, iat, rn: Number.MAX_SAFE_INTEGER } };
}

/**
 * The median of batches. Each token is looked up once, and is made just before: one that comes again is in the verifier's cache, and one that comes for
 * the first time is in the processor's.
 */
function nsOf(set: RevocationSet, newToken: () => Handles, expected: boolean): number {
  const times: number[] = [];
  for (let batch = 0; batch < batches; batch++) {
    const tokens = Array.from({ length: batchSize }, newToken);
    let found = 0;
    const from = process.hrtime.bigint();
    for (const token of tokens) if (set.find(token)) found++;
    times.push(Number(process.hrtime.bigint() - from) / batchSize);
    if (found !== (expected ? batchSize : 0))
      throw new Error(`${found} of ${batchSize} tokens are revoked, and ${expected ? 'all' : 'none'} should be`);
  }
  return times.sort((a, b) => a - b)[batches / 2] ?? Number.NaN;
}

/** The median of as many batches, each after as many tokens were made. A read waits for the one before it, as the next look-up of a server waits for its call. */
function nsOfWord(newToken: () => Handles): number {
  const words = new Uint32Array(2 ** 18).fill(1); // written, so that it is memory of its own
  const times: number[] = [];
  let [made, at] = [0, 0];
  for (let batch = 0; batch < batches; batch++) {
    made += Array.from({ length: batchSize }, newToken).length;
    const jumps = Uint32Array.from({ length: batchSize }, () => Math.random() * words.length);
    const from = process.hrtime.bigint();
    for (const jump of jumps) at = (jump + (words[at] ?? 0)) & (words.length - 1);
    times.push(Number(process.hrtime.bigint() - from) / batchSize);
  }
  if (made !== batches * batchSize || at >= words.length) throw new Error('it was not measured');
  return times.sort((a, b) => a - b)[batches / 2] ?? Number.NaN;
}

function addOneOfEachKind(set: RevocationSet): void {
  const kinds = ['subject', 'client', 'session', 'chain', 'actor', 'grant', 'audience', 'key'] as const;
  const targets = kinds.map((kind) => ({ kind, value: kind === 'grant' ? 'nobody nothing' : 'nobody', exp: iat + 900 }));
  set.apply({ n: 1, t: iat * 1000, targets: [...targets, { kind: 'all', value: '', exp: iat + 900 }] });
}
