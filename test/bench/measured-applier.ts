// A verifier of events that come over NATS as fast as it takes them.
import { credentials } from '@grpc/grpc-js';
import { tokenmesh } from '@tokenmesh/proto';
import { createRevocationFeed } from '@tokenmesh/revocation';
import { grpcRecord } from '@tokenmesh/revocation/grpc';
import { natsTransport } from '@tokenmesh/revocation/nats';
import { answer } from './measured-process.ts';

export interface ApplierSettings {
  /** Addresses of the nats-server, and of the issuer's record. */
  readonly nats: string;
  readonly record: string;
  readonly issuer: string;
  readonly mesh: string;
}

/** `expect`: answered at once. `collect`: answered when that many events were applied since. */
export type ApplierQuestion = { readonly type: 'expect'; readonly events: number } | { readonly type: 'collect' };

export interface ApplierAnswer {
  /** When the last of them was applied, in nanoseconds of `process.hrtime`. */
  readonly atNs: number;
  readonly cpuMicros: number;
  readonly state: string;
  /** Position up to which everything is applied. */
  readonly n: number;
}

// the cast holds: the suite passes these settings
const { nats, record, issuer, mesh } = JSON.parse(process.argv[2] ?? '{}') as ApplierSettings;
const client = new tokenmesh.RevocationFeed(record, credentials.createInsecure());
let left = 0;
let atNs = 0;
let applied = Promise.withResolvers<void>();
const overNats = Promise.withResolvers<void>();
const feed = createRevocationFeed({
  ...{ record: grpcRecord(client), courier: natsTransport({ servers: nats, mesh }), issuer, mesh },
  report: (status) => {
    if (status.type === 'path' && status.event === 'up') overNats.resolve();
  },
});
feed.onApplied(() => {
  if (--left !== 0) return;
  atNs = Number(process.hrtime.bigint());
  applied.resolve();
});
await Promise.all([overNats.promise, feed.ready()]);

answer<ApplierQuestion, ApplierAnswer>(0, async (question) => {
  if (question.type === 'expect') {
    left = question.events;
    applied = Promise.withResolvers();
  } else await applied.promise;
  const { user, system } = process.cpuUsage();
  const freshness = feed.freshness();
  return { atNs, cpuMicros: user + system, state: freshness.state, n: freshness.state === 'empty' ? 0 : freshness.n };
});
