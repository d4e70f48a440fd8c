import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { exportJwk, exportSigningKey, generateSigningKey } from '@tokenmesh/token';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestCertificate } from '../clients/test-certificate.ts';
import { temporaryDirectory } from '../testing.ts';
import { loadConfig } from './config.ts';
import { ConfigError } from './config-problem.ts';

let directory: ReturnType<typeof temporaryDirectory>;
beforeAll(() => {
  directory = temporaryDirectory();
  const put = (name: string, content: string | Buffer) => writeFileSync(join(directory.path, name), content);
  const { cert, key } = createTestCertificate();
  put('cert.pem', cert);
  put('key.pem', key);
  put('other-key.pem', exportSigningKey(generateSigningKey()));
  put('jwks.json', JSON.stringify({ keys: [exportJwk(generateSigningKey())] }));
  put('empty.json', '{"keys":[]}');
  put('text.json', 'hello');
  put('no-alg.json', JSON.stringify({ keys: [{ ...exportJwk(generateSigningKey()), alg: undefined }] }));
  put('seed.nk', 'SUAA\n');
});
afterAll(() => directory.remove());

/** A configuration that is in order, with lines exchanged. */
function yaml(changes: Readonly<Record<string, string>> = {}): string {
  let text = `trust_domain: shop.test
tls:
  cert: cert.pem
  key: key.pem
store:
  sqlite: record.db
workloads:
  - id: spiffe://shop.test/gateway
    jwks_file: jwks.json
  - id: spiffe://shop.test/orders
    jwks_file: jwks.json
audiences:
  - id: spiffe://shop.test/orders
    scopes: [orders.read, orders.write]
grants:
  - from: spiffe://shop.test/gateway
    to: spiffe://shop.test/orders
    scopes: [orders.read, orders.write]
`;
  for (const [line, replacement] of Object.entries(changes)) {
    if (!text.includes(line)) throw new Error(`no such line: ${line}`);
    text = text.replace(line, () => replacement);
  }
  return text;
}

function load(text: string) {
  const file = join(directory.path, `${randomBytes(6).toString('hex')}.yaml`);
  writeFileSync(file, text);
  try {
    return { config: loadConfig(file), problems: [] };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return { config: undefined, problems: error.problems.map((problem) => problem.replace(`${file}:`, '')) };
  }
}

