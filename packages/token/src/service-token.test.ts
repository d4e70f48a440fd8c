import { jwtVerify } from 'jose';
import { describe, expect, test } from 'vitest';
import { createLocalKeySet, exportJwk, generateSigningKey, type KeySet } from './keys.ts';
import {
  acceptIntrospectedClaims,
  checkTimes,
  signServiceToken,
  type VerifiedToken,
  verifyForAnyAudience,
  verifyServiceToken,
} from './service-token.ts';
import { claimsWith, headerWith, issuedAt, key, reasonOf, seededRandom, signAnything, verifier } from './testing.ts';
import { TokenError } from './token-error.ts';

const good = signServiceToken(claimsWith(), key);
const verify = (compact: string, changes = {}) => verifyServiceToken(compact, { ...verifier, ...changes });
/** A token with these claims, signed without the checks of the signer. */
const tokenWith = (changes: { readonly [name: string]: unknown }) => signAnything(headerWith(), claimsWith(changes));
const at = (seconds: number) => ({ now: () => seconds * 1000 });

describe('a service token', () => {
  test('that was signed is verified', () => {
    const token = verify(good) as VerifiedToken;
    expect(token).toStrictEqual({ claims: claimsWith(), kid: key.kid, scope: ['payments.charge', 'payments.read'] });
    expect([token, token.claims, token.scope].every(Object.isFrozen)).toBe(true);
  });

  test.each(['ES256', 'EdDSA', 'RS256'] as const)('of %s is accepted by jose under its strict options as well', async (alg) => {
    const signer = generateSigningKey(alg, 'k1');
    const { payload, protectedHeader } = await jwtVerify(signServiceToken(claimsWith(), signer), signer.publicKey, {
      algorithms: [alg],
      typ: 'at+jwt',
      issuer: verifier.issuer as string,
      audience: verifier.audience,
      currentDate: new Date(verifier.now()),
      requiredClaims: ['iss', 'sub', 'aud', 'exp', 'iat', 'jti', 'client_id', 'scope', 'txn', 'rn'],
    });
    expect(payload).toEqual(claimsWith());
    expect(protectedHeader.kid).toBe('k1');
  });

  test('has its claims in one order, without blanks and without what is not a claim', () => {
    const shuffled = Object.fromEntries(Object.entries({ extra: 1, ...claimsWith({ sid: 's' }) }).reverse());
    // True but for the extra member, which is the point.
    const [, body = ''] = signServiceToken(shuffled as never, key).split('.');
    expect(Buffer.from(body, 'base64url').toString()).toBe(JSON.stringify(claimsWith({ sid: 's' })));
  });

  test('that begins a chain does not write its id twice, and is verified as if it had', () => {
    const claims = claimsWith({ txn: claimsWith().jti });
    const compact = signServiceToken(claims, key);
    const written = JSON.parse(Buffer.from(compact.split('.')[1] ?? '', 'base64url').toString());
    expect(written).toStrictEqual(Object.fromEntries(Object.entries(claims).filter(([name]) => name !== 'txn')));
    expect((verify(compact) as VerifiedToken).claims).toStrictEqual(claims);
  });

  test('costs 88 bytes and four thirds of its JSON', () => {
    const short = generateSigningKey('ES256', 'k1');
    const header = JSON.stringify({ alg: 'ES256', kid: 'k1', typ: 'at+jwt' }).length;
    const payload = JSON.stringify(claimsWith()).length;
    expect(signServiceToken(claimsWith(), short).length).toBe(Math.ceil((header * 4) / 3) + Math.ceil((payload * 4) / 3) + 88);
  });

  test('is not signed with claims that no verifier would accept', () => {
    for (const changes of [{ aud: ['a'] }, { exp: issuedAt }, { jti: '' }, { cnf: {} }, { rn: undefined }]) {
      expect(reasonOf(() => signServiceToken(claimsWith(changes), key))).toBe('TOKEN_MALFORMED');
    }
  });

  test('T-44 is not signed when it is larger than verifiers accept', () => {
    const withSubject = (length: number) => signServiceToken(claimsWith({ sub: 'a'.repeat(length), client_id: 'c'.repeat(1000) }), key);
    let longest = 1;
    for (let step = 1024; step >= 1; step /= 2) {
      const longer = longest + step;
      if (longer <= 2048 && !isRefused(() => withSubject(longer))) longest = longer;
    }
    expect(withSubject(longest).length).toBeLessThanOrEqual(4096);
    expect(withSubject(longest).length).toBeGreaterThan(4096 - 2);
    expect(reasonOf(() => withSubject(longest + 1))).toBe('TOKEN_MALFORMED');
  });
});

