import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { exportJwk, generateSigningKey } from '@tokenmesh/token';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hashClientSecret, matchesClientSecret } from '../clients/client-secret.ts';
import { createTestAuthority, createTestCertificate } from '../clients/test-certificate.ts';
import { temporaryDirectory } from '../testing.ts';
import { loadConfig } from './config.ts';
import { ConfigError } from './config-problem.ts';

const directory = temporaryDirectory();
const put = (name: string, content: string | Buffer) => writeFileSync(join(directory.path, name), content);
const secret = 'correct horse battery staple';
let hash: string;

beforeAll(async () => {
  const { cert, key } = createTestCertificate();
  put('cert.pem', cert);
  put('key.pem', key);
  put('ca.pem', createTestAuthority().cert);
  put('jwks.json', JSON.stringify({ keys: [exportJwk(generateSigningKey())] }));
  put('none.json', '{"keys":[]}');
  hash = await hashClientSecret(secret);
});
afterAll(() => directory.remove());

/** A configuration without keys of workloads, with the given members; `federation` is one entry, indented as it is. */
function load(members: {
  readonly workload?: string;
  readonly federation?: string;
  readonly top?: string;
  readonly grant?: string;
  readonly tls?: string;
}) {
  const file = join(directory.path, 'tokenmesh.yaml');
  writeFileSync(
    file,
    `trust_domain: shop.test
tls: { cert: cert.pem, key: key.pem${members.tls ?? ''} }
store: { sqlite: record.db }
workloads:
  - id: spiffe://shop.test/orders${members.workload ?? ''}
audiences: [{ id: "spiffe://shop.test/orders", scopes: [read] }]
grants: [{ from: "spiffe://shop.test/orders", to: "spiffe://shop.test/orders", scopes: [read]${members.grant ?? ''} }]
federation: [${members.federation ?? ''}]
${members.top ?? ''}
`,
  );
  try {
    return { config: loadConfig(file), problems: [] };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return { config: undefined, problems: error.problems.map((problem) => problem.replace(`${file}:`, '')) };
  }
}

const rule = '{ id: "spiffe://shop.test/orders", claims: { sub: "system:serviceaccount:shop:orders" } }';
const cluster = (members = '', rules = `[${rule}]`) => `{ issuer: "https://cluster.test", audience: mesh, workloads: ${rules}${members} }`;

