import { type Checkpoint, openCheckpoint } from '@tokenmesh/revocation';
import { openNatsProbe } from '@tokenmesh/revocation/nats';
import { importJwks, type VerificationKey } from '@tokenmesh/token';
import { type NatsExamination, userOf } from './examine-nats.ts';
import { type Finding, failed, messageOf, ok, skipped } from './finding.ts';
import {
  checkAgreement,
  checkClock,
  checkDelivery,
  checkFeedKeys,
  checkFleet,
  checkHealth,
  checkJwks,
  checkSigningKeys,
} from './issuer-checks.ts';
import { createIssuerClient, type IssuerClient, type IssuerOptions } from './issuer-client.ts';
import { made, skippedAll } from './made.ts';

/** token-exchange, and this machine's clock to compare it with. */
export interface IssuerExamination extends IssuerOptions {
  /** The trust domain. */
  readonly mesh: string;
  /** Milliseconds since epoch. */
  readonly now: () => number;
  /** Makes nonces. */
  readonly newId: () => string;
}

/** The record's head, signed, and when it was asked for and came. */
interface Head {
  readonly checkpoint: Checkpoint;
  readonly keys: ReadonlyMap<string, VerificationKey>;
  readonly feedKeys: readonly { readonly kid?: string; readonly x?: string }[];
  readonly asked: { readonly from: number; readonly until: number };
}

/** @param nats Where the record's events and checkpoints are looked for. */
export async function* examineIssuer(examination: IssuerExamination, nats?: NatsExamination): AsyncGenerator<Finding> {
  using opened = new DisposableStack();
  const reachable = { check: 'token-exchange.reachable', of: examination.address };
  let client: IssuerClient;
  let status: string;
  try {
    client = opened.adopt(createIssuerClient(examination), (open) => open.close());
    status = await client.health();
  } catch (error) {
    const says = `${messageOf(error)}: see that it runs, that its address is right, and that --ca holds the authority of its certificate`;
    return yield { ...reachable, ...failed(says) };
  }
  yield { ...reachable, ...ok('it answers') };
  yield* made([
    ['token-exchange.health', () => checkHealth(status)],
    ['token-exchange.keys', async () => checkJwks(await client.jwks())],
  ]);
  yield* examineRecord(client, examination, nats);
}

async function* examineRecord(client: IssuerClient, examination: IssuerExamination, nats?: NatsExamination): AsyncGenerator<Finding> {
  if (examination.workload === undefined) {
    const untold = ['record', 'feed-keys', 'clock', 'stream', 'checkpoints', 'verifiers', 'signing-keys'].map(
      (name) => `token-exchange.${name}`,
    );
    return yield* skippedAll(untold, 'it tells this to workloads of the mesh only: --self, with --assertion-key or a certificate');
  }
  // the stream before the record, which may go on meanwhile
  const newest = await newestEvent(nats);
  let head: Head;
  try {
    head = await readHead(client, examination);
  } catch (error) {
    return yield { check: 'token-exchange.record', ...failed(`it cannot be asked: ${messageOf(error)}`) };
  }
  const { checkpoint, keys, feedKeys, asked } = head;
  const origin = { issuer: examination.issuer, mesh: examination.mesh };
  yield { check: 'token-exchange.record', ...ok(`it signs that the record is at ${checkpoint.n} of epoch ${checkpoint.epoch}`) };
  yield* made([
    ['token-exchange.feed-keys', async () => checkFeedKeys(await client.jwks(), feedKeys)],
    ['token-exchange.clock', () => checkClock(checkpoint, asked)],
    ['token-exchange.stream', () => (newest.read ? checkAgreement(newest.compact, checkpoint, { keys, ...origin }) : skipped(newest.why))],
    ['token-exchange.checkpoints', async () => checkDelivery(await nextCheckpoint(nats), { keys, ...origin })],
  ]);
  yield* examineInventory(client, checkpoint.s, examination.now);
}

async function readHead(client: IssuerClient, { issuer, mesh, now, newId }: IssuerExamination): Promise<Head> {
  const record = await client.record();
  const { keys: feedKeys } = await record.keys();
  const keys = importJwks(feedKeys);
  const nonce = newId();
  const from = now();
  const compact = await record.checkpoint(nonce);
  const until = now();
  const checkpoint = openCheckpoint(compact, keys, { issuer, mesh });
  if (checkpoint.nonce !== nonce) throw new Error('its checkpoint answers another question');
  return { checkpoint, keys, feedKeys, asked: { from, until } };
}

async function newestEvent(
  nats: NatsExamination | undefined,
): Promise<{ readonly read: true; readonly compact: string | undefined } | { readonly read: false; readonly why: string }> {
  if (nats?.issuerSeed === undefined)
    return { read: false, why: 'the stream is read with the seed of token-exchange: --nats and --issuer-nkey' };
  try {
    const probe = await openNatsProbe(userOf(nats, nats.issuerSeed, nats.servers));
    try {
      return { read: true, compact: await probe.lastEvent() };
    } finally {
      await probe.close();
    }
  } catch (error) {
    return { read: false, why: `the stream cannot be read: ${messageOf(error)}` };
  }
}

/** A checkpoint as a verifier hears it; `undefined` when none came in time. */
async function nextCheckpoint(nats: NatsExamination | undefined): Promise<string | undefined> {
  if (nats?.verifierSeed === undefined) throw new Error('checkpoints are heard with the seed of a verifier: --nats and --verifier-nkey');
  const probe = await openNatsProbe(userOf(nats, nats.verifierSeed, nats.servers));
  try {
    return await probe.nextCheckpoint(checkpointLimitMs);
  } finally {
    await probe.close();
  }
}

/** They come every second. */
const checkpointLimitMs = 3_000;

async function* examineInventory(client: IssuerClient, staleAfterMs: number, now: () => number): AsyncGenerator<Finding> {
  try {
    const { verifiers, signingKeys } = await client.inventory();
    yield { check: 'token-exchange.verifiers', ...checkFleet(verifiers, staleAfterMs) };
    yield { check: 'token-exchange.signing-keys', ...checkSigningKeys(signingKeys, now()) };
  } catch (error) {
    const says = `it tells this to workloads with the scope admin.read at token-exchange: ${messageOf(error)}`;
    yield* skippedAll(['token-exchange.verifiers', 'token-exchange.signing-keys'], says);
  }
}
