import { type NatsOptions, type NatsProbe, NatsRefusedError, openNatsProbe } from '@tokenmesh/revocation/nats';
import { type Finding, failed, messageOf, ok, skipped } from './finding.ts';
import { type Check, made, skippedAll } from './made.ts';
import { natsAddress, readNatsInfo } from './nats-info.ts';
import { checkAnonymous, checkJetStream, checkPayload, checkTls, checkVersion } from './nats-server-checks.ts';
import {
  checkIssuerApi,
  checkIssuerPublish,
  checkStreamFitness,
  checkVerifierApi,
  checkVerifierFeed,
  checkVerifierPublish,
  checkVerifierSubscriptions,
} from './permission-checks.ts';
import { readVarz } from './varz.ts';
import { checkListeners, checkPeers, checkStorage, checkSync } from './varz-checks.ts';

/** The NATS of a mesh, and as whom it is entered. */
export interface NatsExamination {
  readonly servers: readonly string[];
  /** The trust domain. */
  readonly mesh: string;
  readonly tls?: NonNullable<NatsOptions['tls']>;
  /** Seeds of a verifier's nkey and of token-exchange's. */
  readonly verifierSeed?: string;
  readonly issuerSeed?: string;
  /** Where servers have their monitoring: `http://127.0.0.1:8222`. */
  readonly monitors: readonly string[];
}

export async function* examineNats(examination: NatsExamination): AsyncGenerator<Finding> {
  const answering: string[] = [];
  for (const server of examination.servers) {
    for await (const finding of examineServer(server, examination)) {
      if (finding.check === 'nats.reachable' && finding.status === 'ok') answering.push(server);
      yield finding;
    }
  }
  if (examination.monitors.length === 0) {
    const says = 'the server tells this at its monitoring only: name it with --monitor';
    yield* skippedAll(['nats.sync', 'nats.storage', 'nats.listeners', 'nats.peers'], says);
  }
  for (const monitor of examination.monitors) yield* examineMonitor(monitor, examination.tls);
  if (answering.length === 0) yield* skippedAll(['verifier.connects', 'issuer.connects'], 'no server answers');
  // each server of a cluster has a configuration of its own
  for (const server of answering) yield* examineUsers(server, examination);
}

async function* examineServer(server: string, examination: NatsExamination): AsyncGenerator<Finding> {
  const of = server;
  try {
    const info = await readNatsInfo(natsAddress(server));
    yield { check: 'nats.reachable', of, ...ok('it answers') };
    const checks: readonly Check[] = [
      ['nats.version', () => checkVersion(info)],
      ['nats.tls', () => checkTls(info)],
      ['nats.anonymous', () => checkAnonymous(info, userOf(examination, undefined, server))],
      ['nats.jetstream', () => checkJetStream(info)],
      ['nats.payload', () => checkPayload(info)],
    ];
    yield* made(checks, of);
  } catch (error) {
    yield { check: 'nats.reachable', of, ...failed(`${messageOf(error)}: see that the server runs and that its address is right`) };
  }
}

async function* examineMonitor(monitor: string, tls: NatsExamination['tls']): AsyncGenerator<Finding> {
  try {
    const varz = await readVarz(monitor);
    const checks: readonly Check[] = [
      ['nats.sync', () => checkSync(varz)],
      ['nats.storage', () => checkStorage(varz)],
      ['nats.listeners', () => checkListeners(varz)],
      ['nats.peers', () => checkPeers(varz, monitor, tls)],
    ];
    yield* made(checks, monitor);
  } catch (error) {
    yield {
      check: 'nats.monitoring',
      of: monitor,
      ...failed(`${messageOf(error)}: see that \`http\` is set in the server's configuration`),
    };
  }
}

async function* examineUsers(server: string, examination: NatsExamination): AsyncGenerator<Finding> {
  const { mesh, verifierSeed, issuerSeed } = examination;
  yield* withUser('verifier', userOf(examination, verifierSeed, server), (probe) => [
    ['verifier.feed', () => checkVerifierFeed(probe, mesh)],
    ['verifier.subscribe', () => checkVerifierSubscriptions(probe)],
    ['verifier.publish', () => checkVerifierPublish(probe, mesh)],
    ['verifier.jetstream', () => checkVerifierApi(probe, mesh)],
  ]);
  yield* withUser('issuer', userOf(examination, issuerSeed, server), (probe) => [
    ['issuer.jetstream', () => checkIssuerApi(probe, mesh)],
    ['issuer.stream', () => checkStreamFitness(probe)],
    ['issuer.publish', () => checkIssuerPublish(probe)],
  ]);
}

/** Connects as one of the users, and makes its checks. */
async function* withUser(
  user: 'verifier' | 'issuer',
  options: NatsOptions & { readonly servers: string },
  checks: (probe: NatsProbe) => readonly Check[],
): AsyncGenerator<Finding> {
  const connects = { check: `${user}.connects`, of: options.servers };
  if (options.nkeySeed === undefined) {
    return yield { ...connects, ...skipped(`what its user may do can only be tried with its seed: --${user}-nkey`) };
  }
  let probe: NatsProbe;
  try {
    probe = await openNatsProbe(options);
  } catch (error) {
    const unknown = 'the server does not know its nkey: put the public key into its configuration';
    return yield { ...connects, ...failed(error instanceof NatsRefusedError ? unknown : messageOf(error)) };
  }
  try {
    yield { ...connects, ...ok('the server knows its nkey') };
    yield* made(checks(probe), options.servers);
  } finally {
    await probe.close();
  }
}

/** How to connect to servers as one of the users; without a seed as nobody. */
export function userOf<Servers extends string | readonly string[]>(
  { mesh, tls }: NatsExamination,
  seed: string | undefined,
  servers: Servers,
): NatsOptions & { readonly servers: Servers } {
  return { mesh, servers, name: 'tokenmesh doctor', ...(tls && { tls }), ...(seed !== undefined && { nkeySeed: seed }) };
}
