import { randomBytes, randomUUID } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createCertificateAuthority } from '@tokenmesh/shop/demo';
import { exportJwk, exportSigningKey, generateSigningKey, signClientAssertion } from '@tokenmesh/token';
import { lookThroughDatabases } from './looked-through.ts';
import { type Program, type ProgramOptions, runProgram, startProgram } from './program.ts';
import { createTemporaryDirectory } from './temporary-directory.ts';

const main = fileURLToPath(new URL('../../services/token-exchange/src/main.ts', import.meta.url));
const jwtBearer = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';

export const [gateway, payments, operator, tokenExchange] = ['gateway', 'payments', 'operator', 'token-exchange'].map(
  (name) => `spiffe://faults.test/${name}`,
) as [string, string, string, string]; // as many as names
const issuer = 'https://token-exchange.faults.test';
/** What a refresh token's requests may choose from. */
export const paymentScopes = ['payments.charge', 'payments.watch', 'a', 'b', 'c', 'd', 'e'];

/**
 * The files of one mesh, in a directory of its own: `ca.pem`, `cert.pem` and `key.pem` of every server, `<workload>.pem` with which a workload
 * proves who it is, configurations.
 */
export interface FaultMesh {
  readonly directory: string;
  /** PEM. */
  readonly ca: string;
  /** Client authentication, good for one request. */
  authenticate(workload: string): { readonly client_id: string; readonly client_assertion_type: string; readonly client_assertion: string };
  /** Starts a token-exchange on a port of its own choice. All that are started with the same name are one after the other. */
  start(name: string, store: object, settings?: object, options?: StartOptions): Promise<Program>;
  /** Runs a command of token-exchange, such as `nats-stream`, on the configuration that one of this name has, or is given now. */
  command(
    command: string,
    name: string,
    configuration?: { readonly store: object; readonly settings: object },
  ): Promise<{ readonly code: number | null; readonly output: string }>;
  /** What `audit-verify` says of the record that one of this name used, and whether the audit holds. */
  verifyAudit(name: string): Promise<{ readonly holds: boolean; readonly output: string }>;
  /** Looks for tokens in the records in SQLite, and removes everything. */
  remove(): void;
}

export interface StartOptions extends ProgramOptions {
  /** Added to its environment. */
  readonly env?: Readonly<Record<string, string>>;
}

/** Tokens live for longer than any campaign, and no key rotates unless it is asked to, so that whatever ends before was made to end. */
const longLives = { keys: { activation_timeout: '10s', rotate_every: '13h' }, tokens: { life: '1h', ceiling: '2h', session: '8h' } };

/** @param more Names of workloads beside those that every campaign has. */
export async function createFaultMesh(more: readonly string[] = []): Promise<FaultMesh> {
  const { path: directory, remove } = createTemporaryDirectory('mesh');
  const authority = await createCertificateAuthority('faults.test');
  const certificate = await authority.issue(tokenExchange);
  const others = more.map((name) => `spiffe://faults.test/${name}`);
  const keys = new Map([gateway, payments, operator, ...others].map((workload) => [workload, generateSigningKey()]));
  const keyOf = (workload: string) => {
    const key = keys.get(workload);
    if (!key) throw new Error(`no workload ${workload}`);
    return key;
  };
  for (const [workload, key] of keys)
    await writeFile(join(directory, `${workload.slice(workload.lastIndexOf('/') + 1)}.pem`), exportSigningKey(key));
  await writeFile(join(directory, 'ca.pem'), authority.cert);
  await writeFile(join(directory, 'cert.pem'), certificate.cert);
  await writeFile(join(directory, 'key.pem'), certificate.key);
  const environment = { TOKENMESH_KEY_ENCRYPTION_KEY: randomBytes(32).toString('base64') };
  const fileOf = (name: string) => join(directory, name, 'tokenmesh.yaml');

  async function configure(name: string, store: object, settings: object): Promise<void> {
    await mkdir(join(directory, name), { recursive: true });
    const document = {
      trust_domain: 'faults.test',
      listen: '127.0.0.1:0',
      tls: { cert: '../cert.pem', key: '../key.pem' },
      store,
      ...longLives,
      limits: { per_workload: 100_000, burst: 1_000_000, concurrency: 1000, queue: 100_000 },
      workloads: [...keys].map(([id, key]) => ({ id, jwks: { keys: [exportJwk(key)] } })),
      audiences: [{ id: payments, scopes: paymentScopes }],
      grants: [
        { from: gateway, to: payments, scopes: paymentScopes, refresh: true },
        { from: operator, to: tokenExchange, scopes: ['admin.read', 'admin.revoke', 'admin.keys'] },
      ],
      ...settings,
    };
    await writeFile(fileOf(name), JSON.stringify(document)); // JSON is YAML
  }

  return {
    directory,
    ca: authority.cert,
    authenticate: (workload) => ({
      client_id: workload,
      client_assertion_type: jwtBearer,
      client_assertion: signClientAssertion({
        clientId: workload,
        audience: issuer,
        key: keyOf(workload),
        now: Date.now,
        newId: randomUUID,
        lifeSeconds: 60,
      }),
    }),
    async start(name, store, settings = {}, { env = {}, ...options } = {}) {
      await configure(name, store, settings);
      return await startProgram(main, ['--config', fileOf(name)], { ...environment, ...env }, options);
    },
    async command(command, name, configuration) {
      if (configuration) await configure(name, configuration.store, configuration.settings);
      return await runProgram(main, [command, '--config', fileOf(name)], environment);
    },
    async verifyAudit(name) {
      const { code, output } = await runProgram(main, ['audit-verify', '--config', fileOf(name)]);
      return { holds: code === 0, output: output.trim().split('\n').at(-1) ?? '' };
    },
    remove() {
      lookThroughDatabases(directory);
      remove();
    },
  };
}