describe('a verifier', () => {
  test('says that it lacks an issuer', () => {
    for (const issuer of [undefined, '', []]) expect(() => verify(good, { issuer })).toThrow('at least one issuer');
  });

  test('names an unknown kid as such', () => {
    expect(reasonOf(() => verify(signServiceToken(claimsWith(), generateSigningKey())))).toBe('SIGNING_KEY_UNKNOWN');
  });

  test('refuses a foreign signature under a known kid', () => {
    expect(reasonOf(() => verify(signServiceToken(claimsWith(), generateSigningKey('ES256', key.kid))))).toBe('TOKEN_SIGNATURE_INVALID');
    expect(reasonOf(() => verify(signServiceToken(claimsWith(), generateSigningKey('EdDSA', key.kid))))).toBe('TOKEN_SIGNATURE_INVALID');
  });

  test('accepts its issuer alone, or one of several', () => {
    const foreign = tokenWith({ iss: 'https://other.test' });
    expect(reasonOf(() => verify(foreign))).toBe('ISSUER_UNTRUSTED');
    expect(verify(foreign, { issuer: ['https://a.test', 'https://other.test'] })).toBeDefined();
    expect(reasonOf(() => verify(foreign, { issuer: ['https://other.tes', 'https://other.test/'] }))).toBe('ISSUER_UNTRUSTED');
    for (const iss of ['https://token-exchange.shop.tes', 'https://token-exchange.shop.test/', 'HTTPS://token-exchange.shop.test']) {
      expect(reasonOf(() => verify(tokenWith({ iss })))).toBe('ISSUER_UNTRUSTED');
    }
  });

  test('accepts its own audience alone', () => {
    for (const aud of ['spiffe://shop.test/payment', 'spiffe://shop.test/payments2', 'spiffe://shop.test/Payments', '*']) {
      expect(reasonOf(() => verify(tokenWith({ aud })))).toBe('AUDIENCE_MISMATCH');
    }
  });

  test('accepts any audience only by the name that says so', () => {
    const token = verifyForAnyAudience(tokenWith({ aud: 'spiffe://shop.test/other' }), verifier) as VerifiedToken;
    expect(token.claims.aud).toBe('spiffe://shop.test/other');
    expect(reasonOf(() => verifyForAnyAudience(tokenWith({ aud: ['a', 'b'] }), verifier))).toBe('TOKEN_MALFORMED');
    expect(reasonOf(() => verifyForAnyAudience(tokenWith({ iss: 'https://b.test' }), verifier))).toBe('ISSUER_UNTRUSTED');
    expect(reasonOf(() => verifyForAnyAudience(good, { ...verifier, ...at(issuedAt + 305) }))).toBe('TOKEN_EXPIRED');
  });

  test('accepts a token until the tolerance after exp is over', () => {
    expect(verify(good, at(issuedAt + 304.999))).toBeDefined();
    expect(reasonOf(() => verify(good, at(issuedAt + 305)))).toBe('TOKEN_EXPIRED');
    expect(verify(good, { ...at(issuedAt + 299.999), clockToleranceSeconds: 0 })).toBeDefined();
    expect(reasonOf(() => verify(good, { ...at(issuedAt + 300), clockToleranceSeconds: 0 }))).toBe('TOKEN_EXPIRED');
  });

  test('accepts a token from the tolerance before iat and nbf on', () => {
    expect(verify(good, at(issuedAt - 5))).toBeDefined();
    expect(reasonOf(() => verify(good, at(issuedAt - 5.001)))).toBe('TOKEN_NOT_YET_VALID');
    const later = tokenWith({ nbf: issuedAt + 60 });
    expect(verify(later, at(issuedAt + 55))).toBeDefined();
    expect(reasonOf(() => verify(later, at(issuedAt + 54.999)))).toBe('TOKEN_NOT_YET_VALID');
    expect(reasonOf(() => verify(later, { ...at(issuedAt + 59.999), clockToleranceSeconds: 0 }))).toBe('TOKEN_NOT_YET_VALID');
  });

  test('accepts a life of its ceiling, and not a second more', () => {
    expect(verify(tokenWith({ exp: issuedAt + 900 }))).toBeDefined();
    expect(reasonOf(() => verify(tokenWith({ exp: issuedAt + 901 })))).toBe('TOKEN_MALFORMED');
    expect(verify(good, { maxLifeSeconds: 300 })).toBeDefined();
    expect(reasonOf(() => verify(good, { maxLifeSeconds: 299 }))).toBe('TOKEN_MALFORMED');
  });

  test('T-53 accepts over 90 seconds of skew in both directions exactly what the tolerance covers', () => {
    for (let skew = -90; skew <= 90; skew++) {
      const fresh = tokenWith({ iat: issuedAt + skew, exp: issuedAt + skew + 300 });
      const dying = tokenWith({ iat: issuedAt + skew - 300, exp: issuedAt + skew });
      const accepts = (compact: string) => !isRefused(() => verify(compact, at(issuedAt)));
      expect(accepts(fresh)).toBe(skew <= 5);
      expect(accepts(dying)).toBe(skew > -5);
    }
  });

  test('T-44 may be set up with a tolerance of 5 seconds, and not of more', () => {
    expect(verify(good, { clockToleranceSeconds: 5 })).toBeDefined();
    expect(() => verify(good, { clockToleranceSeconds: 5.001 })).toThrow(TypeError);
  });

  test('refuses when its clock is broken', () => {
    expect(reasonOf(() => verify(good, { now: () => Number.NaN }))).toBe('TOKEN_EXPIRED');
  });

  test.each(['iss', 'sub', 'aud', 'exp', 'iat', 'jti', 'client_id', 'scope', 'rn'])('refuses a signed token without %s', (name) => {
    expect(reasonOf(() => verify(tokenWith({ [name]: undefined })))).toBe('TOKEN_MALFORMED');
  });

  test('takes the first failure: shape, type, key, signature, then claims, issuer, audience, times', () => {
    const wrong = { iss: 'https://b.test', aud: 'spiffe://shop.test/b', exp: issuedAt - 100, iat: issuedAt - 400 };
    const stranger = generateSigningKey('ES256', key.kid);
    expect(reasonOf(() => verify(signAnything(headerWith({ typ: 'JWT', kid: 'x' }), wrong, stranger)))).toBe('TOKEN_TYPE_REJECTED');
    expect(reasonOf(() => verify(signAnything(headerWith({ kid: 'x' }), wrong, stranger)))).toBe('SIGNING_KEY_UNKNOWN');
    expect(reasonOf(() => verify(signAnything(headerWith(), wrong, stranger)))).toBe('TOKEN_SIGNATURE_INVALID');
    expect(reasonOf(() => verify(signAnything(headerWith(), wrong)))).toBe('TOKEN_MALFORMED');
    expect(reasonOf(() => verify(tokenWith(wrong)))).toBe('ISSUER_UNTRUSTED');
    expect(reasonOf(() => verify(tokenWith({ ...wrong, iss: verifier.issuer })))).toBe('AUDIENCE_MISMATCH');
    expect(reasonOf(() => verify(tokenWith({ ...wrong, iss: verifier.issuer, aud: verifier.audience })))).toBe('TOKEN_EXPIRED');
  });

  test.each([
    { audience: '' },
    { audience: undefined },
    { audience: ['a'] },
    { issuer: '' },
    { issuer: [] },
    { issuer: undefined },
    { clockToleranceSeconds: -1 },
    { clockToleranceSeconds: 5.1 },
    { clockToleranceSeconds: Number.NaN },
    { maxLifeSeconds: 0 },
    { maxLifeSeconds: Number.NaN },
  ])('T-29 cannot be set up with %j', (changes) => {
    expect(() => verify(good, changes)).toThrow(TypeError);
  });
});

