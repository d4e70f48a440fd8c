import { generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';
import { createRevocationStream, revocationSubjects } from '@tokenmesh/revocation/nats';
import type { NatsConnection } from 'nats';
import type { BenchMesh } from './bench-mesh.ts';
import type { LeastIssuerAnswer, LeastIssuerQuestion, LeastIssuerSettings } from './measured-least-issuer.ts';
import { type MeasuredProcess, startMeasured } from './measured-process.ts';
import type { VerifiersAnswer, VerifiersQuestion, VerifiersSettings } from './measured-verifiers.ts';

/** A mesh with NATS, and when its events were durable. */
export interface LatencyPlace {
  readonly mesh: BenchMesh;
  /** Address of its nats-server. */
  readonly nats: string;
  /** Resolves with the moment of the commit, in nanoseconds of `process.hrtime`. */
  committedAt(n: number): Promise<number>;
}

type Verifiers = MeasuredProcess<VerifiersQuestion, VerifiersAnswer>;
type LeastIssuer = MeasuredProcess<LeastIssuerQuestion, LeastIssuerAnswer>;

/**
 * `raw`: plain subscriptions. `signed`: those that check one signature. `least`: those that hear of a revocation which is signed and durable, without a log.
 * `ours`: feeds. `few`: some feeds among plain subscriptions to the same.
 */
export type KindName = 'raw' | 'signed' | 'least' | 'ours' | 'few';

/** Verifiers of one kind, of `count` so many feeds, and what is broadcast to them. */
export interface Kind {
  feedsOf(count: number): number;
  /** Their process on either processor, each without a verifier yet. */
  readonly processes: readonly Verifiers[];
  /** Broadcasts what concerns the token; returns when it was told to, and the moment from which its way is counted, which may be known later. */
  broadcast(jti: string): Promise<{ readonly askedNs: number; readonly fromNs: Promise<number> }>;
}

export interface Kinds extends Readonly<Record<KindName, Kind>> {
  readonly leastIssuer: LeastIssuer;
}

/** Among plain subscriptions, as many verifiers as two processors can be with little waiting for one another. */
export const realAmongMany = 10;

export const newJti = (): string => randomBytes(16).toString('base64url');
const nowNs = () => Number(process.hrtime.bigint());

const rawSubject = 'bench.raw';
const signedSubject = 'bench.signed';
const { events: eventsSubject } = revocationSubjects('bench.test');
const leastMesh = 'least.test';

/** Starts each kind of verifiers, and what broadcasts to them. */
export async function startKinds(started: AsyncDisposableStack, place: LatencyPlace, connection: NatsConnection): Promise<Kinds> {
  const { mesh, nats, committedAt } = place;
  const example = await exampleOf(place, connection);
  const start = (own: Pick<VerifiersSettings, 'subject' | 'work' | 'key'>) => {
    const { directory, tokenExchange } = mesh;
    const settings: VerifiersSettings = { directory, tokenExchange, nats, ...own };
    const startOn = async (cpu: number) =>
      started.use(await startMeasured<VerifiersQuestion, VerifiersAnswer>('measured-verifiers.ts', settings, cpu));
    return Promise.all([startOn(0), startOn(1)]);
  };
  const publisher = (subject: string, text: string) => {
    const payload = Buffer.from(text, 'latin1');
    return async () => {
      const askedNs = nowNs();
      connection.publish(subject, payload);
      return { askedNs, fromNs: Promise.resolve(askedNs) };
    };
  };
  const revoke = async (jti: string) => {
    const askedNs = nowNs();
    return { askedNs, fromNs: committedAt(await mesh.add([{ kind: 'token', value: jti }])) };
  };
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const key = publicKey.export({ format: 'jwk' });
  const [raw, signed, least, ours, few, leastIssuer] = await Promise.all([
    start({ subject: rawSubject, work: 'note' }),
    start({ subject: signedSubject, work: 'check', key }),
    start({ subject: revocationSubjects(leastMesh).events, work: 'revoke', key }),
    start({ subject: eventsSubject, work: 'note' }),
    start({ subject: eventsSubject, work: 'note' }),
    startLeastIssuer(started, place, privateKey, example),
  ]);
  const revokeLeast = async (jti: string) => {
    const askedNs = nowNs();
    const { committedNs } = await leastIssuer.ask({ type: 'revoke', jti });
    return { askedNs, fromNs: Promise.resolve(committedNs) };
  };
  return {
    raw: { processes: raw, feedsOf: () => 0, broadcast: publisher(rawSubject, example.compact) },
    signed: { processes: signed, feedsOf: () => 0, broadcast: publisher(signedSubject, signedAnew(example, privateKey)) },
    least: { processes: least, feedsOf: () => 0, broadcast: revokeLeast },
    ours: { processes: ours, feedsOf: (count) => count, broadcast: revoke },
    few: { processes: few, feedsOf: () => realAmongMany, broadcast: revoke },
    leastIssuer,
  };
}

/** An event of one target, as it goes over NATS. */
interface Example {
  readonly compact: string;
  /** What stands before its last dot, which is signed. */
  readonly signingInput: string;
  readonly jti: string;
}

async function exampleOf({ mesh }: LatencyPlace, connection: NatsConnection): Promise<Example> {
  const subscription = connection.subscribe(eventsSubject, { max: 1 });
  await connection.flush();
  const jti = newJti();
  await mesh.revoke(jti);
  for await (const message of subscription) {
    const compact = Buffer.from(message.data).toString('latin1');
    return { compact, signingInput: compact.slice(0, compact.lastIndexOf('.')), jti };
  }
  throw new Error('no event came');
}

/** The same text, signed by another key, with a signature that node:crypto takes as it is. */
function signedAnew({ signingInput }: Example, key: KeyObject): string {
  return `${signingInput}.${sign('sha256', Buffer.from(signingInput, 'latin1'), key).toString('base64url')}`;
}

/** On token-exchange's processor, with a stream like its own and a database beside its record. */
async function startLeastIssuer(
  started: AsyncDisposableStack,
  { mesh, nats }: LatencyPlace,
  key: KeyObject,
  { signingInput, jti }: Example,
): Promise<LeastIssuer> {
  await createRevocationStream({ servers: nats, mesh: leastMesh });
  const settings: LeastIssuerSettings = {
    ...{ directory: mesh.directory, nats, mesh: leastMesh },
    key: key.export({ format: 'jwk' }),
    example: { signingInput, jti },
  };
  return started.use(await startMeasured<LeastIssuerQuestion, LeastIssuerAnswer>('measured-least-issuer.ts', settings, 1));
}
