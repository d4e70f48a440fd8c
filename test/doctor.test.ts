import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { type MeshNats, startMeshNats } from '@tokenmesh/cli/test-mesh-nats';
import { createMesh, type Mesh, privateKeyJwt, unary } from '@tokenmesh/interceptor';
import { type AdminClient, tokenmesh } from '@tokenmesh/proto';
import { shopPackage } from '@tokenmesh/proto/shop';
import { createRevocationStream } from '@tokenmesh/revocation/nats';
import {
  address,
  createCertificateAuthority,
  type ManagedProcess,
  spiffeId,
  startTokenExchange,
  trustDomain,
  type WorkloadFiles,
  writeWorkloadFiles,
} from '@tokenmesh/shop/demo';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { tokensIn } from './tokens-in.ts';

const main = fileURLToPath(new URL('../packages/cli/src/main.ts', import.meta.url));
const available = Boolean(process.env.TOKENMESH_NATS_SERVER);

async function tokenmeshCommand(env: NodeJS.ProcessEnv, ...args: readonly string[]) {
  const command = spawn(process.execPath, [main, ...args], { env: { PATH: process.env.PATH, ...env } });
  const [stdout, stderr, [code]] = await Promise.all([text(command.stdout), text(command.stderr), once(command, 'exit')]);
  expect(tokensIn(stdout + stderr)).toEqual([]);
  expect(stdout + stderr).not.toMatch(/SU[A-Z2-7]{56}/);
  return { code: code as number, stdout, stderr }; // it was not ended by a signal
}

async function doctor(env: NodeJS.ProcessEnv) {
  const { code, stdout } = await tokenmeshCommand(env, 'doctor', '-o', 'json');
  const { findings } = JSON.parse(stdout) as {
    readonly findings: readonly { readonly check: string; readonly status: string; readonly says: string }[];
  };
  return {
    code,
    statuses: Object.fromEntries(findings.map(({ check, status }) => [check, status])),
    says: (check: string) => findings.find((finding) => finding.check === check)?.says,
  };
}

const statusOf = (status: string, checks: readonly string[]) => Object.fromEntries(checks.map((check) => [check, status]));

