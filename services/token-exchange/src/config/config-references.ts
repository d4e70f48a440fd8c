import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { importJwks, isSpiffeId, type Jwk, trustDomainOf, type VerificationKey } from '@tokenmesh/token';
import { isClientSecretHash } from '../clients/client-secret.ts';
import { checkKeysUrl, defaultIssuerAlgorithms, importIssuerJwks, issuerAlgorithms } from '../clients/issuer-keys.ts';
import { ownScopes } from '../grants/policy.ts';
import { checkPostgresUrl } from '../record/postgres-url.ts';
import { didYouMean, type Problem } from './config-problem.ts';
import { parseDuration } from './config-schema.ts';

type Path = readonly (string | number)[];
type Mapping = Readonly<Record<string, unknown>>;

/** Files that a configuration names, read once each. */
export interface ConfigFiles {
  /** @throws {Error} With a text for the reader of the configuration. */
  read(path: string): Buffer;
}

/**
 * @param folder What relative paths are relative to.
 * @param read Filled with the paths.
 */
export function createConfigFiles(folder: string, read: Set<string>): ConfigFiles {
  const contents = new Map<string, Buffer>();
  return {
    read(path) {
      const file = resolve(folder, path);
      read.add(file);
      try {
        const content = contents.get(file) ?? readFileSync(file);
        contents.set(file, content);
        return content;
      } catch (error) {
        throw new Error(
          `"${path}" cannot be read (${(error as NodeJS.ErrnoException).code ?? 'error'}), expected a file relative to this one`,
        );
      }
    },
  };
}

/**
 * What one part of the document says of another, or of a file, that is not so. Looks at a document whose shape may be wrong, so that every
 * problem is told at once; what is not of the right shape is passed over.
 */
