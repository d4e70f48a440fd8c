import { exportJwk, generateSigningKey } from '@tokenmesh/token';
import { SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Issuer } from '../grants/issuer.ts';
import { createTestIssuer, issuerUrl, newId, orders, reasonOf, type TestIssuer } from '../testing.ts';
import { jwtBearerAssertion, withClient } from './client-authentication.ts';
import { hashClientSecret, matchesClientSecret } from './client-secret.ts';
import { createFederations } from './federation.ts';
import { importIssuerJwks } from './issuer-keys.ts';

const key = generateSigningKey('ES256', 'bundle');
const jwks = JSON.stringify({ keys: [exportJwk(key)] });
let opened: TestIssuer;
let issuer: Issuer;
beforeAll(async () => {
  opened = await createTestIssuer();
  const spiffe = { audience: issuerUrl, allowOtherAudiences: false, algorithms: ['ES256'], maxLifeSeconds: 3600 } as const;
  issuer = { ...opened, federations: createFederations([{ ...spiffe, keys: { jwks }, workloads: 'spiffe' }], opened.now) };
});
afterAll(() => opened.close());

async function svid(claims: Record<string, unknown>, typ = 'JWT'): Promise<string> {
  const iat = Math.floor(opened.now() / 1000);
  const all = { sub: orders, aud: issuerUrl, iat, exp: iat + 60, jti: newId(), ...claims };
  return await new SignJWT(all).setProtectedHeader({ alg: 'ES256', kid: 'bundle', typ }).sign(key.privateKey);
}

/** A JWT of exactly this many characters. One more byte makes base64url one or two longer, so one of the types fits. */
async function svidOf(length: number): Promise<string> {
  for (const typ of ['JWT', 'JOSE']) {
    const short = (await svid({ filler: '' }, typ)).length;
    for (let bytes = Math.floor(((length - short) * 3) / 4) - 2; bytes <= ((length - short) * 3) / 4 + 2; bytes++) {
      const token = await svid({ filler: 'x'.repeat(bytes) }, typ);
      if (token.length === length) return token;
    }
  }
  throw new Error(`no JWT of ${length} characters`);
}

const authenticate = (jwt: string) => {
  const parameters = { client_id: '', client_assertion_type: jwtBearerAssertion, client_assertion: jwt, client_secret: '' };
  return withClient(parameters, issuer, {}, async (_transaction, { id }) => id);
};

describe('T-44 of what a client proves itself with', () => {
  it('a JWT is taken at 8 KiB and refused one byte past it', async () => {
    expect(await authenticate(await svidOf(8192))).toBe(orders);
    expect(await reasonOf(authenticate(await svidOf(8193)))).toBe('CLIENT_AUTHENTICATION_FAILED');
  });

  it('the id of a JWT for one request is taken at 128 characters and refused one past it', async () => {
    const id = newId();
    expect(await authenticate(await svid({ jti: id.padEnd(128, 'x') }))).toBe(orders);
    expect(await reasonOf(authenticate(await svid({ jti: id.padEnd(129, 'y') })))).toBe('CLIENT_AUTHENTICATION_FAILED');
  });

  it('a secret is taken at 512 characters and refused one past it', async () => {
    const longest = 's'.repeat(512);
    const hash = await hashClientSecret(longest);
    expect([await matchesClientSecret(longest, hash), await matchesClientSecret(`${longest}s`, hash)]).toEqual([true, false]);
    await expect(hashClientSecret(`${longest}s`)).rejects.toThrow(TypeError);
  });

  it('the kid of another issuer’s key is taken at 256 characters and left out one past it', () => {
    const keysOf = (kid: string) => [
      ...importIssuerJwks(JSON.stringify({ keys: [exportJwk(key), { ...exportJwk(key), kid }] }), ['ES256']).keys(),
    ];
    expect(keysOf('k'.repeat(256))).toEqual(['bundle', 'k'.repeat(256)]);
    expect(keysOf('k'.repeat(257))).toEqual(['bundle']);
  });
});
