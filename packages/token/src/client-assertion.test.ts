import { SignJWT } from 'jose';
import { describe, expect, test } from 'vitest';
import {
  readClientAssertion,
  signClientAssertion,
  type UnverifiedClientAssertion,
  type VerifiedClientAssertion,
  verifyClientAssertion,
} from './client-assertion.ts';
import { tokenTypes } from './jws.ts';
import { exportJwk, generateSigningKey, importJwks } from './keys.ts';
import { headerWith, issuedAt, key, reasonOf, signAnything } from './testing.ts';
import { TokenError } from './token-error.ts';

const clientId = 'spiffe://shop.test/orders';
const audience = 'https://token-exchange.shop.test';
const keys = importJwks([exportJwk(key)]);
const signing = { clientId, audience, key, now: () => issuedAt * 1000 + 999, newId: () => 'id-1' };
const at = (seconds: number) => ({ audience, keys, now: () => seconds * 1000 });
const verifyRead = (read: UnverifiedClientAssertion, options = {}) => verifyClientAssertion(read, { ...at(issuedAt), ...options });
const verify = (compact: string, options = {}) => verifyRead(readClientAssertion(compact), options);

const claims = { iss: clientId, sub: clientId, aud: audience, exp: issuedAt + 30, iat: issuedAt, jti: 'id-1' };
const header = headerWith({ typ: tokenTypes.clientAssertion });
const assertionWith = (changes: { readonly [name: string]: unknown }) => signAnything(header, { ...claims, ...changes });

/** Why it was refused; to the outside every refusal is the same. */
function causeOf(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    if (error instanceof TokenError && error.cause instanceof TokenError) {
      expect(error.reason).toBe('CLIENT_AUTHENTICATION_FAILED');
      expect(error.message).toBe('the client assertion is refused');
      return error.cause.reason;
    }
    throw error;
  }
  throw new Error('expected a refusal');
}

