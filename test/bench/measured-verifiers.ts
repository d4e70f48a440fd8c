// Verifiers under measurement, many in one process: each a revocation feed, or for comparison a plain subscription, with a NATS connection of its own.
import { createPublicKey, type JsonWebKey } from 'node:crypto';
import type { RevocationFeedClient } from '@tokenmesh/proto';
import { createRevocationFeed, type RevocationFeed } from '@tokenmesh/revocation';
import { grpcRecord } from '@tokenmesh/revocation/grpc';
import { natsTransport } from '@tokenmesh/revocation/nats';
import { connect } from 'nats';
import { issuer, type MeshPlace } from './bench-mesh.ts';
import { openFeedClient } from './feed-client.ts';
import { answer } from './measured-process.ts';
import { createPlainVerifier, type PlainWork } from './plain-verifier.ts';

export interface VerifiersSettings extends MeshPlace {
  /** Address of the nats-server. */
  readonly nats: string;
  /** Of the plain subscriptions. */
  readonly subject: string;
  /** What these do with what comes. */
  readonly work: PlainWork;
  /** By which they check it; absent: they do not. */
  readonly key?: JsonWebKey;
}

/**
 * `open`: answered once there are as many revocation feeds and plain subscriptions, of which there were none at first. `arm`: from now on it is noted
 * when the token of this `jti` is revoked, and when a message on the subject counted. `collect`: answered once every verifier has noted that.
 */
export type VerifiersQuestion =
  | { readonly type: 'open'; readonly feeds: number; readonly plain: number }
  | { readonly type: 'arm'; readonly jti: string }
  | { readonly type: 'collect' }
  | { readonly type: 'look' };

export interface VerifiersAnswer {
  /** Of each verifier, in nanoseconds of `process.hrtime`; of `collect` alone. */
  readonly atNs: readonly number[];
  /** Processor time of the process so far. */
  readonly cpuMicros: number;
  /** Feeds that are fresh, by NATS. */
  readonly fresh: number;
  /** Messages that plain subscriptions found forged so far. */
  readonly forged: number;
}

// the cast holds: the suite passes these settings
const settings = JSON.parse(process.argv[2] ?? '{}') as VerifiersSettings;
const { nats, subject, work } = settings;

const collectLimitMs = 20_000;
const atOnce = 25;

let armed = '';
let notedAt: number[] = [];
let left = 0;
let verifiers = 0;
let forged = 0;
let collected = Promise.withResolvers<void>();

function note(index: number): void {
  if (left === 0 || notedAt[index] !== 0) return;
  notedAt[index] = Number(process.hrtime.bigint());
  if (--left === 0) collected.resolve();
}

function arm(jti: string): void {
  armed = jti;
  left = verifiers;
  notedAt = new Array<number>(left).fill(0);
  collected = Promise.withResolvers();
  if (left === 0) collected.resolve();
}

/** A token as services have them, to be looked up as a verifier does. */
function tokenOf(jti: string) {
  const iat = Math.floor(Date.now() / 1000);
  return { kid: 'k', claims: { sub: 's', client_id: 'c', aud: 'a', txn: 't', jti, iat, rn: Number.MAX_SAFE_INTEGER } };
}

async function openFeed(client: RevocationFeedClient, index: number): Promise<RevocationFeed> {
  const overNats = Promise.withResolvers<void>();
  const feed = createRevocationFeed({
    record: grpcRecord(client),
    courier: natsTransport({ servers: nats, mesh: 'bench.test' }),
    issuer,
    mesh: 'bench.test',
    report: (status) => {
      if (status.type === 'path' && status.event === 'up') overNats.resolve();
    },
  });
  feed.onApplied(() => {
    if (feed.set.find(tokenOf(armed))) note(index);
  });
  await Promise.all([overNats.promise, feed.ready()]);
  return feed;
}

async function subscribe(index: number): Promise<void> {
  const connection = await connect({ servers: nats });
  const counts = createPlainVerifier(work, key, () => forged++);
  connection.subscribe(subject, {
    callback: (_, { data }) => {
      if (counts(data, armed)) note(index);
    },
  });
  await connection.flush();
}

const client = await openFeedClient(settings);
const feeds: RevocationFeed[] = [];
const key = settings.key && createPublicKey({ key: settings.key, format: 'jwk' });

/** Opens some of those that are still to be opened, a few at a time. */
async function openMore(missing: () => number, openOne: () => Promise<unknown>): Promise<void> {
  while (missing() > 0) await Promise.all(Array.from({ length: Math.min(atOnce, missing()) }, openOne));
}

async function openAll(feedCount: number, plain: number): Promise<void> {
  await openMore(
    () => feedCount - feeds.length,
    async () => feeds.push(await openFeed(client, verifiers++)),
  );
  await openMore(
    () => feedCount + plain - verifiers,
    () => subscribe(verifiers++),
  );
}

answer<VerifiersQuestion, VerifiersAnswer>(0, async (question) => {
  if (question.type === 'open') await openAll(question.feeds, question.plain);
  if (question.type === 'arm') arm(question.jti);
  if (question.type === 'collect') {
    const late = setTimeout(() => collected.reject(new Error(`${left} of ${notedAt.length} verifiers heard of nothing`)), collectLimitMs);
    await collected.promise.finally(() => clearTimeout(late));
  }
  const { user, system } = process.cpuUsage();
  const isFresh = (feed: RevocationFeed) => {
    const freshness = feed.freshness();
    return freshness.state === 'fresh' && freshness.path === 'nats';
  };
  return { atNs: question.type === 'collect' ? notedAt : [], cpuMicros: user + system, fresh: feeds.filter(isFresh).length, forged };
});