describe('a tokenmesh.yaml', () => {
  it('in order gives a configuration with every default', () => {
    const { config } = load(yaml());
    expect(config).toMatchObject({
      issuer: 'https://token-exchange.shop.test',
      trustDomain: 'shop.test',
      audience: 'spiffe://shop.test/token-exchange',
      listen: { host: '127.0.0.1', port: 7443 },
      store: { sqlite: join(directory.path, 'record.db') },
      keys: { alg: 'ES256', rotateEveryMs: 86_400_000, activationTimeoutMs: 1_200_000 },
      tokens: { lifeSeconds: 300, ceilingSeconds: 900, sessionSeconds: 28_800 },
      revocation: { staleAfterMs: 5000 },
      grants: [
        { from: 'spiffe://shop.test/gateway', to: 'spiffe://shop.test/orders', scopes: ['orders.read', 'orders.write'], delegation: false },
      ],
    });
    expect(config?.nats).toBeUndefined();
    expect([...(config?.workloads.get('spiffe://shop.test/orders')?.keys.values() ?? [])]).toHaveLength(1);
    expect(config?.tls.cert.toString()).toContain('BEGIN CERTIFICATE');
  });

  it('may let tokens be refreshed, be opaque, and be got on behalf of other issuers’ subjects', () => {
    const { config, problems } = load(
      `${yaml({ 'orders.write]\ngrants': 'orders.write]\n    format: opaque\ngrants' })}    refresh: true
    delegation: { scopes: [orders.read], issuers: [https://accounts.shop.test/] }
tokens: { session: 1h }
issuers:
  - { issuer: https://accounts.shop.test/, audience: mesh, ca_file: cert.pem }
  - { issuer: https://b.test, audience: mesh, jwks_url: https://b.test/keys, subject_claim: email, subject_prefix: 'b:', required_claims: { hd: b.test } }
  - { issuer: https://c.test, audience: mesh, jwks_file: jwks.json, algorithms: [ES256] }
`,
    );
    expect(problems).toEqual([]);
    expect(config?.tokens.sessionSeconds).toBe(3600);
    const delegation = { scopes: ['orders.read'], issuers: ['https://accounts.shop.test/'] };
    expect(config?.grants).toMatchObject([{ refresh: true, format: 'opaque', delegation }]);
    expect(config?.grants[0]).not.toHaveProperty('compactMetadata');
    expect(config?.subjectIssuers).toMatchObject([
      {
        keys: { url: 'https://accounts.shop.test/.well-known/openid-configuration', discovers: 'https://accounts.shop.test/' },
        subjectClaim: 'sub',
        subjectPrefix: 'https://accounts.shop.test/#',
        requiredClaims: {},
      },
      { keys: { url: 'https://b.test/keys' }, subjectClaim: 'email', subjectPrefix: 'b:', requiredClaims: { hd: 'b.test' } },
      { keys: { jwks: expect.stringContaining('keys') }, algorithms: ['ES256'] },
    ]);
  });

  it('may say that an audience takes compact metadata', () => {
    const { config } = load(yaml({ 'orders.write]\ngrants': 'orders.write]\n    compact_metadata: true\ngrants' }));
    expect(config?.grants).toMatchObject([{ to: 'spiffe://shop.test/orders', compactMetadata: true }]);
  });

  it.each<[string, string, string]>([
    [
      'is token-exchange itself',
      'issuer: https://token-exchange.shop.test, audience: a',
      '"https://token-exchange.shop.test" is there already',
    ],
    ['is not at https', 'issuer: http://a.test, audience: a', 'not an issuer'],
    [
      'has a prefix like a workload',
      "issuer: https://a.test, audience: a, subject_prefix: 'spiffe://shop.test/'",
      'could pass for a workload',
    ],
    ['has a prefix that a workload could continue', 'issuer: https://a.test, audience: a, subject_prefix: s', 'could pass for a workload'],
    ['has two sources of keys', 'issuer: https://a.test, audience: a, jwks_file: jwks.json, jwks_url: https://a.test/k', 'both jwks_file'],
    ['has its keys in the clear', 'issuer: https://a.test, audience: a, jwks_url: http://a.test/k', 'expected an https URL'],
    ['has no usable key', 'issuer: https://a.test, audience: a, jwks_file: empty.json', 'no usable key'],
  ])('is refused when an issuer of subjects %s', (_, entry, expected) => {
    expect(load(`${yaml()}issuers:\n  - { ${entry} }\n`).problems.join()).toContain(expected);
  });

  it('is refused when two issuers share a prefix, or a grant names an issuer that is not there', () => {
    const entries = ['a', 'b'].map((name) => `  - { issuer: https://${name}.test, audience: a, subject_prefix: 'user:' }\n`).join('');
    expect(load(`${yaml()}issuers:\n${entries}`).problems.join()).toContain('"user:" could pass for');
    const grant = '    delegation: { scopes: [orders.read], issuers: [https://c.test] }\n';
    expect(load(`${yaml()}${grant}`).problems.join()).toContain('unknown issuer "https://c.test"');
  });

  it('may say everything', () => {
    const { config, problems } = load(
      `${yaml({ '    scopes: [orders.read, orders.write]\ngrants': '    scopes: [orders.read, orders.write]\ngrants' })}    max_life: 60s
    delegation: { scopes: [orders.write] }
  - { from: spiffe://shop.test/orders, to: spiffe://shop.test/token-exchange, scopes: [admin.read], delegation: false }
issuer: https://sts.shop.test/mesh
listen: '[::1]:0'
keys: { alg: EdDSA, encryption_key_file: kek, rotate_every: 6h, activation_timeout: 1m }
nats: { servers: [nats://a:4222, nats://b:4222], nkey_seed_file: seed.nk, tls: { ca: cert.pem } }
tokens: { life: 2m, ceiling: 1h }
revocation: { stale_after: 2500ms }
`,
    );
    expect(problems).toEqual([]);
    expect(config).toMatchObject({
      issuer: 'https://sts.shop.test/mesh',
      listen: { host: '[::1]', port: 0 },
      keys: { alg: 'EdDSA', encryptionKeyFile: join(directory.path, 'kek'), rotateEveryMs: 6 * 3_600_000, activationTimeoutMs: 60_000 },
      nats: { mesh: 'shop.test', servers: ['nats://a:4222', 'nats://b:4222'], nkeySeed: 'SUAA' },
      tokens: { lifeSeconds: 120, ceilingSeconds: 3600 },
      revocation: { staleAfterMs: 2500 },
    });
    expect(config?.grants[0]).toMatchObject({ maxLifeSeconds: 60, delegation: { scopes: ['orders.write'] } });
  });

  it.each([
    ['keys: { rotate_every: 90m }', 5_400_000],
    ['tokens: { ceiling: 240m }', 86_400_000],
  ])('may rotate keys every 6 ceilings: %s', (line, rotateEveryMs) => {
    const { config, problems } = load(yaml({ 'store:': `${line}\nstore:` }));
    expect(problems).toEqual([]);
    expect(config?.keys.rotateEveryMs).toBe(rotateEveryMs);
  });

  it.each<[string, Record<string, string>, string]>([
    [
      'an unknown member',
      { 'store:': 'stor:' },
      '5:1: stor: unknown member, expected one of trust_domain, issuer, listen, authority, development, tls, store, keys, nats, facade, tokens, revocation, limits, dpop, audit, workloads, issuers, federation, audiences, grants, did you mean "store"?',
    ],
    [
      'an unknown member of a grant',
      { '    to:': '    too:' },
      '17:5: grants[0].too: unknown member, expected one of from, to, scopes, max_life, refresh, binding, delegation, did you mean "to"?',
    ],
    ['a missing mapping', { 'store:\n  sqlite: record.db\n': '' }, '1:1: store: missing, expected a mapping'],
    [
      'a missing member',
      { '    to: spiffe://shop.test/orders\n': '' },
      '16:5: grants[0].to: missing, expected a SPIFFE ID such as spiffe://example.test/orders',
    ],
    ['an empty member', { '  key: key.pem': '  key:' }, '4:7: tls.key: empty, expected a path, relative to this file'],
    [
      'a text where a list belongs',
      { '[orders.read, orders.write]\ngrants': 'orders.read\ngrants' },
      '14:13: audiences[0].scopes: "orders.read" is given, expected a list',
    ],
    [
      'no audience (T-29)',
      { 'audiences:\n  - id: spiffe://shop.test/orders\n    scopes: [orders.read, orders.write]\n': 'audiences: []\n' },
      '12:12: audiences: no audience is configured, expected at least one',
    ],
    [
      'an identity that is no SPIFFE ID (T-30)',
      { 'id: spiffe://shop.test/gateway': 'id: Spiffe://shop.test/gateway' },
      '8:9: workloads[0].id: "Spiffe://shop.test/gateway" is not a SPIFFE ID, expected one such as spiffe://example.test/orders',
    ],
    [
      'a scope with a space in it (T-30)',
      { '[orders.read, orders.write]\ngrants': '[orders.read, orders.write, "a b"]\ngrants' },
      '14:41: audiences[0].scopes[2]: "a b" is not one scope token, expected one such as payments.charge',
    ],
    [
      'a workload of another trust domain',
      { 'id: spiffe://shop.test/gateway': 'id: spiffe://evil.test/gateway' },
      '8:9: workloads[0].id: "spiffe://evil.test/gateway" is in another trust domain, expected spiffe://shop.test/…',
    ],
    [
      'a workload twice',
      { 'id: spiffe://shop.test/gateway': 'id: spiffe://shop.test/orders' },
      '10:9: workloads[1].id: "spiffe://shop.test/orders" is there already, expected each id once',
    ],
    ['a workload without keys', { '    jwks_file: jwks.json\n': '' }, '8:5: workloads[0]: no keys, expected either jwks or jwks_file'],
    [
      'a file that is not there',
      { '    jwks_file: jwks.json': '    jwks_file: gone.json' },
      '9:16: workloads[0].jwks_file: "gone.json" cannot be read (ENOENT), expected a file relative to this one',
    ],
    [
      'a file that is no JSON',
      { '    jwks_file: jwks.json': '    jwks_file: text.json' },
      '9:16: workloads[0].jwks_file: "text.json" is not JSON, expected a JWK set (RFC 7517)',
    ],
    [
      'a JWK set without keys',
      { '    jwks_file: jwks.json': '    jwks_file: empty.json' },
      '9:16: workloads[0].jwks_file: no keys in it, expected a JWK set (RFC 7517) with at least one key',
    ],
    [
      'a JWK without alg',
      { '    jwks_file: jwks.json': '    jwks_file: no-alg.json' },
      '9:16: workloads[0].jwks_file: key 0 is refused: alg must be ES256, EdDSA or RS256, expected public keys with kid and alg',
    ],
    [
      'a grant to an unknown audience',
      { '    to: spiffe://shop.test/orders': '    to: spiffe://shop.test/order' },
      '17:9: grants[0].to: unknown audience "spiffe://shop.test/order", expected one of audiences, did you mean "spiffe://shop.test/orders"?',
    ],
    [
      'a grant from an unknown workload',
      { 'from: spiffe://shop.test/gateway': 'from: spiffe://shop.test/getaway' },
      '16:11: grants[0].from: unknown workload "spiffe://shop.test/getaway", expected one of workloads, did you mean "spiffe://shop.test/gateway"?',
    ],
    [
      'a grant of an unknown scope',
      { '    to: spiffe://shop.test/orders\n    scopes: [orders.read': '    to: spiffe://shop.test/orders\n    scopes: [orders.raed' },
      '18:14: grants[0].scopes[0]: "orders.raed" is not a scope of spiffe://shop.test/orders, expected one of orders.read, orders.write, did you mean "orders.read"?',
    ],
    [
      'delegation wider than its grant',
      {
        'grants:\n':
          'grants:\n  - { from: spiffe://shop.test/orders, to: spiffe://shop.test/orders, scopes: [orders.read], delegation: { scopes: [orders.write] } }\n',
      },
      '16:117: grants[0].delegation.scopes[0]: "orders.write" is wider than the grant, expected one of the grant\'s own scopes',
    ],
    [
      'a second grant for the same two',
      { 'grants:\n': 'grants:\n  - { from: spiffe://shop.test/gateway, to: spiffe://shop.test/orders, scopes: [orders.read] }\n' },
      '17:5: grants[1]: a second grant from spiffe://shop.test/gateway to spiffe://shop.test/orders, expected one grant for the two; merge them',
    ],
    [
      'a certificate that is none',
      { 'cert: cert.pem': 'cert: jwks.json' },
      '3:9: tls.cert: "jwks.json" cannot be parsed, expected a certificate in PEM',
    ],
    [
      'a key of another certificate',
      { 'key: key.pem': 'key: other-key.pem' },
      '4:8: tls.key: "other-key.pem" does not belong to the certificate, expected its private key',
    ],
    [
      'a duration without a unit',
      { 'store:': 'tokens: { life: 300 }\nstore:' },
      '5:17: tokens.life: 300 is given, expected a duration such as 5m',
    ],
    [
      'a duration that is none',
      { 'store:': 'tokens: { life: soon }\nstore:' },
      '5:17: tokens.life: "soon" is not a duration, expected a duration such as 5m',
    ],
    [
      'a life that is not whole seconds',
      { 'store:': 'tokens: { life: 1500ms }\nstore:' },
      '5:17: tokens.life: 1500ms is not whole seconds, expected a duration such as 5m',
    ],
    [
      'a life above the ceiling',
      { 'store:': 'tokens: { life: 16m }\nstore:' },
      '5:17: tokens.life: 16m is above the ceiling, expected at most tokens.ceiling (15m)',
    ],
    [
      'keys that rotate while many of their tokens live',
      { 'store:': 'keys: { rotate_every: 89m }\nstore:' },
      '5:23: keys.rotate_every: keys rotate every 89m, expected at least 6 times tokens.ceiling (15m)',
    ],
    [
      'a ceiling that outgrows the rotation',
      { 'store:': 'tokens: { ceiling: 241m }\nstore:' },
      '5:20: tokens.ceiling: keys rotate every 24h, expected at least 6 times tokens.ceiling (241m)',
    ],
    [
      'an activation that hardly waits',
      { 'store:': 'keys: { activation_timeout: 9s }\nstore:' },
      '5:29: keys.activation_timeout: 9s is out of range, expected 10s to 86400s',
    ],
    [
      'checkpoints rarer than staleness',
      { 'store:': 'revocation: { stale_after: 1s }\nstore:' },
      '5:28: revocation.stale_after: 1s is out of range, expected 2s to 60s',
    ],
    [
      'an unknown algorithm',
      { 'store:': 'keys: { alg: ES265 }\nstore:' },
      '5:14: keys.alg: "ES265" is given, expected ES256, EdDSA or RS256, did you mean "ES256"?',
    ],
    [
      'an issuer that is not https',
      { 'store:': 'issuer: http://shop.test\nstore:' },
      '5:9: issuer: not an issuer, expected an https URL without query and fragment (RFC 8414 section 2)',
    ],
    [
      'an address without a port',
      { 'store:': 'listen: localhost\nstore:' },
      '5:9: listen: "localhost" is not host:port, expected one such as 127.0.0.1:7443',
    ],
    ['a name twice', { 'store:': 'trust_domain: shop.test\nstore:' }, '5:1: (document): Map keys must be unique, expected YAML 1.2'],
    [
      'an alias of nothing',
      { 'key: key.pem': 'key: *gone' },
      '1:1: (document): Unresolved alias (the anchor must be set before the alias): gone, expected aliases of anchors that are there',
    ],
  ])('with %s is refused at its place, with the way out', (_, changes, expected) => {
    // what follows from it, a grant to the misspelt identity say, is told as well
    expect(load(yaml(changes)).problems).toContain(expected);
  });

  it('tells all its problems at once, in the order of the file', () => {
    const { problems } = load(
      yaml({
        'cert: cert.pem': 'cert: gone.pem',
        'store:': 'stor:',
        '    to: spiffe://shop.test/orders': '    to: spiffe://shop.test/ordres',
        'jwks_file: jwks.json': 'jwks_fil: x',
      }),
    );
    expect(problems.map((problem) => problem.split(': ').slice(0, 2).join(': '))).toEqual([
      '1:1: store',
      '3:9: tls.cert',
      '5:1: stor',
      '8:5: workloads[0]',
      '9:5: workloads[0].jwks_fil',
      '17:9: grants[0].to',
    ]);
  });

  it('that is not there is refused', () => {
    expect(() => loadConfig(join(directory.path, 'gone.yaml'))).toThrow(/gone\.yaml:1:1: \(document\): cannot be read \(ENOENT\)/);
  });
});
