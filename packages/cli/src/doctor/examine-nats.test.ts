import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { createNkey, createRevocationStream, natsPublisher } from '@tokenmesh/revocation/nats';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { type Edit, knowsSyncInterval, type MeshNats, mesh, natsServerVersion, startMeshNats } from '../test-mesh-nats.ts';
import { examineNats, type NatsExamination } from './examine-nats.ts';
import type { Finding } from './finding.ts';
import { jetStreamApi } from './jetstream-api.ts';
import { readNatsInfo } from './nats-info.ts';
import { checkAnonymous, checkVersion } from './nats-server-checks.ts';
import { withTlsThatIs } from './nats-tls.ts';
import { readVarz } from './varz.ts';
import { checkPeers, checkSync } from './varz-checks.ts';

const version = natsServerVersion();
const describeNats = describe.skipIf(version === undefined);
if (version === undefined) console.warn('No nats-server: doctor is not tried (TOKENMESH_NATS_SERVER, or nats-server on the PATH).');
const isCurrent = version !== undefined && knowsSyncInterval(version);

/** With its stream and an event in it, both by the users of deploy/nats. */
async function startWithStream(edits: readonly Edit[] = [], compact = 'an event'): Promise<MeshNats> {
  const nats = await startMeshNats({ edits });
  try {
    await createRevocationStream(nats.as(nats.operator));
    await publish(nats, compact);
    return nats;
  } catch (error) {
    await nats.close();
    throw error;
  }
}

async function publish(nats: MeshNats, compact: string): Promise<void> {
  const publisher = await natsPublisher(nats.as(nats.issuer));
  await publisher.publishEvent({ epoch: 'e1', n: 1, compact });
  await publisher.close();
}

function examinationOf(nats: MeshNats): NatsExamination {
  return {
    ...{ servers: [nats.url], mesh, tls: nats.as().tls, monitors: [nats.monitor] },
    ...{ verifierSeed: nats.verifiers[0].seed, issuerSeed: nats.issuer.seed },
  };
}

async function findings(examination: NatsExamination): Promise<readonly Finding[]> {
  return await Array.fromAsync(examineNats(examination));
}

const statuses = (found: readonly Finding[]) => Object.fromEntries(found.map(({ check, status }) => [check, status]));

/** As deployed, with the warnings that an old server deserves. */
const inOrder = {
  'nats.reachable': 'ok',
  'nats.version': checkVersion({
    version: version ?? '',
    authRequired: true,
    tlsRequired: true,
    tlsAvailable: false,
    jetStream: true,
    maxPayload: 0,
  }).status,
  'nats.tls': 'ok',
  'nats.anonymous': 'ok',
  'nats.jetstream': 'ok',
  'nats.payload': 'ok',
  'nats.sync': isCurrent ? 'ok' : 'warning',
  'nats.storage': 'ok',
  'nats.listeners': 'ok',
  'nats.peers': 'ok',
  'verifier.connects': 'ok',
  'verifier.feed': 'ok',
  'verifier.subscribe': 'ok',
  'verifier.publish': 'ok',
  'verifier.jetstream': 'ok',
  'issuer.connects': 'ok',
  'issuer.jetstream': 'ok',
  'issuer.stream': 'ok',
  'issuer.publish': 'ok',
};

const replaced = (file: string, what: string | RegExp, by: string): Edit => ({ file, change: (text) => text.replace(what, () => by) });
const added = (file: string, more: string): Edit => ({ file, change: (text) => `${text}\n${more}\n` });
const permissions = (role: string, text: string): Edit => ({ file: `permissions/${role}.conf`, change: () => text });
const feed = '"tokenmesh.*.revocation.events", "tokenmesh.*.revocation.checkpoints"';