export function checkReferences(document: unknown, files: ConfigFiles): readonly Problem[] {
  const root = mapping(document);
  const trustDomain = text(root.trust_domain);
  const own = ownAudience(trustDomain ?? '');
  const problems: Problem[] = [];
  const report = (path: Path, problem: string) => problems.push({ path, text: problem });
  const attempt = (path: Path, check: () => void) => {
    try {
      check();
    } catch (error) {
      report(path, (error as Error).message); // ConfigFiles, importJwks and node:crypto throw nothing but errors
    }
  };

  const workloads = list(root.workloads).map(mapping);
  const audiences = list(root.audiences).map(mapping);
  /** By audience; `undefined` where the scopes are not of the right shape. */
  const scopesOf = new Map<string, readonly string[] | undefined>([[own, ownScopes]]);

  checkIds(workloads, 'workloads', (id, path) => {
    if (id === own) report(path, 'token-exchange itself, which is always there, expected another workload; leave it out');
    else if (trustDomain !== undefined && isSpiffeId(id) && trustDomainOf(id) !== trustDomain) {
      report(path, `"${id}" is in another trust domain, expected spiffe://${trustDomain}/…`);
    }
  });
  for (const [index, workload] of workloads.entries()) {
    const path = ['workloads', index];
    const isInline = workload.jwks !== undefined;
    const hasOtherProof = checkOtherProofs(workload, path);
    if (!isInline && workload.jwks_file === undefined && hasOtherProof) continue;
    if (isInline === (workload.jwks_file !== undefined)) {
      report(path, `${isInline ? 'both jwks and jwks_file' : 'no keys'}, expected either jwks or jwks_file`);
    } else if (isInline) attempt([...path, 'jwks'], () => readJwks(workload.jwks));
    else if (text(workload.jwks_file)) attempt([...path, 'jwks_file'], () => readJwksFile(text(workload.jwks_file) ?? '', files));
  }

  checkIds(audiences, 'audiences', (id, path) => {
    if (id === own) report(path, 'token-exchange itself, which is always there, expected another audience; leave it out');
  });
  for (const audience of audiences) {
    const id = text(audience.id);
    if (id !== undefined && id !== own) scopesOf.set(id, Array.isArray(audience.scopes) ? texts(audience.scopes) : undefined);
  }

  const workloadIds = workloads.flatMap(({ id }) => text(id) ?? []);
  checkFederation(workloadIds);
  checkSubjectIssuers();
  const pairs = new Set<string>();
  for (const [index, grant] of list(root.grants).map(mapping).entries()) {
    const path = ['grants', index];
    const [from, to] = [text(grant.from), text(grant.to)];
    if (from !== undefined && !workloadIds.includes(from)) {
      report([...path, 'from'], `unknown workload "${from}", expected one of workloads${didYouMean(from, workloadIds)}`);
    }
    const offered = to === undefined ? undefined : scopesOf.get(to);
    if (to !== undefined && !scopesOf.has(to)) {
      report([...path, 'to'], `unknown audience "${to}", expected one of audiences${didYouMean(to, scopesOf.keys())}`);
    }
    if (from !== undefined && to !== undefined) {
      if (pairs.has(`${from} ${to}`)) report(path, `a second grant from ${from} to ${to}, expected one grant for the two; merge them`);
      pairs.add(`${from} ${to}`);
    }
    const granted = texts(grant.scopes);
    for (const [position, scope] of granted.entries()) {
      if (offered && !offered.includes(scope)) {
        report(
          [...path, 'scopes', position],
          `"${scope}" is not a scope of ${to}, expected one of ${offered.join(', ')}${didYouMean(scope, offered)}`,
        );
      }
    }
    for (const [position, scope] of texts(mapping(grant.delegation).scopes).entries()) {
      if (!granted.includes(scope)) {
        const expected = `expected one of the grant's own scopes${didYouMean(scope, granted)}`;
        report([...path, 'delegation', 'scopes', position], `"${scope}" is wider than the grant, ${expected}`);
      }
    }
    checkLife(grant.max_life, [...path, 'max_life']);
  }
  checkLife(mapping(root.tokens).life, ['tokens', 'life']);
  checkRotation();
  checkTls(mapping(root.tls));
  if (typeof root.store === 'object' && root.store !== null) checkStore(mapping(root.store));
  const nats = mapping(root.nats);
  for (const [path, file] of [
    [['nats', 'nkey_seed_file'], nats.nkey_seed_file],
    ...['ca', 'cert', 'key'].map((name) => [['nats', 'tls', name], mapping(nats.tls)[name]] as const),
  ] as const) {
    if (text(file)) attempt(path, () => files.read(text(file) ?? ''));
  }
  return problems;

  function checkIds(items: readonly Mapping[], name: string, check: (id: string, path: Path) => void): void {
    const seen = new Set<string>();
    for (const [index, item] of items.entries()) {
      const id = text(item.id);
      if (id === undefined) continue;
      const path = [name, index, 'id'];
      if (seen.has(id)) report(path, `"${id}" is there already, expected each id once`);
      seen.add(id);
      check(id, path);
    }
  }

  /** Whether there is a way besides keys for the workload to prove who it is. */
  function checkOtherProofs(workload: Mapping, path: Path): boolean {
    const { tls_client_auth, client_secret_scrypt } = workload;
    if (tls_client_auth === true && mapping(root.tls).client_ca === undefined) {
      report([...path, 'tls_client_auth'], 'true is given, expected tls.client_ca as well: without it no certificate is checked');
    }
    const secret = text(client_secret_scrypt);
    if (secret !== undefined && root.development !== true) {
      report([...path, 'client_secret_scrypt'], 'client secrets are for development, expected another proof, or development: true');
    } else if (secret !== undefined && !isClientSecretHash(secret)) {
      report([...path, 'client_secret_scrypt'], 'not the hash of a client secret, expected what the command client-secret prints');
    }
    const isFederated = list(root.federation).some((federation) => {
      const vouched = mapping(federation).workloads;
      return vouched === 'spiffe' || list(vouched).some((rule) => mapping(rule).id === workload.id);
    });
    return tls_client_auth === true || secret !== undefined || isFederated;
  }

  function checkFederation(workloadIds: readonly string[]): void {
    const issuers = new Set<string>([text(root.issuer) ?? `https://token-exchange.${trustDomain}`]);
    for (const [index, federation] of list(root.federation).map(mapping).entries()) {
      const path = ['federation', index];
      const { workloads: vouched, jwks_url, algorithms } = federation;
      const issuer = text(federation.issuer) ?? '';
      if (issuer === '' && vouched !== 'spiffe') report([...path, 'issuer'], 'missing, expected the iss of its tokens');
      if (issuers.has(issuer)) {
        const taken = issuer === '' ? 'a second one without issuer' : `"${issuer}" is there already, or token-exchange itself`;
        report(issuer === '' ? path : [...path, 'issuer'], `${taken}, expected each issuer once`);
      }
      issuers.add(issuer);
      const [jwksFile, jwksUrl, caFile] = [text(federation.jwks_file), text(jwks_url), text(federation.ca_file)];
      if ((jwksFile === undefined) === (jwksUrl === undefined)) {
        report(path, `${jwksFile === undefined ? 'no keys' : 'both jwks_file and jwks_url'}, expected either jwks_file or jwks_url`);
      } else if (jwksUrl !== undefined) attempt([...path, 'jwks_url'], () => checkKeysUrl(jwksUrl));
      else if (jwksFile) {
        attempt([...path, 'jwks_file'], () => {
          const accepted = issuerAlgorithms.filter((alg) => texts(algorithms).includes(alg));
          importIssuerJwks(files.read(jwksFile).toString('utf8'), accepted.length > 0 ? accepted : defaultIssuerAlgorithms);
        });
      }
      if (caFile) attempt([...path, 'ca_file'], () => readCertificate(caFile));
      for (const [position, rule] of list(vouched).map(mapping).entries()) {
        const id = text(rule.id);
        if (id === undefined || workloadIds.includes(id)) continue;
        report([...path, 'workloads', position, 'id'], `unknown workload "${id}", expected one of workloads${didYouMean(id, workloadIds)}`);
      }
    }
  }

  function checkSubjectIssuers(): void {
    const own = text(root.issuer) ?? `https://token-exchange.${trustDomain}`;
    const issuers: string[] = [];
    const prefixes: string[] = [];
    for (const [index, entry] of list(root.issuers).map(mapping).entries()) {
      const path = ['issuers', index];
      const [issuer, prefix] = [text(entry.issuer) ?? '', text(entry.subject_prefix) ?? `${text(entry.issuer)}#`];
      if (issuer === own || issuers.includes(issuer)) {
        report([...path, 'issuer'], `"${issuer}" is there already, or token-exchange itself, expected each issuer once`);
      }
      // what begins alike could be continued to be alike
      const isAmbiguous = ['spiffe:', ...prefixes].some((taken) => taken.startsWith(prefix) || prefix.startsWith(taken));
      if (isAmbiguous) {
        const expected = 'expected a text of its own such as user:';
        report([...path, 'subject_prefix'], `"${prefix}" could pass for a workload or a subject of another issuer, ${expected}`);
      }
      issuers.push(issuer);
      prefixes.push(prefix);
      const [jwksFile, jwksUrl, caFile] = [text(entry.jwks_file), text(entry.jwks_url), text(entry.ca_file)];
      if (jwksFile !== undefined && jwksUrl !== undefined) {
        report(path, 'both jwks_file and jwks_url, expected one, or neither for discovery');
      } else if (jwksUrl !== undefined) attempt([...path, 'jwks_url'], () => checkKeysUrl(jwksUrl));
      else if (jwksFile) {
        const { algorithms } = entry;
        const accepted = Array.isArray(algorithms) ? issuerAlgorithms.filter((alg) => algorithms.includes(alg)) : defaultIssuerAlgorithms;
        attempt([...path, 'jwks_file'], () => importIssuerJwks(files.read(jwksFile).toString('utf8'), accepted));
      }
      if (caFile) attempt([...path, 'ca_file'], () => readCertificate(caFile));
    }
    for (const [index, grant] of list(root.grants).map(mapping).entries()) {
      for (const [position, issuer] of texts(mapping(grant.delegation).issuers).entries()) {
        if (issuers.includes(issuer)) continue;
        const path = ['grants', index, 'delegation', 'issuers', position];
        report(path, `unknown issuer "${issuer}", expected one of issuers${didYouMean(issuer, issuers)}`);
      }
    }
  }

  function checkLife(life: unknown, path: Path): void {
    const ceiling = mapping(root.tokens).ceiling ?? '15m';
    const [lifeMs, ceilingMs] = [parseDuration(life), parseDuration(ceiling)];
    if (lifeMs !== undefined && ceilingMs !== undefined && lifeMs > ceilingMs) {
      report(path, `${life} is above the ceiling, expected at most tokens.ceiling (${ceiling})`);
    }
  }

  // protocol section 8: verifiers hold a handful of keys at a time, not one for every few tokens
  function checkRotation(): void {
    const { rotate_every: rotateEvery = '24h' } = mapping(root.keys);
    const ceiling = mapping(root.tokens).ceiling ?? '15m';
    const [rotateEveryMs, ceilingMs] = [parseDuration(rotateEvery), parseDuration(ceiling)];
    if (rotateEveryMs !== undefined && ceilingMs !== undefined && rotateEveryMs < 6 * ceilingMs) {
      const path = mapping(root.keys).rotate_every === undefined ? ['tokens', 'ceiling'] : ['keys', 'rotate_every'];
      report(path, `keys rotate every ${rotateEvery}, expected at least 6 times tokens.ceiling (${ceiling})`);
    }
  }

  function checkStore({ sqlite, postgres }: Mapping): void {
    if ((sqlite === undefined) === (postgres === undefined)) {
      report(['store'], `${sqlite === undefined ? 'neither sqlite nor' : 'both sqlite and'} postgres, expected one of them`);
    }
    if (typeof postgres !== 'object' || postgres === null) return;
    const { url, url_file } = mapping(postgres);
    const path = ['store', 'postgres'];
    if ((url === undefined) === (url_file === undefined)) {
      report(path, `${url === undefined ? 'neither url nor' : 'both url and'} url_file, expected one of them`);
    } else if (text(url) !== undefined) attempt([...path, 'url'], () => checkPostgresUrl(text(url) ?? ''));
    else if (text(url_file)) attempt([...path, 'url_file'], () => readPostgresUrl(text(url_file) ?? '', files));
  }

  function checkTls(tls: Mapping): void {
    const [cert, key, clientCa] = [text(tls.cert), text(tls.key), text(tls.client_ca)];
    let certificate: X509Certificate | undefined;
    if (cert) attempt(['tls', 'cert'], () => (certificate = readCertificate(cert)));
    if (key) {
      attempt(['tls', 'key'], () => {
        const privateKey = readPem('a private key in PEM', key, (pem) => createPrivateKey(pem));
        if (certificate && !certificate.checkPrivateKey(privateKey))
          throw new Error(`"${key}" does not belong to the certificate, expected its private key`);
      });
    }
    if (clientCa) attempt(['tls', 'client_ca'], () => readCertificate(clientCa));
  }

  function readCertificate(path: string): X509Certificate {
    return readPem('a certificate in PEM', path, (pem) => new X509Certificate(pem));
  }

  function readPem<T>(expected: string, path: string, parse: (pem: Buffer) => T): T {
    const pem = files.read(path);
    try {
      return parse(pem);
    } catch {
      throw new Error(`"${path}" cannot be parsed, expected ${expected}`);
    }
  }
}

