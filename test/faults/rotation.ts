import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { credentials, Metadata, type ServiceError } from '@grpc/grpc-js';
import { createMesh, privateKeyJwt, unary } from '@tokenmesh/interceptor';
import { shop } from '@tokenmesh/proto/shop';
import type { Campaign, CampaignOptions, Verdict } from './campaign.ts';
import { connectClients, type ExchangeClients, type IssuedTokens } from './exchange-clients.ts';
import { type FaultMesh, gateway, payments } from './fault-mesh.ts';
import { nameOf, outcomeOf } from './outcome.ts';
import { startProgram } from './program.ts';
import { createRandom, type Random } from './random.ts';
import { judgeRotation, type RotatedCall, withdrawnRefusals } from './rotation-oracle.ts';
import { type Ground, onStores } from './stores.ts';

type Payments = InstanceType<typeof shop.Payments>;

const verifierFile = fileURLToPath(new URL('./verifier.ts', import.meta.url));
const verifierCount = 3;
const replicasOf = { sqlite: 1, postgres: 2 };
const [callers, streams] = [4, 6];
const pauseMs = 20;
/** Tokens that are used again later, under keys that sign no more. */
const keptTokens = 500;
/** Those of the defaults, which verifiers go by. */
const lives = { tokens: { life: '5m', ceiling: '15m' } };
const lookForWithdrawnMs = 15_000;

/** F11: rotations under calls, and one emergency in the end. */
export const rotation: Campaign = {
  about: 'a key rotation every 5 s for 2 minutes under calls and streams, and one withdrawal (F11)',
  run: (options) => onStores('rotation', options.stores, options, (ground, name) => rotateUnderCalls(ground, name, options)),
};

async function rotateUnderCalls(
  { mesh, store }: Ground,
  name: string,
  { quick, long, rounds = long ? 60 : quick ? 3 : 24, seed, report }: CampaignOptions,
): Promise<Pick<Verdict, 'counts' | 'violations'>> {
  const everyMs = long ? 10_000 : 5000;
  const random = createRandom(seed).of('rotation');
  await using started = new AsyncDisposableStack();
  const replicaCount = 'postgres' in store ? replicasOf.postgres : replicasOf.sqlite;
  const replicas = await Promise.all(Array.from({ length: replicaCount }, (_, index) => mesh.start(`replica-${index}`, store, lives)));
  for (const replica of replicas) started.defer(() => replica.kill());
  const addresses = replicas.map(({ port }) => `localhost:${port}`).join(',');
  const verifiers = await Promise.all(Array.from({ length: verifierCount }, () => startProgram(verifierFile, [addresses, mesh.directory])));
  for (const verifier of verifiers) started.defer(() => verifier.kill());
  const clients = await Promise.all(replicas.map(({ port }) => connectClients(mesh, port)));
  for (const client of clients) started.defer(() => client.close());
  const [first] = clients;
  if (!first) throw new Error('there is a replica');

  const load = startLoad(mesh, { clients, ports: verifiers.map(({ port }) => port), addresses, random });
  started.defer(() => load.stop());
  let asked = 0;
  while (asked < rounds) {
    await delay(everyMs);
    await unary(first.admin, 'rotateKeys', { purpose: 'token' }, first.asOperator());
    asked++;
    report(`${name}: rotation ${asked} of ${rounds}, ${load.calls.length} calls`);
  }
  await delay(everyMs); // for the last one to sign
  report(`${name}: withdrawing the key that signs`);
  const signed = load.signed(); // the successor of a withdrawn key is no rotation
  const [withdrawn, withdrawnForMs] = await withdraw(first, load);
  await delay(2000); // calls go on under the successor
  await load.stop();

  const forced = replicas.reduce((sum, { events }) => sum + (events.get('key.activation_forced') ?? 0), 0);
  const refused = load.calls.filter(({ kid, outcome }) => kid === withdrawn && outcome.kind === 'refused').length;
  const violations = judgeRotation({ rotationsAsked: asked, signed, calls: load.calls, withdrawn, withdrawnForMs });
  const counts = {
    'rotations asked for': asked,
    'keys that signed before the withdrawal': signed.length,
    'activations forced': forced,
    calls: load.calls.filter(({ what }) => !what.startsWith('a stream')).length,
    streams: load.calls.filter(({ what }) => what.startsWith('a stream')).length,
    'refused: their key was withdrawn': refused,
    'ms until the withdrawal was in force everywhere': withdrawnForMs ?? 'never',
  };
  return { counts, violations: forced > 0 ? [...violations, `${forced} activations were forced`] : violations };
}

interface Load {
  readonly calls: readonly RotatedCall[];
  /** Keys that signed so far, in the order of their first token. */
  signed(): readonly string[];
  /** Whether every verifier refuses this token. */
  isRefusedEverywhere(token: IssuedTokens): Promise<boolean>;
  latest(): IssuedTokens | undefined;
  stop(): Promise<void>;
}