describeNats('tokenmesh doctor, against a nats-server with deploy/nats', () => {
  let nats: MeshNats;
  beforeAll(async () => {
    nats = await startWithStream();
  });
  afterAll(() => nats.close());

  test('T-51 finds the deployed configuration in order: of 25 subjects of JetStream’s API none works for a verifier, three for token-exchange', async () => {
    expect(new Set(jetStreamApi(mesh)).size).toBe(25);
    const found = await findings(examinationOf(nats));
    expect(statuses(found)).toEqual(inOrder);
    const says = (check: string) => found.find((finding) => finding.check === check)?.says;
    expect(says('verifier.jetstream')).toMatch(/^none of 25 /);
    expect(says('issuer.jetstream')).toMatch(/^of 25 .* the 3 work /);
  });

  test('says which seeds and which monitoring it lacks, and looks at the rest', async () => {
    const { verifierSeed: _, issuerSeed: __, ...examination } = examinationOf(nats);
    const {
      'verifier.connects': verifier,
      'issuer.connects': issuer,
      ...rest
    } = statuses(await findings({ ...examination, monitors: [] }));
    expect([verifier, issuer]).toEqual(['skipped', 'skipped']);
    const skipped = ['nats.sync', 'nats.storage', 'nats.listeners', 'nats.peers'];
    expect(rest).toEqual({
      ...Object.fromEntries(Object.entries(inOrder).filter(([check]) => check.startsWith('nats.'))),
      ...Object.fromEntries(skipped.map((check) => [check, 'skipped'])),
    });
  });

  test.each([
    ['no server answers', 'nats.reachable', { servers: ['127.0.0.1:1'] }],
    ['no monitoring answers', 'nats.monitoring', { monitors: ['http://127.0.0.1:1'] }],
    ['a verifier’s nkey is unknown', 'verifier.connects', { verifierSeed: createNkey().seed }],
  ])('notices that %s', async (_, check, other) => {
    const found = await findings({ ...examinationOf(nats), ...other });
    expect(statuses(found)[check]).toBe('failed');
  });

  test('notices somebody who is let in although the server says that it asks', async () => {
    const anybody = replaced('users.conf', 'users: [', 'users: [\n{ user: anybody, password: none }');
    const open = await startMeshNats({ edits: [added('mesh.conf', 'no_auth_user: anybody'), anybody] });
    onTestFinished(open.close);
    const info = { version: '', authRequired: true, tlsRequired: true, tlsAvailable: false, jetStream: true, maxPayload: 0 };
    expect(await checkAnonymous(info, open.as())).toMatchObject({ status: 'failed', says: expect.stringContaining('no_auth_user') });
  });

  test('changes nothing where everything is allowed: stream, messages and consumers stay', async () => {
    const all = 'publish: { allow: [">"] }\nsubscribe: { allow: [">"] }';
    const open = await startWithStream([permissions('verifier', all), permissions('issuer', all)]);
    onTestFinished(open.close);
    const before = await streamsOf(open);
    const found = statuses(await findings(examinationOf(open)));
    expect(found).toMatchObject({ 'verifier.jetstream': 'failed', 'verifier.publish': 'failed', 'issuer.jetstream': 'failed' });
    expect(found['issuer.stream']).toBe('ok');
    expect(await streamsOf(open)).toEqual(before);
  });
});

/** The streams as the server's monitoring shows them, with messages, sequences and consumers. */
async function streamsOf(nats: MeshNats): Promise<unknown> {
  const response = await fetch(`${nats.monitor}/jsz?streams=1&consumers=1&config=1`);
  const { account_details } = (await response.json()) as { readonly account_details: readonly { readonly stream_detail: unknown }[] };
  return account_details.map(({ stream_detail }) => stream_detail);
}