describe('a client assertion', () => {
  test('that was signed is verified', () => {
    const compact = signClientAssertion(signing);
    expect(readClientAssertion(compact)).toEqual({ unverified: true, clientId, kid: key.kid });
    expect(verify(compact)).toEqual({ clientId, jti: 'id-1', exp: issuedAt + 30, kid: key.kid });
  });

  test('says all that RFC 7523 asks for, and its type', () => {
    const [head = '', body = ''] = signClientAssertion(signing).split('.');
    expect(JSON.parse(Buffer.from(head, 'base64url').toString())).toEqual(header);
    expect(JSON.parse(Buffer.from(body, 'base64url').toString())).toEqual(claims);
  });

  test('T-44 lives 1 to 60 seconds', () => {
    expect(verify(signClientAssertion({ ...signing, lifeSeconds: 60 })).exp).toBe(issuedAt + 60);
    expect(verify(signClientAssertion({ ...signing, lifeSeconds: 1 })).exp).toBe(issuedAt + 1);
    for (const lifeSeconds of [0, 61, 1.5, Number.NaN]) expect(() => signClientAssertion({ ...signing, lifeSeconds })).toThrow(TypeError);
  });

  test('of an OAuth client in general is verified, without a type or with JWT', async () => {
    for (const typ of [undefined, 'JWT']) {
      const jwt = new SignJWT(claims).setProtectedHeader({ alg: 'ES256', kid: key.kid, ...(typ && { typ }) });
      expect(verify(await jwt.sign(key.privateKey)).clientId).toBe(clientId);
    }
  });

  test('is nothing else that is signed here', () => {
    for (const typ of ['at+jwt', 'secevent+jwt', 'checkpoint+jwt', 'snapshot+jwt', 'dpop+jwt']) {
      expect(causeOf(() => verify(signAnything(headerWith({ typ }), claims)))).toBe('TOKEN_TYPE_REJECTED');
    }
  });

  test('must be signed by a key of the client', () => {
    const stranger = generateSigningKey();
    expect(causeOf(() => verify(signClientAssertion({ ...signing, key: stranger })))).toBe('SIGNING_KEY_UNKNOWN');
    const impostor = generateSigningKey('ES256', key.kid);
    expect(causeOf(() => verify(signClientAssertion({ ...signing, key: impostor })))).toBe('TOKEN_SIGNATURE_INVALID');
  });

  test('T-19 is for this issuer alone, as the sole value', () => {
    for (const aud of [[audience], [audience, 'https://b.test'], `${audience}/token`, 'https://b.test', '', 7, null, undefined]) {
      expect(causeOf(() => verify(assertionWith({ aud })))).toBe('AUDIENCE_MISMATCH');
    }
  });

  test('names one client, as issuer and as subject', () => {
    for (const changes of [
      { sub: 'spiffe://shop.test/b' },
      { iss: 'spiffe://shop.test/b' },
      { iss: undefined },
      { sub: undefined },
      { iss: '', sub: '' },
    ]) {
      expect(causeOf(() => verify(assertionWith(changes)))).toBe('TOKEN_MALFORMED');
      expect(causeOf(() => readClientAssertion(assertionWith(changes)))).toBe('TOKEN_MALFORMED');
    }
    expect(causeOf(() => verify(assertionWith({ iss: [clientId], sub: [clientId] })))).toBe('TOKEN_MALFORMED');
    expect(causeOf(() => verify(assertionWith({ iss: undefined, sub: undefined })))).toBe('TOKEN_MALFORMED');
  });

  test.each([undefined, '', 7, ['id'], 'a b', 'a\n', 'a'.repeat(129)])('must not have the jti %j', (jti) => {
    expect(causeOf(() => verify(assertionWith({ jti })))).toBe('TOKEN_MALFORMED');
  });

  test('T-44 may have a jti of 128 characters, and not of 129', () => {
    expect(verify(assertionWith({ jti: 'a'.repeat(128) })).jti).toHaveLength(128);
    expect(causeOf(() => verify(assertionWith({ jti: 'a'.repeat(129) })))).toBe('TOKEN_MALFORMED');
  });

  test('T-44 is verified with a tolerance of 5 seconds, and not of more', () => {
    expect(verify(assertionWith({}), { clockToleranceSeconds: 5 })).toBeDefined();
    expect(() => verify(assertionWith({}), { clockToleranceSeconds: 5.001 })).toThrow(TypeError);
  });

  test('is accepted until the tolerance after exp is over', () => {
    expect(verify(assertionWith({}), at(issuedAt + 34.999))).toBeDefined();
    expect(causeOf(() => verify(assertionWith({}), at(issuedAt + 35)))).toBe('TOKEN_EXPIRED');
    expect(causeOf(() => verify(assertionWith({}), { ...at(issuedAt + 30), clockToleranceSeconds: 0 }))).toBe('TOKEN_EXPIRED');
  });

  test('is accepted from the tolerance before iat and nbf on', () => {
    expect(verify(assertionWith({}), at(issuedAt - 5))).toBeDefined();
    expect(causeOf(() => verify(assertionWith({}), at(issuedAt - 5.001)))).toBe('TOKEN_NOT_YET_VALID');
    expect(causeOf(() => verify(assertionWith({ nbf: issuedAt + 6 })))).toBe('TOKEN_NOT_YET_VALID');
    expect(verify(assertionWith({ nbf: issuedAt + 5 }))).toBeDefined();
  });

  test('T-44 must not live longer than a minute, by its own word or by the clock', () => {
    expect(verify(assertionWith({ exp: issuedAt + 60 }))).toBeDefined();
    expect(causeOf(() => verify(assertionWith({ exp: issuedAt + 61 })))).toBe('TOKEN_MALFORMED');
    expect(verify(assertionWith({ iat: undefined, exp: issuedAt + 60 }))).toBeDefined();
    expect(causeOf(() => verify(assertionWith({ iat: undefined, exp: issuedAt + 61 })))).toBe('TOKEN_MALFORMED');
    // Issued by a clock that is ahead: the life is short, the end is not.
    expect(verify(assertionWith({ iat: issuedAt + 5, exp: issuedAt + 65 }))).toBeDefined();
    expect(causeOf(() => verify(assertionWith({ iat: issuedAt + 6, exp: issuedAt + 66 })))).toBe('TOKEN_NOT_YET_VALID');
  });

  test('is judged anew each time, whatever the same text came to before', () => {
    const compact = assertionWith({});
    const impostor = importJwks([exportJwk(generateSigningKey('ES256', key.kid))]);
    const read = readClientAssertion(compact);
    expect(read.clientId).toBe(clientId);
    expect(causeOf(() => verifyRead(read, { keys: impostor }))).toBe('TOKEN_SIGNATURE_INVALID');
    expect(verifyRead(read).clientId).toBe(clientId);
    expect(causeOf(() => verifyRead(read, { keys: impostor }))).toBe('TOKEN_SIGNATURE_INVALID');
    expect(causeOf(() => verifyRead(read, { audience: 'https://b.test' }))).toBe('AUDIENCE_MISMATCH');
    expect(causeOf(() => verifyRead(read, at(issuedAt + 35)))).toBe('TOKEN_EXPIRED');
    expect(causeOf(() => verify(`${compact}A`))).toBe('TOKEN_SIGNATURE_INVALID');
    expect(causeOf(() => verify(assertionWith({ jti: '' })))).toBe('TOKEN_MALFORMED');
  });

  test('is verified for whom its text names, and only as it was read', () => {
    const read = readClientAssertion(assertionWith({}));
    expect(() => verifyRead({ ...read })).toThrow(TypeError);
    // @ts-expect-error The compiler refuses a text, which was not read; who does not ask it gets an error that does not hold the text.
    expect(() => verifyRead(assertionWith({}))).toThrow('assertion must be what readClientAssertion returned');
    expect(verifyRead(Object.assign(read, { clientId: 'spiffe://shop.test/gateway' })).clientId).toBe(clientId);
  });

  test.each(['exp', 'iat', 'nbf'])('must have %s as a number', (name) => {
    expect(causeOf(() => verify(assertionWith({ [name]: `${issuedAt}` })))).toBe('TOKEN_MALFORMED');
    expect(causeOf(() => verify(assertionWith({ [name]: null })))).toBe('TOKEN_MALFORMED');
  });

  test('must have exp', () => {
    expect(causeOf(() => verify(assertionWith({ exp: undefined })))).toBe('TOKEN_MALFORMED');
  });

  test('T-42 what was only read says that it is unverified, and does not pass for what was verified', () => {
    const read = readClientAssertion(assertionWith({}));
    expect(read.unverified).toBe(true);
    // @ts-expect-error A claim of anybody is no proof: the compiler refuses it, see tsconfig.json.
    const verified: VerifiedClientAssertion = read;
    expect(verified).not.toHaveProperty('jti');
  });

  test.each(['', 'x', 'a.b.c'])('%j is refused like every other', (compact) => {
    expect(reasonOf(() => verify(compact))).toBe('CLIENT_AUTHENTICATION_FAILED');
    expect(reasonOf(() => readClientAssertion(compact))).toBe('CLIENT_AUTHENTICATION_FAILED');
  });

  test.each([
    { audience: '' },
    { audience: undefined },
    { clockToleranceSeconds: 6 },
    { clockToleranceSeconds: -1 },
    { clockToleranceSeconds: Number.NaN },
  ])('cannot be verified with %j', (options) => {
    expect(() => verify(assertionWith({}), options)).toThrow(TypeError);
  });

  test('leaves an error of the clock as what it is', () => {
    const broken = () => {
      throw new RangeError('clock');
    };
    expect(() => verify(assertionWith({}), { now: broken })).toThrow(RangeError);
  });
});