describe('a tokenmesh.yaml with ways to authenticate', () => {
  it('in order gives all of them, with their defaults', () => {
    const { config, problems } = load({
      tls: ', client_ca: ca.pem, client_certificate: optional',
      workload: `\n    tls_client_auth: true\n    client_secret_scrypt: ${hash}`,
      federation: `${cluster(', jwks_file: jwks.json')}, { audience: mesh, workloads: spiffe, jwks_url: "https://spire.test/keys", max_life: 10m }`,
      grant: ', binding: certificate',
      top: 'authority: token-exchange:7443\ndevelopment: true',
    });
    expect(problems).toEqual([]);
    expect(config).toMatchObject({
      tls: { clientCertificate: 'optional' },
      authority: 'token-exchange:7443',
      development: true,
      grants: [{ binding: 'certificate' }],
      federations: [
        {
          issuer: 'https://cluster.test',
          audience: 'mesh',
          allowOtherAudiences: false,
          maxLifeSeconds: 3600,
          algorithms: ['ES256', 'EdDSA', 'RS256'],
        },
        {
          audience: 'mesh',
          workloads: 'spiffe',
          maxLifeSeconds: 600,
          keys: { url: 'https://spire.test/keys', allowPrivateNetwork: false },
        },
      ],
    });
    const orders = config?.workloads.get('spiffe://shop.test/orders');
    expect(orders).toEqual({ id: 'spiffe://shop.test/orders', keys: new Map(), tlsClientAuth: true, clientSecretScrypt: hash });
  });

  it('needs no keys of a workload that another issuer vouches for, and some of one that nobody does', () => {
    expect(load({ federation: cluster(', jwks_file: jwks.json') }).problems).toEqual([]);
    expect(load({}).problems).toEqual(['5:5: workloads[0]: no keys, expected either jwks or jwks_file']);
  });

  const vouched = cluster(', jwks_file: jwks.json');
  it.each<[string, () => Parameters<typeof load>[0], string]>([
    [
      'a certificate that nobody checks',
      () => ({ workload: '\n    tls_client_auth: true' }),
      'workloads[0].tls_client_auth: true is given, expected tls.client_ca',
    ],
    [
      'a secret in production',
      () => ({ workload: `\n    client_secret_scrypt: ${hash}` }),
      'workloads[0].client_secret_scrypt: client secrets are for development',
    ],
    [
      'a secret that is not hashed',
      () => ({ workload: `\n    client_secret_scrypt: ${secret}`, top: 'development: true' }),
      'workloads[0].client_secret_scrypt: not the hash of a client secret',
    ],
    ['a federation without keys', () => ({ federation: cluster() }), 'federation[0]: no keys, expected either jwks_file or jwks_url'],
    [
      'a federation with keys from two places',
      () => ({ federation: cluster(', jwks_file: jwks.json, jwks_url: "https://cluster.test/keys"') }),
      'federation[0]: both jwks_file and jwks_url, expected either',
    ],
    [
      'T-34: keys over http',
      () => ({ federation: cluster(', jwks_url: "http://cluster.test/keys"') }),
      'federation[0].jwks_url: expected an https URL',
    ],
    ['a JWK set without keys', () => ({ federation: cluster(', jwks_file: none.json') }), 'federation[0].jwks_file: no usable key in it'],
    [
      'a symmetric algorithm',
      () => ({ federation: cluster(', jwks_file: jwks.json, algorithms: [HS256]') }),
      'federation[0].algorithms[0]: ',
    ],
    [
      'T-29: no audience',
      () => ({ federation: `{ issuer: "https://cluster.test", workloads: [${rule}], jwks_file: jwks.json }` }),
      'federation[0].audience: missing, expected the aud of its tokens',
    ],
    [
      'no issuer',
      () => ({ federation: `{ audience: mesh, workloads: [${rule}], jwks_file: jwks.json }` }),
      'federation[0].issuer: missing, expected the iss',
    ],
    ['an issuer twice', () => ({ federation: `${vouched}, ${vouched}` }), 'federation[1].issuer: "https://cluster.test" is there already'],
    [
      'token-exchange itself',
      () => ({ federation: vouched.replace('https://cluster.test', 'https://token-exchange.shop.test') }),
      'federation[0].issuer: "https://token-exchange.shop.test" is there already, or token-exchange itself',
    ],
    [
      'a rule for a workload that is not there',
      () => ({ federation: `${vouched}, ${vouched.replace('cluster', 'other').replace('/orders"', '/order"')}` }),
      'federation[1].workloads[0].id: unknown workload "spiffe://shop.test/order", expected one of workloads, did you mean',
    ],
    [
      'a rule that compares nothing',
      () => ({ federation: cluster(', jwks_file: jwks.json', '[{ id: "spiffe://shop.test/orders", claims: {} }]') }),
      'federation[0].workloads[0].claims: empty, expected at least one claim',
    ],
    [
      'a binding that does not exist',
      () => ({ federation: vouched, grant: ', binding: certificat' }),
      'grants[0].binding: "certificat" is given, expected certificate',
    ],
    ['an authority that is a URL', () => ({ federation: vouched, top: 'authority: https://a' }), 'authority: "https://a" is not a host'],
  ])('is refused with %s', (_what, members, expected) => {
    const { problems } = load(members());
    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain(expected);
  });
});

describe('the command client-secret', () => {
  const run = (input: string) =>
    spawnSync(process.execPath, [fileURLToPath(new URL('../main.ts', import.meta.url)), 'client-secret'], { input, encoding: 'utf8' });

  it('writes the hash of what comes in, without the secret', async () => {
    const { stdout, status } = run(`${secret}\n`);
    expect(status).toBe(0);
    expect(await matchesClientSecret(secret, stdout.trim())).toBe(true);
  });

  it('refuses a short secret without repeating it', () => {
    expect(run('hunter2\n')).toMatchObject({
      status: 1,
      stdout: '',
      stderr: 'standard input: a client secret must have 16 to 512 characters\n',
    });
  });
});