function startLoad(
  mesh: FaultMesh,
  where: {
    readonly clients: readonly ExchangeClients[];
    readonly ports: readonly number[];
    readonly addresses: string;
    readonly random: Random;
  },
): Load {
  const { clients, ports, addresses, random } = where;
  const tls = credentials.createSsl(Buffer.from(mesh.ca));
  const services = ports.map((port) => new shop.Payments(`localhost:${port}`, tls, { 'grpc.enable_http_proxy': 0 }));
  const calls: RotatedCall[] = [];
  const signed = new Set<string>();
  const kept: IssuedTokens[] = [];
  const stopping = new AbortController();
  const isStopped = () => stopping.signal.aborted;
  const pick = <T>(all: readonly T[], by: Random): T => {
    const one = all[by.whole(0, all.length - 1)];
    if (one === undefined) throw new Error('there is something to choose from');
    return one;
  };

  async function obtain(by: Random): Promise<IssuedTokens | undefined> {
    const client = pick(clients, by);
    const outcome = await outcomeOf(client.issue(client.ownTokenRequest()));
    if (outcome.kind !== 'accepted') {
      calls.push({ what: 'obtaining a token', kid: '', outcome });
      return undefined;
    }
    signed.add(outcome.value.kid);
    kept.push(outcome.value);
    if (kept.length > keptTokens) kept.splice(by.whole(0, kept.length - 2), 1); // any of them, so that some grow old
    return outcome.value;
  }

  async function call(what: string, { accessToken, kid }: IssuedTokens, by: Random): Promise<void> {
    calls.push({ what, kid, outcome: await outcomeOf(charge(pick(services, by), bearer(accessToken))) });
  }

  async function callUntilStopped(by: Random): Promise<void> {
    while (!isStopped()) {
      const token = await obtain(by);
      if (token) await call('a call with a new token', token, by);
      if (kept.length > 0) await call('a call with an older token', pick(kept, by), by);
      await delay(pauseMs);
    }
  }

  async function streamUntilStopped(by: Random): Promise<void> {
    while (!isStopped()) {
      const token = (by.chance(0.5) && kept.length > 0 && pick(kept, by)) || (await obtain(by));
      if (!token) continue;
      const outcome = await outcomeOf(watch(pick(services, by), bearer(token.accessToken), by.whole(1000, 8000), stopping.signal));
      calls.push({ what: 'a stream', kid: token.kid, outcome });
      await delay(pauseMs);
    }
  }

  /** As services call one another: the mesh obtains, keeps and renews the token. */
  async function callAsMeshUntilStopped(by: Random): Promise<void> {
    await using workload = await createMesh({
      self: gateway,
      tokenExchange: addresses,
      credential: privateKeyJwt(join(mesh.directory, 'gateway.pem')),
      ca: await readFile(join(mesh.directory, 'ca.pem')),
    });
    const options = workload.client(payments);
    const through = ports.map((port) => new shop.Payments(`localhost:${port}`, workload.channelCredentials(), options));
    await workload.ready();
    while (!isStopped()) {
      calls.push({ what: 'a call through the mesh', kid: '', outcome: await outcomeOf(charge(pick(through, by), new Metadata())) });
      await delay(pauseMs);
    }
    for (const client of through) client.close();
  }

  const running = [
    ...Array.from({ length: callers }, (_, index) => callUntilStopped(random.of(`caller ${index}`))),
    ...Array.from({ length: streams }, (_, index) => streamUntilStopped(random.of(`stream ${index}`))),
    callAsMeshUntilStopped(random.of('mesh')),
  ];
  return {
    calls,
    signed: () => [...signed],
    async isRefusedEverywhere({ accessToken }) {
      const outcomes = await Promise.all(services.map((service) => outcomeOf(charge(service, bearer(accessToken)))));
      return outcomes.every((outcome) => withdrawnRefusals.has(nameOf(outcome)));
    },
    latest: () => kept.at(-1),
    async stop() {
      stopping.abort();
      await Promise.all(running);
      for (const service of services) service.close();
    },
  };
}

/** Withdraws the key that signs; its kid, and the milliseconds until every verifier refused what it had signed. */
async function withdraw({ admin, asOperator }: ExchangeClients, load: Load): Promise<readonly [string, number | undefined]> {
  const token = load.latest();
  if (!token) throw new Error('no token was issued under load');
  await unary(admin, 'withdrawKey', { kid: token.kid, note: 'campaign' }, asOperator());
  const acknowledgedAt = performance.now();
  while (performance.now() - acknowledgedAt < lookForWithdrawnMs) {
    if (await load.isRefusedEverywhere(token)) return [token.kid, Math.round(performance.now() - acknowledgedAt)];
  }
  return [token.kid, undefined];
}

function bearer(token: string): Metadata {
  const metadata = new Metadata();
  metadata.set('authorization', `Bearer ${token}`);
  return metadata;
}

async function charge(service: Payments, metadata: Metadata): Promise<unknown> {
  return await unary(service, 'charge', { order_id: 'o', amount_cents: 1 }, { metadata, deadline: Date.now() + 10_000 });
}

/**
 * Follows a stream for so long, or until the signal; then it is the caller that ends it.
 *
 * @throws {ServiceError} When the stream ended before.
 */
function watch(service: Payments, metadata: Metadata, forMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stream = service.watchCharges({}, metadata);
    let isOver = false;
    const leave = () => {
      isOver = true;
      stream.cancel();
    };
    const timer = setTimeout(leave, forMs);
    signal.addEventListener('abort', leave, { once: true });
    stream.on('data', () => {});
    const ended = (error?: ServiceError) => {
      clearTimeout(timer);
      signal.removeEventListener('abort', leave);
      if (isOver) resolve();
      else reject(error ?? new Error('the stream ended without an error'));
    };
    stream.on('error', ended);
    stream.on('end', () => ended());
  });
}