describe('a key set that has to ask', () => {
  const asking = (find: () => Promise<undefined>): { keys: KeySet } => ({ keys: { find } });
  const local = createLocalKeySet([exportJwk(key)]);

  test('makes the answer a promise, and a local one does not', async () => {
    expect(verify(good)).not.toBeInstanceOf(Promise);
    const promised = verify(good, { keys: { find: async (kid: string) => local.find(kid) } });
    expect(promised).toBeInstanceOf(Promise);
    expect(await promised).toEqual(verify(good));
  });

  test('rejects with the reason of what came out wrong', async () => {
    await expect(
      verify(
        good,
        asking(async () => undefined),
      ),
    ).rejects.toMatchObject({ reason: 'SIGNING_KEY_UNKNOWN' });
    const unavailable = asking(() => Promise.reject(new TokenError('KEYS_UNAVAILABLE', 'keys cannot be fetched')));
    await expect(verify(good, unavailable)).rejects.toMatchObject({ reason: 'KEYS_UNAVAILABLE' });
    const expired = { keys: { find: async (kid: string) => local.find(kid) }, ...at(issuedAt + 305) };
    await expect(verify(good, expired)).rejects.toMatchObject({ reason: 'TOKEN_EXPIRED' });
  });

  test('is not asked about a token whose shape or type is wrong', () => {
    let asked = 0;
    const keys: KeySet = { find: () => void asked++ };
    expect(reasonOf(() => verify(`${good}=`, { keys }))).toBe('TOKEN_MALFORMED');
    expect(reasonOf(() => verify(signAnything(headerWith({ typ: 'JWT' }), claimsWith()), { keys }))).toBe('TOKEN_TYPE_REJECTED');
    expect(asked).toBe(0);
  });

  test('cannot pass the key of another kid', () => {
    const other = createLocalKeySet([{ ...exportJwk(key), kid: 'other' }]);
    expect(reasonOf(() => verify(good, { keys: { find: () => other.find('other') } }))).toBe('TOKEN_SIGNATURE_INVALID');
  });
});

