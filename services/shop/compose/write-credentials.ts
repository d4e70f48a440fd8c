import { randomBytes, X509Certificate } from 'node:crypto';
import { cp, mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createNkey } from '@tokenmesh/revocation/nats';
import { createCertificateAuthority } from '../demo/certificates.ts';
import { spiffeId, trustDomain } from '../demo/configuration.ts';
import { makeAssertionKey } from '../demo/workload-files.ts';
import { keptFile, keptFiles, writeWhole } from './kept-file.ts';

export interface CredentialsOptions {
  /** Gets one directory for each container, with its name, readable by the owner alone. */
  readonly directory: string;
  /** Gets one directory for each container that keeps something. */
  readonly data: string;
  /** The directory deploy/nats. */
  readonly natsConfiguration: string;
  /** Makes the certificates anew. Default false: those that are there stay. */
  readonly renew?: boolean;
  /** Milliseconds since epoch; default `Date.now`. */
  readonly now?: () => number;
}

/** Workloads of the shop, with the names of their containers; the last two are played by whoever needs them. */
const workloads = ['gateway', 'orders', 'payments', 'customer', 'backoffice', 'operator'] as const;
const natsServers = ['nats-1', 'nats-2', 'nats-3'] as const;
const dataDirectories = ['postgres', ...natsServers, 'prometheus', 'grafana'] as const;

/** Everybody who has a certificate, with the names under which he is called. */
const holders: Readonly<Record<string, readonly string[]>> = {
  postgres: ['postgres'],
  ...Object.fromEntries(natsServers.map((name) => [name, [name]])),
  'nats-operator': [],
  'token-exchange': ['token-exchange-1', 'token-exchange-2'],
  ...Object.fromEntries([...workloads, 'collector', 'jaeger', 'prometheus', 'grafana'].map((name) => [name, [name]])),
};

const lifeMs = 90 * 24 * 60 * 60_000;

/**
 * Makes the secrets and certificates that docker-compose.yml mounts, and the directories of its data. Secrets that are there are never made anew: the
 * record is encrypted with one of them. The private key of the certificate authority is not kept.
 *
 * A directory holds `ca.crt`, `tls.crt` and `tls.key`, and what else its container needs: see docs/how-to/run-with-compose.md.
 */
export async function writeCredentials(options: CredentialsOptions): Promise<{ readonly validTo: Date }> {
  const { directory, data, natsConfiguration, renew = false, now = Date.now } = options;
  const at = (...path: readonly string[]) => join(directory, ...path);
  await Promise.all([
    ...Object.keys(holders).map((name) => mkdir(at(name), { recursive: true, mode: 0o700 })),
    ...dataDirectories.map((name) => mkdir(join(data, name), { recursive: true, mode: 0o700 })),
  ]);
  await writeSecrets(at);
  await writeNatsConfigurations(at, natsConfiguration);
  // the last file of all certificates says that they are there
  const last = at('ca.crt');
  const existing = renew ? undefined : await readFile(last, 'utf8').catch(() => undefined);
  if (existing !== undefined) return { validTo: new Date(new X509Certificate(existing).validTo) };
  await writeCertificates(at, now);
  return { validTo: new Date(new X509Certificate(await readFile(last, 'utf8')).validTo) };
}

type At = (...path: readonly string[]) => string;

async function writeCertificates(at: At, now: () => number): Promise<void> {
  const authority = await createCertificateAuthority(trustDomain, { now, lifeMs });
  for (const [name, hosts] of Object.entries(holders)) {
    const { cert, key } = await authority.issue(spiffeId(name), hosts);
    await writeWhole(at(name, 'ca.crt'), authority.cert);
    await writeWhole(at(name, 'tls.crt'), cert);
    await writeWhole(at(name, 'tls.key'), key);
  }
  await writeWhole(at('ca.crt'), authority.cert);
}

async function writeSecrets(at: At): Promise<void> {
  await keptFile(at('token-exchange', 'encryption.key'), () => randomBytes(32).toString('base64'));
  await keptFile(at('postgres', 'superuser.password'), password);
  const recordPassword = await keptFile(at('postgres', 'token-exchange.password'), password);
  await writeWhole(at('token-exchange', 'postgres.url'), postgresUrl(recordPassword));
  await keptFile(at('grafana', 'admin.password'), password);
  for (const name of workloads) {
    const [, jwks] = await keptFiles([at(name, 'assertion.key'), at(name, 'jwks.json')], () => {
      const { privateKey, jwks } = makeAssertionKey();
      return [privateKey, jwks];
    });
    await writeWhole(at('token-exchange', `${name}.jwks.json`), jwks);
  }
}

const password = () => randomBytes(24).toString('hex');

/** PostgreSQL asks for the password and for a certificate of the mesh. */
function postgresUrl(recordPassword: string): string {
  const parameters = ['sslrootcert=/run/credentials/ca.crt', 'sslcert=/run/credentials/tls.crt', 'sslkey=/run/credentials/tls.key'];
  return `postgres://token_exchange:${recordPassword}@postgres:5432/tokenmesh?${['sslmode=verify-full', ...parameters].join('&')}\n`;
}

/** Each server gets deploy/nats with the list of its users, and what the servers know one another by. */
async function writeNatsConfigurations(at: At, source: string): Promise<void> {
  const roles = [['nats-operator', 'operator'], ['token-exchange', 'issuer'], ...workloads.map((name) => [name, 'verifier'])] as const;
  const users = await Promise.all(
    roles.map(async ([name, role]) => {
      const [, publicKey] = await keptFiles([at(name, 'nats.nkey'), at(name, 'nats.nkey.pub')], () => {
        const nkey = createNkey();
        return [nkey.seed, nkey.publicKey];
      });
      return `  { nkey: ${publicKey.trim()}, permissions: { include permissions/${role}.conf } } # ${name}\n`;
    }),
  );
  const peerPassword = await keptFile(at('nats-peers.password'), password);
  const routes = natsServers.map((name) => `  "nats-route://peer:${peerPassword}@${name}:6222"\n`);
  const peers = `authorization { user: peer, password: "${peerPassword}", timeout: 5 }\nroutes: [\n${routes.join('')}]\n`;
  for (const name of natsServers) {
    // users.conf of the clone it is copied from is somebody else's list
    await cp(source, at(name), { recursive: true, filter: (path) => !/(users|peers)\.conf$/.test(path) });
    await writeWhole(at(name, 'users.conf'), `users: [\n${users.join('')}]\n`);
    await writeWhole(at(name, 'peers.conf'), peers);
  }
}
