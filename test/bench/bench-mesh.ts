import { randomBytes, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { credentials, Metadata } from '@grpc/grpc-js';
import { type MeshOptions, privateKeyJwt, unary } from '@tokenmesh/interceptor';
import { tokenmesh } from '@tokenmesh/proto';
import type { Target } from '@tokenmesh/revocation';
import { createRevocationStream } from '@tokenmesh/revocation/nats';
import { createCertificateAuthority } from '@tokenmesh/shop/demo';
import { exportJwk, exportSigningKey, generateSigningKey, importSigningKey, signClientAssertion } from '@tokenmesh/token';
import type { CommittedLine } from './commit-clock.ts';
import { benchJti, fillRecord } from './filled-record.ts';
import { type ServerProcess, startServer } from './server-process.ts';

export const spiffeId = (name: string): string => `spiffe://bench.test/${name}`;
export const issuer = 'https://token-exchange.bench.test';

/**
 * Who calls `orders`: `gateway` with two scopes as a typical service does, `bound` with the same in tokens that are bound to its certificate,
 * `watcher` with the scopes of the streams, `brief` with tokens that live for two seconds.
 */
export type Workload = 'gateway' | 'bound' | 'watcher' | 'brief' | 'orders' | 'operator';

/** Whom an instance of `gateway` calls, that starts. */
export const startAudiences = ['orders', 'stock', 'prices', 'parcels', 'invoices'] as const;

/** Where the mesh of the suites is: of every workload `<name>.crt` and `<name>.key` for TLS, `<name>.pem` by which token-exchange knows it, and `ca.crt`. */
export interface MeshPlace {
  readonly directory: string;
  /** `host:port`. */
  readonly tokenExchange: string;
  /** Address of the nats-server that carries its events; absent: its feed goes over gRPC. */
  readonly nats?: string;
}

/** A real token-exchange with a record in SQLite. */
export interface BenchMesh extends MeshPlace, AsyncDisposable {
  /** Of token-exchange. */
  readonly pid: number;
  /** Counts of the events that token-exchange has logged since its start. */
  readonly events: ServerProcess['events'];
  /** Targets in its revocation log by now. */
  readonly revocations: number;
  /** Revokes one token by its `jti`. */
  revoke(jti: string): Promise<void>;
  /**
   * Revokes by one event, of at most 500 targets.
   *
   * @returns Its position in the log, once it is durable.
   */
  add(targets: readonly Omit<Target, 'exp'>[]): Promise<number>;
}

export interface BenchMeshOptions {
  /** Tokens of `benchJti` that are revoked from the start; default 10 000, which a verifier has to live with while calls are measured. */
  readonly targets?: number;
  /** Address of a nats-server, in which the stream is created. */
  readonly nats?: string;
  /** The processor of token-exchange; default 1, which is also the clients'. */
  readonly cpu?: number;
  /** Told when an event was durable, in nanoseconds of `process.hrtime`, a moment later. */
  readonly onCommitted?: (n: number, atNs: number) => void;
}

/** Starts it; until then its record is filled. */
export async function startBenchMesh({ targets = 10_000, nats, cpu = 1, onCommitted }: BenchMeshOptions = {}): Promise<BenchMesh> {
  const directory = await mkdtemp(join(tmpdir(), 'tokenmesh-bench-'));
  const file = (name: string) => join(directory, name);
  const authority = await createCertificateAuthority('bench.test');
  const identify = async (name: string) => {
    const { cert, key } = await authority.issue(spiffeId(name));
    await writeFile(file(`${name}.crt`), cert);
    await writeFile(file(`${name}.key`), key, { mode: 0o600 });
  };
  const register = async (name: Workload) => {
    await identify(name);
    const key = generateSigningKey();
    await writeFile(file(`${name}.pem`), exportSigningKey(key), { mode: 0o600 });
    return { id: spiffeId(name), jwks: { keys: [exportJwk(key)] } };
  };
  await identify('token-exchange');
  await writeFile(file('ca.crt'), authority.cert);
  await writeFile(file('encryption.key'), randomBytes(32).toString('base64'), { mode: 0o600 });
  const two = ['orders.read', 'orders.write'];
  const config = {
    trust_domain: 'bench.test',
    listen: '127.0.0.1:0',
    tls: { cert: 'token-exchange.crt', key: 'token-exchange.key', client_ca: 'ca.crt' },
    store: { sqlite: 'record.db' },
    keys: { encryption_key_file: 'encryption.key' },
    tokens: { life: '15m' }, // no exchange while calls are measured
    limits: { per_workload: 100_000, burst: 1_000_000, queue: 100_000 },
    ...(nats && { nats: { servers: nats } }),
    workloads: await Promise.all((['gateway', 'bound', 'watcher', 'brief', 'orders', 'operator'] as const).map(register)),
    audiences: startAudiences.map((name) => ({ id: spiffeId(name), scopes: [...two, 'payments.watch'], compact_metadata: true })),
    grants: [
      ...startAudiences.map((name) => ({ from: spiffeId('gateway'), to: spiffeId(name), scopes: two })),
      { from: spiffeId('bound'), to: spiffeId('orders'), scopes: two, binding: 'certificate' },
      { from: spiffeId('watcher'), to: spiffeId('orders'), scopes: [...two, 'payments.watch'] },
      { from: spiffeId('brief'), to: spiffeId('orders'), scopes: two, max_life: '2s' },
      { from: spiffeId('operator'), to: spiffeId('token-exchange'), scopes: ['admin.revoke'] },
    ],
  };
  await writeFile(file('tokenmesh.yaml'), JSON.stringify(config)); // JSON is YAML
  const main = fileURLToPath(new URL('../../services/token-exchange/src/main.ts', import.meta.url));
  if (nats) await createRevocationStream({ servers: nats, mesh: 'bench.test' });
  const start = () =>
    startServer(main, ['--config', file('tokenmesh.yaml')], {
      cpu,
      ...(onCommitted && { preload: new URL('commit-clock.ts', import.meta.url).href, onEvent: committedReader(onCommitted) }),
    });
  const placeOf = ({ port }: ServerProcess): MeshPlace => ({ directory, tokenExchange: `localhost:${port}`, ...(nats && { nats }) });
  let server = await start();
  if (targets > 0) {
    const admin = await openAdmin(placeOf(server));
    await admin.add([{ kind: 'token', value: benchJti(0) }]);
    admin.close();
    await server.stop();
    fillRecord(file('record.db'), { from: 1, to: targets });
    server = await start();
  }
  const place = placeOf(server);
  const admin = await openAdmin(place);
  let revocations = targets;
  const add: BenchMesh['add'] = async (added) => {
    const n = await admin.add(added);
    revocations += added.length;
    return n;
  };
  return {
    ...place,
    pid: server.pid,
    events: server.events,
    get revocations() {
      return revocations;
    },
    revoke: async (jti) => void (await add([{ kind: 'token', value: jti }])),
    add,
    async [Symbol.asyncDispose]() {
      admin.close();
      await server.stop();
      await rm(directory, { recursive: true });
    },
  };
}

/** Revokes as `operator`. */
export async function openAdmin(place: MeshPlace): Promise<Pick<BenchMesh, 'add'> & { close(): void }> {
  const client = new tokenmesh.Admin(place.tokenExchange, channelCredentials(place, 'operator'));
  const metadata = bearer(await obtainToken(place, 'operator', 'token-exchange'));
  return {
    async add(targets) {
      const { acknowledgement } = await unary(client, 'addRevocation', { targets: [...targets], request_id: randomUUID() }, { metadata });
      return acknowledgement?.n ?? 0;
    },
    close: () => client.close(),
  };
}

/** Reads what commit-clock.ts prints. */
function committedReader(onCommitted: NonNullable<BenchMeshOptions['onCommitted']>) {
  return (logged: { readonly event: string }) => {
    // the cast holds: nothing else logs an event of this name
    if (logged.event === 'bench.committed') for (const { n, atNs } of (logged as CommittedLine).commits) onCommitted(n, atNs);
  };
}

/** Mutual TLS as a workload, made by grpc-js alone. */
export function channelCredentials({ directory }: MeshPlace, workload: Workload) {
  const { ca, certificate } = tlsOf(directory, workload);
  return credentials.createSsl(ca, certificate.key, certificate.cert);
}

/** What a workload's `createMesh` needs. */
export function meshOptions({ directory, tokenExchange, nats }: MeshPlace, workload: Workload): MeshOptions {
  const credential = privateKeyJwt(join(directory, `${workload}.pem`));
  return { self: spiffeId(workload), tokenExchange, credential, ...tlsOf(directory, workload), ...(nats && { nats: { servers: nats } }) };
}

export function tlsOf(directory: string, workload: Workload) {
  const read = (name: string) => readFileSync(join(directory, name));
  return { ca: read('ca.crt'), certificate: { cert: read(`${workload}.crt`), key: read(`${workload}.key`) } };
}

/** A workload's own token, held by nothing that would renew or drop it. */
export async function obtainToken(place: MeshPlace, workload: Workload, audience = 'orders'): Promise<string> {
  const client = new tokenmesh.TokenExchange(place.tokenExchange, channelCredentials(place, workload));
  try {
    const { access_token } = await unary(client, 'exchangeToken', {
      grant_type: 'client_credentials',
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      client_assertion: signClientAssertion({
        clientId: spiffeId(workload),
        audience: issuer,
        key: importSigningKey(readFileSync(join(place.directory, `${workload}.pem`))),
        now: Date.now,
        newId: randomUUID,
      }),
      audience: spiffeId(audience),
    });
    return access_token;
  } finally {
    client.close();
  }
}

/** The token as metadata, for a client without the mesh's interceptors. */
export function bearer(token: string, key: 'authorization' | 'tokenmesh-token' = 'authorization'): Metadata {
  const metadata = new Metadata();
  metadata.set(key, `Bearer ${token}`);
  return metadata;
}

/** The same token with another signature, which no key made. */
export function forge(token: string): string {
  const at = token.lastIndexOf('.') + 10;
  return `${token.slice(0, at)}${token[at] === 'A' ? 'B' : 'A'}${token.slice(at + 1)}`;
}

/** The `jti` of a token that was issued here. */
export function jtiOf(token: string): string {
  // The cast holds: every service token has a jti (RFC 9068 section 2.2).
  return (JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as { readonly jti: string }).jti;
}