/** The identity of token-exchange as an audience. */
export function ownAudience(trustDomain: string): string {
  return `spiffe://${trustDomain}/token-exchange`;
}

/** @throws {Error} With a text for the reader of the configuration. */
export function readJwksFile(path: string, files: ConfigFiles): ReadonlyMap<string, VerificationKey> {
  const content = files.read(path).toString('utf8');
  let jwks: unknown;
  try {
    jwks = JSON.parse(content);
  } catch {
    throw new Error(`"${path}" is not JSON, expected a JWK set (RFC 7517)`);
  }
  return readJwks(jwks);
}

/** @throws {Error} With a text for the reader of the configuration. */
export function readJwks(jwks: unknown): ReadonlyMap<string, VerificationKey> {
  const keys = mapping(jwks).keys;
  if (!Array.isArray(keys) || keys.length === 0) throw new Error('no keys in it, expected a JWK set (RFC 7517) with at least one key');
  try {
    return importJwks(keys as Jwk[]); // importJwks checks every member
  } catch (error) {
    throw new Error(`${(error as Error).message}, expected public keys with kid and alg`);
  }
}

function mapping(value: unknown): Mapping {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Mapping) : {}; // an object: members are unknown still
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function texts(value: unknown): readonly string[] {
  return list(value).flatMap((item) => text(item) ?? []);
}

/** The URL of a PostgreSQL that stands alone in a file. */
export function readPostgresUrl(file: string, files: ConfigFiles): string {
  const url = files.read(file).toString('utf8').trim();
  checkPostgresUrl(url);
  return url;
}