test('the times alone can be checked again, as each call does', () => {
  expect(() => checkTimes(claimsWith(), issuedAt * 1000, 5)).not.toThrow();
  expect(() => checkTimes(claimsWith(), (issuedAt + 305) * 1000 - 1, 5)).not.toThrow();
  expect(reasonOf(() => checkTimes(claimsWith(), (issuedAt + 305) * 1000, 5))).toBe('TOKEN_EXPIRED');
  expect(reasonOf(() => checkTimes(claimsWith(), (issuedAt - 5) * 1000 - 1, 5))).toBe('TOKEN_NOT_YET_VALID');
});

function isRefused(act: () => unknown): boolean {
  try {
    act();
    return false;
  } catch (error) {
    if (error instanceof TokenError) return true;
    throw error;
  }
}

describe('a mutated token', () => {
  test('is refused at every position, for every changed character', () => {
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.';
    for (let position = 0; position < good.length; position++) {
      const character = good.charAt(position);
      const other = alphabet.charAt((alphabet.indexOf(character) + 1 + (position % (alphabet.length - 1))) % alphabet.length);
      if (other === character) continue;
      expectRefusal(good.slice(0, position) + other + good.slice(position + 1));
    }
  });

  test('is refused in 4 000 random forms, with a reason of the signature or before, and without a byte of it in the message', () => {
    const random = seededRandom(7515);
    for (let round = 0; round < 4000; round++) {
      let text = good;
      for (let edits = random(3); edits >= 0; edits--) text = mutate(text, random);
      if (text !== good) expectRefusal(text);
    }
  });

  test('of valid shape, in 1 000 random payloads, is never accepted for a payload it was not signed for', () => {
    const random = seededRandom(9068);
    const [header, body = '', signature] = good.split('.');
    for (let round = 0; round < 1000; round++) {
      const bytes = Buffer.from(body, 'base64url');
      const position = random(bytes.length);
      bytes[position] = bytes.readUInt8(position) ^ (1 << random(8));
      expectRefusal(`${header}.${bytes.toString('base64url')}.${signature}`);
    }
  });
});