describeNats('tokenmesh doctor notices', () => {
  test.each<readonly [mistake: string, edits: readonly Edit[], differs: Readonly<Record<string, string>>]>([
    ['TLS that clients may leave out', [added('mesh.conf', 'allow_non_tls: true')], { 'nats.tls': 'failed' }],
    [
      'no_auth_user',
      [added('mesh.conf', 'no_auth_user: anybody'), replaced('users.conf', 'users: [', 'users: [\n{ user: anybody, password: none }')],
      { 'nats.anonymous': 'failed' },
    ],
    ['messages that may not be large', [replaced('mesh.conf', 'max_payload: 1MB', 'max_payload: 256KB')], { 'nats.payload': 'failed' }],
    [
      'files that are nearly full',
      [replaced('jetstream.conf', 'max_file_store: 1GB', 'max_file_store: 40KB')],
      { 'nats.storage': 'failed' },
    ],
    ['a leafnode listener', [added('mesh.conf', 'leafnodes { listen: "127.0.0.1:-1" }')], { 'nats.listeners': 'failed' }],
    ['a websocket listener', [added('mesh.conf', 'websocket { listen: "127.0.0.1:-1", no_tls: true }')], { 'nats.listeners': 'failed' }],
    ['an mqtt listener', [added('mesh.conf', 'server_name: one\nmqtt { listen: "127.0.0.1:-1" }')], { 'nats.listeners': 'failed' }],
    [
      'a verifier that hears half of the feed',
      [permissions('verifier', 'publish: { deny: ">" }\nsubscribe: { allow: ["tokenmesh.*.revocation.events"] }')],
      { 'verifier.feed': 'failed' },
    ],
    [
      'a verifier that hears the answers to others',
      [permissions('verifier', `publish: { deny: ">" }\nsubscribe: { allow: [${feed}, "_INBOX.>"] }`)],
      { 'verifier.subscribe': 'failed' },
    ],
    [
      'a verifier that hears more in a queue group',
      [permissions('verifier', `publish: { deny: ">" }\nsubscribe: { allow: [${feed}, "$JS.API.> *"] }`)],
      { 'verifier.subscribe': 'failed' },
    ],
    [
      'a verifier that may publish checkpoints',
      [permissions('verifier', `publish: { allow: ["tokenmesh.*.revocation.checkpoints"] }\nsubscribe: { allow: [${feed}] }`)],
      { 'verifier.publish': 'failed' },
    ],
    [
      'a verifier that may make consumers',
      [permissions('verifier', `publish: { allow: ["$JS.API.CONSUMER.CREATE.>"] }\nsubscribe: { allow: [${feed}] }`)],
      { 'verifier.jetstream': 'failed' },
    ],
    [
      'a token-exchange that may purge',
      [replaced('permissions/issuer.conf', '"$JS.API.INFO"', '"$JS.API.INFO", "$JS.API.STREAM.PURGE.*"')],
      { 'issuer.jetstream': 'failed' },
    ],
    [
      'a token-exchange that cannot read its events',
      [replaced('permissions/issuer.conf', '"$JS.API.STREAM.MSG.GET.*"', '')],
      { 'issuer.jetstream': 'failed', 'issuer.publish': 'skipped' },
    ],
  ])('%s, and nothing else', async (_, edits, differs) => {
    // 36 of the 40 KB that the fullest of them has
    const nats = await startWithStream(edits, 'an event'.padEnd(36_000, '.'));
    onTestFinished(nats.close);
    expect(statuses(await findings(examinationOf(nats)))).toEqual({ ...inOrder, ...differs });
  });

  test('a server without TLS, to which nobody is taken who insists on it', async () => {
    const nats = await startMeshNats({ edits: [replaced('mesh.conf', /^tls \{[^}]*\}$/m, '')] });
    onTestFinished(nats.close);
    const found = await findings(examinationOf(nats));
    expect(statuses(found)).toMatchObject({ 'nats.tls': 'failed', 'verifier.connects': 'failed', 'issuer.connects': 'failed' });
    expect(found.find(({ check }) => check === 'verifier.connects')?.says).toContain('the server offers no tls');

    // on this machine alone it may be a trial
    const { tls, ...trial } = await withTlsThatIs(examinationOf(nats));
    expect(tls).toBeUndefined();
    expect(statuses(await findings(trial))).toEqual({
      ...inOrder,
      'nats.tls': 'failed',
      'issuer.stream': 'failed',
      'issuer.publish': 'skipped',
    });
    const elsewhere = { ...examinationOf(nats), servers: [nats.url, 'nats://nats.shop.test:4222'] };
    expect(await withTlsThatIs(elsewhere)).toEqual(elsewhere);
  });

  test('JetStream that is off', async () => {
    const nats = await startMeshNats({ edits: [replaced('mesh.conf', 'jetstream: enabled', ''), ...withoutJetStream] });
    onTestFinished(nats.close);
    expect(statuses(await findings(examinationOf(nats)))).toEqual({
      ...inOrder,
      ...{ 'nats.jetstream': 'failed', 'nats.sync': 'skipped', 'nats.storage': 'skipped' },
      ...{ 'issuer.stream': 'failed', 'issuer.publish': 'skipped' },
    });
  });

  test('a stream that is missing, one that is not as it has to be, and one without an event', async () => {
    const nats = await startMeshNats();
    onTestFinished(nats.close);
    expect(statuses(await findings(examinationOf(nats)))).toEqual({ ...inOrder, 'issuer.stream': 'failed', 'issuer.publish': 'skipped' });
    await createRevocationStream(nats.as(nats.operator));
    expect(statuses(await findings(examinationOf(nats)))).toEqual({ ...inOrder, 'issuer.publish': 'skipped' });
  });

  test('a token-exchange that may not publish', async () => {
    const nats = await startWithStream();
    onTestFinished(nats.close);
    await nats.reload(replaced('permissions/issuer.conf', '"tokenmesh.*.revocation.events"', ''));
    expect(statuses(await findings(examinationOf(nats)))).toEqual({ ...inOrder, 'issuer.publish': 'failed' });
  });

  test.each([
    [{ syncAlways: undefined, syncIntervalMs: undefined }, 'warning', 'servers from 2.10 on'],
    [{ syncAlways: false, syncIntervalMs: 120_000 }, 'warning', 'after 120 s'],
    [{ syncAlways: true, syncIntervalMs: 120_000 }, 'ok', 'is on disk'],
  ])('what an acknowledgement promises when the monitoring says %j', (sync, status, says) => {
    const varz = {
      serverName: 'one',
      listeners: new Map(),
      tlsListeners: new Set<string>(),
      jetStream: { storage: 0, maxStorage: 1, ...sync },
    };
    expect(checkSync(varz)).toEqual({ status, says: expect.stringContaining(says) });
  });

  // An older server does not start with the setting that this takes away.
  if (isCurrent) {
    test('acknowledgements of what is not on disk', async () => {
      const nats = await startWithStream([replaced('nats-server.conf', 'sync_interval: always', '')]);
      onTestFinished(nats.close);
      expect(statuses(await findings(examinationOf(nats)))).toEqual({ ...inOrder, 'nats.sync': 'warning' });
    });
  }

  test('a cluster whose servers do not authenticate, and lets one pass whose servers do', async () => {
    const cluster = (more: string) => added('mesh.conf', `cluster { name: mesh, listen: "127.0.0.1:-1"${more} }`);
    const logged = /Listening for route connections/;
    const [open, guarded] = await Promise.all([
      startMeshNats({ edits: [cluster(''), ...withoutJetStream], logged }),
      startMeshNats({ edits: [cluster(', authorization { user: route, password: secret }'), ...withoutJetStream], logged }),
    ]);
    onTestFinished(async () => void (await Promise.all([open.close(), guarded.close()])));
    expect(await checkPeers(await readVarz(open.monitor), open.monitor)).toMatchObject({ status: 'failed' });
    expect(await checkPeers(await readVarz(guarded.monitor), guarded.monitor)).toMatchObject({ status: 'ok' });
  });

  test('a cluster whose servers show certificates alone, which every workload has, and lets one pass that wants a password as well', async () => {
    const tls =
      'tls { cert_file: $TOKENMESH_NATS_TLS_CERT, key_file: $TOKENMESH_NATS_TLS_KEY, ca_file: $TOKENMESH_NATS_TLS_CA, verify: true }';
    const cluster = (more: string) => added('mesh.conf', `cluster { name: mesh, listen: "127.0.0.1:-1", ${tls}${more} }`);
    const logged = /Listening for route connections/;
    const [open, guarded] = await Promise.all([
      startMeshNats({ edits: [cluster(''), ...withoutJetStream], logged }),
      startMeshNats({ edits: [cluster(', authorization { user: route, password: secret }'), ...withoutJetStream], logged }),
    ]);
    onTestFinished(async () => void (await Promise.all([open.close(), guarded.close()])));
    const look = async (nats: MeshNats) => await checkPeers(await readVarz(nats.monitor), nats.monitor, nats.as().tls);
    expect(await look(open)).toMatchObject({ status: 'failed' });
    expect(await look(guarded)).toMatchObject({ status: 'ok' });
  });
});

