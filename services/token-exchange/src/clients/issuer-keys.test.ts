import { once } from 'node:events';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { exportJwk, generateSigningKey, type Reason } from '@tokenmesh/token';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { reasonOf } from '../testing.ts';
import {
  checkKeysUrl,
  createIssuerKeys,
  defaultIssuerAlgorithms,
  type IssuerKeySource,
  importIssuerJwks,
  isPublic,
} from './issuer-keys.ts';
import { createTestCertificate } from './test-certificate.ts';

const certificate = createTestCertificate();
const key = generateSigningKey('ES256', 'k1');
const header = { alg: 'ES256', kid: 'k1' };
const jwksOf = (...keys: object[]) => JSON.stringify({ keys });
const good = jwksOf(exportJwk(key));

interface Answer {
  readonly status?: number;
  readonly headers?: Record<string, string>;
  readonly body?: string;
}

let server: Server;
let requests: number;
let answer: (() => Promise<Answer>) | Answer;
let nowMs: number;
const now = () => nowMs;

beforeEach(async () => {
  [requests, answer, nowMs] = [0, { body: good }, Date.UTC(2026, 5, 1)];
  server = createServer({ cert: certificate.cert, key: certificate.key }, async (_request, response) => {
    requests++;
    const {
      status = 200,
      headers = { 'content-type': 'application/json' },
      body = '',
    } = await (typeof answer === 'function' ? answer() : answer);
    response.writeHead(status, headers).end(body);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});
afterEach(async () => {
  server.closeAllConnections();
  server.close();
  await once(server, 'close');
});

const url = (host = 'localhost') => `https://${host}:${(server.address() as AddressInfo).port}/jwks`; // true: it listens on a port
const source = (changes: Partial<Extract<IssuerKeySource, { url: string }>> = {}): IssuerKeySource => ({
  url: url(),
  allowPrivateNetwork: true,
  ca: certificate.cert,
  ...changes,
});
const open = (changes: Parameters<typeof source>[0] = {}) => createIssuerKeys({ source: source(changes), now });
const find = (keys: ReturnType<typeof open>, kid = 'k1'): Promise<Reason | 'found'> =>
  keys.find({ ...header, kid }).then(
    () => 'found' as const,
    (error: unknown) => reasonOf(Promise.reject(error)),
  );

describe('keys at an address', () => {
  it('are asked for when they are needed, and kept', async () => {
    const keys = open();
    expect(requests).toBe(0);
    expect([await find(keys), await find(keys), requests]).toEqual(['found', 'found', 1]);
  });

  it.each<[string, Answer | (() => Promise<Answer>)]>([
    ['a redirect', { status: 302, headers: { location: 'https://example.com/jwks', 'content-type': 'application/json' }, body: good }],
    ['an error', { status: 500, body: good }],
    ['an HTML page', { headers: { 'content-type': 'text/html' }, body: good }],
    ['no content type', { headers: {}, body: good }],
    ['more than 256 KiB', { body: `${good}${' '.repeat(256 * 1024)}` }],
    ['no JSON', { body: '{' }],
    ['no keys', { body: jwksOf() }],
  ])('T-34, T-43: are not taken from %s', async (_what, bad) => {
    answer = bad;
    expect(await find(open())).toBe('KEYS_UNAVAILABLE');
  });

  it('T-34: are taken from an answer of exactly 256 KiB', async () => {
    answer = { body: good.padEnd(256 * 1024) };
    expect(await find(open())).toBe('found');
  });

  it('T-34: are not waited for longer than 3 s', async () => {
    answer = () => new Promise(() => undefined);
    const started = performance.now();
    expect(await find(open())).toBe('KEYS_UNAVAILABLE');
    expect(performance.now() - started).toBeGreaterThan(2500);
    expect(performance.now() - started).toBeLessThan(4500);
  });

  it.each(['localhost', '127.0.0.1'])('T-34: are not asked for at %s unless private networks are allowed', async (host) => {
    expect(await find(open({ url: url(host), allowPrivateNetwork: false }))).toBe('KEYS_UNAVAILABLE');
    expect(requests).toBe(0);
    expect(await find(open({ url: url(host) }))).toBe('found');
  });

  it('are not taken from a server whose certificate nobody vouches for', async () => {
    expect(await find(open({ ca: createTestCertificate().cert }))).toBe('KEYS_UNAVAILABLE');
  });

  it('stay in use while the issuer cannot be reached, up to a day', async () => {
    const keys = open();
    await find(keys);
    answer = { status: 500 };
    nowMs += 24 * 3600_000;
    expect(await find(keys)).toBe('found');
    nowMs += 1;
    expect(await find(keys)).toBe('KEYS_UNAVAILABLE');
  });

  it('are asked for again after five minutes, without anybody waiting', async () => {
    const keys = open();
    await find(keys);
    const asked = Promise.withResolvers<void>();
    const released = Promise.withResolvers<Answer>();
    answer = () => {
      asked.resolve();
      return released.promise;
    };
    nowMs += 5 * 60_000;
    await find(keys);
    expect(requests).toBe(1);
    nowMs += 1;
    expect(await find(keys)).toBe('found');
    await asked.promise;
    released.resolve({ body: jwksOf(exportJwk(key), exportJwk(generateSigningKey('ES256', 'k2'))) });
    expect(await find(keys, 'k2')).toBe('found');
    expect(requests).toBe(2);
  });

  it('T-35: 100 000 unknown kids cause one request in 30 s', async () => {
    const keys = open();
    await find(keys);
    nowMs += 30_001;
    const outcomes = new Set(await Promise.all(Array.from({ length: 100_000 }, (_, n) => find(keys, `unknown-${n}`))));
    expect([...outcomes]).toEqual(['SIGNING_KEY_UNKNOWN']);
    expect(requests).toBe(2);
    nowMs += 30_000;
    await find(keys, 'unknown');
    expect(requests).toBe(2);
    nowMs += 1;
    await find(keys, 'unknown');
    expect(requests).toBe(3);
  });

  it('are tried again after a second as long as there are none', async () => {
    answer = { status: 500 };
    const keys = open();
    await find(keys);
    answer = { body: good };
    expect(await find(keys)).toBe('KEYS_UNAVAILABLE');
    nowMs += 1001;
    expect(await find(keys)).toBe('found');
  });
});

describe('importIssuerJwks', () => {
  const algorithmsOf = (jwk: object, algorithms = defaultIssuerAlgorithms) => {
    const keys = importIssuerJwks(jwksOf(jwk, exportJwk(generateSigningKey('EdDSA', 'other'))), algorithms);
    return keys.get('k1')?.alg;
  };
  const { alg: _alg, ...untold } = exportJwk(key);
  const { alg: _rs256, ...untoldRsa } = exportJwk(generateSigningKey('RS256', 'k1'));

  it('T-03: binds a key to its own algorithm, or to the only one that is configured for its type', () => {
    expect(algorithmsOf(exportJwk(key))).toBe('ES256');
    expect(algorithmsOf({ ...untold, use: 'jwt-svid' })).toBe('ES256');
    expect(algorithmsOf(untoldRsa, ['PS256', 'EdDSA'])).toBe('PS256');
    expect(algorithmsOf(untoldRsa, ['RS256', 'PS256', 'EdDSA'])).toBeUndefined();
  });

  it.each([
    ['for another algorithm', { ...untold, alg: 'RS256' }],
    ['for an algorithm that is not configured', { ...untold, alg: 'ES384' }],
    ['for encryption', { ...untold, use: 'enc' }],
    ['for signing', { ...untold, key_ops: ['sign'] }],
    ['that is private', { ...untold, d: 'AA' }],
    ['that is symmetric', { kty: 'oct', k: 'AAAA', kid: 'k1', alg: 'HS256' }],
    ['whose point is on no curve', { ...untold, x: untold.y }],
    ['without kid', { ...untold, kid: undefined }],
  ])('leaves out a key %s', (_what, jwk) => {
    expect(algorithmsOf(jwk)).toBeUndefined();
  });

  it('T-03: gives a key out for its own algorithm alone', async () => {
    const rsa = exportJwk(generateSigningKey('RS256', 'k1'));
    const keys = createIssuerKeys({ source: { jwks: jwksOf(rsa) }, algorithms: ['RS256', 'PS256'], now });
    await expect(keys.find({ alg: 'RS256', kid: 'k1' })).resolves.toBeDefined();
    expect(await reasonOf(keys.find({ alg: 'PS256', kid: 'k1' }))).toBe('TOKEN_SIGNATURE_INVALID');
  });

  it('refuses a set without a usable key, and one with two keys of one kid', () => {
    expect(() => importIssuerJwks(jwksOf({ ...untold, use: 'enc' }), defaultIssuerAlgorithms)).toThrow(TypeError);
    expect(() => importIssuerJwks('[]', defaultIssuerAlgorithms)).toThrow(TypeError);
    expect(() => importIssuerJwks(jwksOf(untold, untold), defaultIssuerAlgorithms)).toThrow(TypeError);
  });
});

describe('addresses', () => {
  it.each(['http://issuer.test/jwks', 'ftp://issuer.test/jwks', 'https://a@issuer.test/jwks', 'https://issuer.test/#a', 'jwks'])(
    'T-34: refuses %s',
    (text) => {
      expect(() => checkKeysUrl(text)).toThrow(TypeError);
      expect(() => createIssuerKeys({ source: { url: text }, now })).toThrow(TypeError);
    },
  );

  it.each(['8.8.8.8', '172.32.0.1', '100.128.0.1', '2606:4700:4700::1111', '2a00:1450:4001::1'])('T-34: %s is public', (address) => {
    expect(isPublic(address)).toBe(true);
  });

  it.each([
    ...[
      '127.0.0.1',
      '127.255.255.255',
      '0.0.0.0',
      '10.0.0.1',
      '172.16.0.1',
      '172.31.255.255',
      '192.168.1.1',
      '169.254.169.254',
      '100.64.0.1',
      '224.0.0.1',
    ],
    ...[
      '::1',
      '::',
      '::ffff:127.0.0.1',
      '::ffff:8.8.8.8',
      '64:ff9b::7f00:1',
      'fe80::1',
      'fc00::1',
      'fd12::1',
      'ff02::1',
      '2002:7f00:1::',
      '2001:db8::1',
      'name',
    ],
  ])('T-34: %s is not public', (address) => {
    expect(isPublic(address)).toBe(false);
  });
});