const early = new Set(['TOKEN_MALFORMED', 'TOKEN_TYPE_REJECTED', 'SIGNING_KEY_UNKNOWN', 'TOKEN_SIGNATURE_INVALID']);

function expectRefusal(text: string): void {
  let error: unknown;
  try {
    verify(text);
  } catch (thrown) {
    error = thrown;
  }
  expect(error).toBeInstanceOf(TokenError);
  // True: the line above.
  const { reason, message, cause } = error as TokenError;
  expect(early).toContain(reason);
  expect(cause).toBeUndefined();
  for (const part of text.split('.')) if (part.length > 7) expect(message).not.toContain(part.slice(0, 8));
}

function mutate(text: string, random: (limit: number) => number): string {
  const position = random(text.length);
  const other = random(text.length);
  switch (random(6)) {
    case 0:
      return text.slice(0, position) + String.fromCharCode(random(256)) + text.slice(position + 1);
    case 1:
      return text.slice(0, position) + text.slice(position + 1 + random(8));
    case 2:
      return text.slice(0, position) + text.slice(other, other + random(16)) + text.slice(position);
    case 3:
      return text.slice(0, position);
    case 4:
      return text.slice(0, position) + '.'.repeat(1 + random(3)) + text.slice(position);
    default: {
      const parts = text.split('.');
      const first = random(parts.length);
      const second = random(parts.length);
      [parts[first], parts[second]] = [parts[second] ?? '', parts[first] ?? ''];
      return parts.join('.');
    }
  }
}

describe('claims that the issuer described', () => {
  const accept = (changes: { readonly [name: string]: unknown } = {}, options = {}) =>
    // True but for the changes, which are the point.
    acceptIntrospectedClaims({ ...claimsWith(), ...changes } as never, { ...verifier, ...options });

  test('are accepted as those of a signed token are, with no key to vouch for them', () => {
    expect(accept()).toStrictEqual({ claims: claimsWith(), kid: '', scope: ['payments.charge', 'payments.read'] });
  });

  test.each<[string, Record<string, unknown>, string]>([
    ['another audience', { aud: 'spiffe://shop.test/other' }, 'AUDIENCE_MISMATCH'],
    ['another issuer', { iss: 'https://other.test' }, 'ISSUER_UNTRUSTED'],
    ['a life above the ceiling', { exp: claimsWith().iat + 901 }, 'TOKEN_MALFORMED'],
    ['no jti', { jti: '' }, 'TOKEN_MALFORMED'],
    ['a binding that is not understood', { cnf: {} }, 'TOKEN_MALFORMED'],
    ['text for a time', { exp: '9' }, 'TOKEN_MALFORMED'],
  ])('are refused with %s', (_, changes, reason) => {
    expect(reasonOf(() => accept(changes))).toBe(reason);
  });

  test('are refused from the moment on at which a signed token would be', () => {
    const { exp } = claimsWith();
    expect(accept({}, at(exp + 4.999)).kid).toBe('');
    expect(reasonOf(() => accept({}, at(exp + 5)))).toBe('TOKEN_EXPIRED');
  });

  test.each([{ audience: '' }, { issuer: [] }, { clockToleranceSeconds: 5.1 }, { maxLifeSeconds: 0 }])(
    'cannot be judged with %j',
    (options) => {
      expect(() => accept({}, options)).toThrow(TypeError);
    },
  );
});