describe.skipIf(!available)('tokenmesh doctor, in a mesh whose NATS runs with deploy/nats', () => {
  const directory = mkdtempSync(join(tmpdir(), 'tokenmesh-doctor-'));
  const stack = new AsyncDisposableStack();
  const workloads = new Map<string, WorkloadFiles>();
  const caFile = join(directory, 'ca.crt');
  let nats: MeshNats;
  let tokenExchange: ManagedProcess;
  let payments: Mesh;
  let admin: AdminClient;

  beforeAll(async () => {
    stack.defer(() => rmSync(directory, { recursive: true, force: true }));
    const authority = await createCertificateAuthority(trustDomain);
    writeFileSync(caFile, authority.cert);
    for (const name of ['token-exchange', 'payments', 'operator', 'nats']) {
      workloads.set(name, await writeWorkloadFiles(join(directory, name), spiffeId(name), authority));
    }
    const { certFile, tlsKeyFile } = filesOf('nats');
    nats = await startMeshNats({
      tls: { ca: authority.cert, cert: readFileSync(certFile, 'utf8'), key: readFileSync(tlsKeyFile, 'utf8') },
    });
    stack.defer(() => nats.close());
    await createRevocationStream(nats.as(nats.operator));
    tokenExchange = await startExchange();
    stack.defer(() => tokenExchange.stop());

    payments = await enter('payments');
    payments.server(shopPackage); // a process that serves reports what it knows
    const operator = await enter('operator');
    admin = new tokenmesh.Admin(address(tokenExchange), operator.channelCredentials(), operator.client(spiffeId('token-exchange')));
    stack.defer(() => admin.close());
  });
  afterAll(() => stack.disposeAsync());

  function filesOf(name: string): WorkloadFiles {
    const files = workloads.get(name);
    if (!files) throw new TypeError(`there is no workload ${name}`);
    return files;
  }

  function startExchange(): Promise<ManagedProcess> {
    const { certFile: cert, tlsKeyFile: key } = filesOf('token-exchange');
    const seedFile = join(directory, 'issuer.nkey');
    writeFileSync(seedFile, nats.issuer.seed);
    const registered = ['payments', 'operator'].map((name) => ({ id: spiffeId(name), jwks_file: filesOf(name).jwksFile }));
    const configure = (port: number) => ({
      ...{ trust_domain: trustDomain, listen: `127.0.0.1:${port}`, store: { sqlite: join(directory, 'token-exchange.db') } },
      tls: { cert, key, client_ca: caFile },
      nats: { servers: nats.url, nkey_seed_file: seedFile, tls: { ca: caFile, cert, key } },
      ...{ workloads: registered, audiences: [{ id: spiffeId('payments'), scopes: ['payments.charge'] }] },
      grants: [{ from: spiffeId('operator'), to: spiffeId('token-exchange'), scopes: ['admin.read', 'admin.revoke'] }],
    });
    const configFile = join(directory, 'tokenmesh.yaml');
    return startTokenExchange({
      ...{ directory, configFile, env: { TOKENMESH_KEY_ENCRYPTION_KEY: Buffer.alloc(32, 7).toString('base64') } },
      configure: (port) => writeFileSync(configFile, JSON.stringify(configure(port))), // which is YAML
      onUnexpectedExit: () => {},
    });
  }

  /** A mesh of this workload's own in this process, which hears revocations over NATS. */
  async function enter(name: string): Promise<Mesh> {
    const { id, keyFile, certFile, tlsKeyFile } = filesOf(name);
    const mesh = stack.use(
      await createMesh({
        ...{ self: id, tokenExchange: address(tokenExchange), credential: privateKeyJwt(keyFile), caFile },
        ...{ certificate: { certFile, keyFile: tlsKeyFile }, nats: nats.as(nats.verifiers[0]) },
      }),
    );
    await mesh.ready();
    return mesh;
  }

  /** What the command is told by the environment. */
  function settings(name: string): NodeJS.ProcessEnv {
    const { id, keyFile, certFile, tlsKeyFile } = filesOf(name);
    return {
      ...{ TOKENMESH_SELF: id, TOKENMESH_KEY_FILE: keyFile, TOKENMESH_TOKEN_EXCHANGE: address(tokenExchange) },
      ...{ TOKENMESH_CA_FILE: caFile, TOKENMESH_TLS_CERT_FILE: certFile, TOKENMESH_TLS_KEY_FILE: tlsKeyFile },
    };
  }

  const withNats = (): NodeJS.ProcessEnv => ({
    ...settings('operator'),
    ...{ NATS_URL: nats.url, TOKENMESH_NATS_MONITOR: nats.monitor },
    ...{ TOKENMESH_NATS_VERIFIER_NKEY: nats.verifiers[1].seed, TOKENMESH_NATS_ISSUER_NKEY_FILE: join(directory, 'issuer.nkey') },
  });

  /** Who reported to be fresh. */
  async function freshVerifiers(): Promise<readonly string[]> {
    const { verifiers } = await unary(admin, 'listVerifiers', {}, { deadline: Date.now() + 5_000 });
    return verifiers.flatMap(({ client_id, fresh_at_ms }) => (fresh_at_ms > 0 ? [client_id] : []));
  }

  it('T-51 finds nothing wrong, ends with 0, and does not show up as a verifier', async () => {
    await expect.poll(() => payments.feed.freshness(), { timeout: 20_000 }).toMatchObject({ state: 'fresh', path: 'nats' });
    const targets = [{ kind: 'chain', value: 'nobody' }];
    const { acknowledgement } = await unary(admin, 'addRevocation', { targets }, { deadline: Date.now() + 5_000 });
    expect(acknowledgement?.broadcast).toBe('BROADCAST_SENT');
    await expect.poll(freshVerifiers, { timeout: 20_000 }).toEqual([spiffeId('payments')]);
    const { code, statuses, says } = await doctor(withNats());
    // what an old server lacks is a warning
    const { 'nats.version': version, 'nats.sync': sync, ...rest } = statuses;
    expect([version, sync].filter((status) => status !== 'ok' && status !== 'warning')).toEqual([]);
    const ofTokenExchange = [
      'reachable',
      'health',
      'keys',
      'record',
      'feed-keys',
      'clock',
      'stream',
      'checkpoints',
      'verifiers',
      'signing-keys',
    ];
    expect(rest).toEqual({
      ...statusOf(
        'ok',
        ['reachable', 'tls', 'anonymous', 'jetstream', 'payload', 'storage', 'listeners', 'peers'].map((name) => `nats.${name}`),
      ),
      ...statusOf(
        'ok',
        ['connects', 'feed', 'subscribe', 'publish', 'jetstream'].map((name) => `verifier.${name}`),
      ),
      ...statusOf(
        'ok',
        ['connects', 'jetstream', 'stream', 'publish'].map((name) => `issuer.${name}`),
      ),
      ...statusOf(
        'ok',
        ofTokenExchange.map((name) => `token-exchange.${name}`),
      ),
    });
    expect(says('token-exchange.stream')).toBe('stream and record end with the same event, 1');
    expect(code).toBe(0);
    expect(tokenExchange.output.stdout).not.toMatch(/permissions violation|not reachable|is not fit/i);
    expect(await freshVerifiers()).toEqual([spiffeId('payments')]);
  });

  it('tells nothing of the record to who is nobody in the mesh, and nothing of the fleet to who may not read it', async () => {
    const { TOKENMESH_SELF: _, ...nobody } = settings('operator');
    const asNobody = await tokenmeshCommand({ ...nobody, TOKENMESH_MESH: trustDomain }, 'doctor');
    expect(asNobody).toMatchObject({ code: 0, stderr: '3 ok, 0 warnings, 0 failed, 7 skipped\n' });
    expect(asNobody.stdout).toMatch(/^skipped {2}token-exchange\.record +it tells this to workloads of the mesh only/m);
    const asPayments = await doctor(settings('payments'));
    expect(asPayments.statuses).toMatchObject({ 'token-exchange.record': 'ok', 'token-exchange.verifiers': 'skipped' });
  });

  it('says that an identity is not its own, that NATS is away, and that token-exchange is', async () => {
    const stranger = await doctor({ ...settings('operator'), TOKENMESH_KEY_FILE: filesOf('payments').keyFile });
    expect(stranger.says('token-exchange.record')).toMatch(/^it cannot be asked: CLIENT_AUTHENTICATION_FAILED: /);
    expect(stranger.code).toBe(1);

    const env = withNats();
    await nats.close();
    const withoutCourier = await doctor(env);
    expect(withoutCourier.statuses).toMatchObject({
      ...{ 'nats.reachable': 'failed', 'nats.monitoring': 'failed', 'verifier.connects': 'skipped', 'issuer.connects': 'skipped' },
      ...{ 'token-exchange.record': 'ok', 'token-exchange.stream': 'skipped', 'token-exchange.checkpoints': 'skipped' },
    });

    await tokenExchange.kill();
    const { statuses, code } = await doctor(settings('operator'));
    expect({ statuses, code }).toEqual({ statuses: { 'token-exchange.reachable': 'failed' }, code: 1 });
  });
});