/** One server of a cluster alone elects no leader, and then JetStream never answers. */
const withoutJetStream: readonly Edit[] = [
  { file: 'nats-server.conf', change: (text) => text.replace(/^jetstream \{[^}]*\}$/m, '') },
  { file: 'nats-server-2.9.conf', change: (text) => text.replace(/^jetstream \{[^}]*\}$/m, '') },
];

describe('the floor of versions', () => {
  test.each([
    ['2.9.10', 'warning'],
    ['2.11.15', 'warning'],
    ['2.11.16', 'ok'],
    ['2.12.6', 'warning'],
    ['2.12.7', 'ok'],
    ['2.13.9', 'warning'],
    ['2.14.0', 'ok'],
    ['2.15.1', 'ok'],
    ['3.0.0', 'ok'],
    ['unknown', 'warning'],
  ])('T-51 nats-server %s is %s', (known, status) => {
    expect(
      checkVersion({ version: known, authRequired: true, tlsRequired: true, tlsAvailable: false, jetStream: true, maxPayload: 0 }).status,
    ).toBe(status);
  });
});

describeNats('what a server says before it knows who connects', () => {
  test('is told from what others say', async () => {
    const other = createServer((socket) => void socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')).listen(0, '127.0.0.1');
    onTestFinished(() => void other.close());
    await once(other, 'listening');
    const { port } = other.address() as AddressInfo; // it listens on an address, not on a pipe
    await expect(readNatsInfo({ host: '127.0.0.1', port })).rejects.toThrow('is no nats-server');
  });

  test('is read from its first line', async () => {
    const nats = await startMeshNats();
    onTestFinished(nats.close);
    const { port } = new URL(nats.url);
    expect(await readNatsInfo({ host: '127.0.0.1', port: Number(port) })).toEqual({
      ...{ version, authRequired: true, tlsRequired: true, tlsAvailable: false, jetStream: true, maxPayload: 1_048_576 },
    });
  });
});
