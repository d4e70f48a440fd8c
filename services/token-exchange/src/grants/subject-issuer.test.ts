import { once } from 'node:events';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { exportJwk, generateSigningKey, signJws } from '@tokenmesh/token';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createTestCertificate } from '../clients/test-certificate.ts';
import { reasonOf } from '../testing.ts';
import { createSubjectIssuers, type SubjectIssuer } from './subject-issuer.ts';

const { cert, key: tlsKey } = createTestCertificate();
const key = generateSigningKey();
const jwks = { keys: [exportJwk(key)] };

/** An OpenID provider; tests change what it answers. */
let server: Server;
let issuer: string;
let pages: Record<string, unknown>;
let asked: string[];
beforeEach(async () => {
  asked = [];
  server = createServer({ cert, key: tlsKey }, (request, response) => {
    asked.push(request.url ?? '');
    const page = pages[request.url ?? ''];
    response.writeHead(page === undefined ? 404 : 200, { 'content-type': 'application/json' });
    response.end(JSON.stringify(page ?? {}));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  issuer = `https://localhost:${(server.address() as AddressInfo).port}`; // true: it listens on TCP
  pages = { '/.well-known/openid-configuration': { issuer, jwks_uri: `${issuer}/keys` }, '/keys': jwks };
});
afterEach(async () => {
  server.close();
  server.closeAllConnections();
  await once(server, 'close');
});

function token(claims: Record<string, unknown> = {}): string {
  const iat = Math.floor(Date.now() / 1000);
  return signJws({ iss: issuer, sub: 'ada', aud: 'mesh', iat, exp: iat + 60, ...claims }, { typ: 'JWT', key });
}

function open(changes: Partial<SubjectIssuer> = {}, fetching: { allowPrivateNetwork?: boolean } = { allowPrivateNetwork: true }) {
  const keys = { url: `${issuer}/.well-known/openid-configuration`, discovers: issuer, ca: Buffer.from(cert), ...fetching };
  const company = {
    issuer,
    audience: 'mesh',
    keys,
    algorithms: ['ES256'],
    subjectClaim: 'sub',
    subjectPrefix: 'user:',
    requiredClaims: {},
  } as const;
  return createSubjectIssuers([{ ...company, ...changes }], Date.now);
}

describe('an issuer whose keys are discovered', () => {
  it('is asked for its configuration, then for its keys, and not again for the next token', async () => {
    const issuers = open();
    const { iat, exp, ...subject } = await issuers.verify(token());
    expect(subject).toEqual({ sub: 'user:ada', issuer });
    expect(exp - iat).toBe(60);
    await issuers.verify(token({ aud: ['others', 'mesh'] }));
    expect(asked).toEqual(['/.well-known/openid-configuration', '/keys']);
  });

  it('is used while it cannot be reached, once its keys are known', async () => {
    const issuers = open();
    await issuers.verify(token());
    pages = {};
    expect((await issuers.verify(token({ sub: 'bob' }))).sub).toBe('user:bob');
  });

  it.each<[string, () => Record<string, unknown>]>([
    ['is of another issuer', () => ({ issuer: 'https://evil.test', jwks_uri: `${issuer}/keys` })],
    ['names no keys', () => ({ issuer })],
    ['T-34 names keys that are not at https', () => ({ issuer, jwks_uri: `http://localhost:${new URL(issuer).port}/keys` })],
  ])('is not believed when its configuration %s', async (_, configuration) => {
    pages = { ...pages, '/.well-known/openid-configuration': configuration() };
    expect(await reasonOf(open().verify(token()))).toBe('KEYS_UNAVAILABLE');
    expect(asked).toEqual(['/.well-known/openid-configuration']);
  });

  it('T-34 is not asked at a private address unless that is allowed', async () => {
    expect(await reasonOf(open({}, {}).verify(token()))).toBe('KEYS_UNAVAILABLE');
    expect(asked).toEqual([]);
  });
});

describe('a token of another issuer', () => {
  it('is recognised by the issuer that it names, and nothing else is', () => {
    const issuers = open();
    expect(issuers.covers(token())).toBe(true);
    for (const text of [token({ iss: `${issuer}/` }), token({ iss: 'https://evil.test' }), 'nonsense', ''])
      expect(issuers.covers(text)).toBe(false);
  });

  it('names its subject by the claim that is configured', async () => {
    const issuers = open({ subjectClaim: 'email', subjectPrefix: 'mail:' });
    expect((await issuers.verify(token({ email: 'ada@shop.test' }))).sub).toBe('mail:ada@shop.test');
    expect(await reasonOf(issuers.verify(token()))).toBe('TOKEN_MALFORMED');
  });
});
