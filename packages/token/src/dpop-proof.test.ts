import { createHmac } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { signDpopProof, verifyDpopProof } from './dpop-proof.ts';
import { exportJwk, generateSigningKey, thumbprint } from './keys.ts';
import { base64url, issuedAt, key, reasonOf, signAnything } from './testing.ts';

const htm = 'POST';
const htu = 'https://token-exchange.shop.test/tokenmesh.v1.TokenExchange/ExchangeToken';
const now = () => issuedAt * 1000;
const accessToken = 'Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU';
const { kid: _kid, alg: _alg, use: _use, ...jwk } = exportJwk(key);
const header = { typ: 'dpop+jwt', alg: 'ES256', jwk };
const claims = { jti: 'a', htm, htu, iat: issuedAt };

const sign = (changes: Partial<Parameters<typeof signDpopProof>[0]> = {}) =>
  signDpopProof({ key, htm, htu, now, newId: () => 'a', ...changes });
const verify = (proof: string, changes: Partial<Parameters<typeof verifyDpopProof>[1]> = {}) =>
  verifyDpopProof(proof, { htm, htu, now, ...changes });
const refusal = (proof: string, changes: Partial<Parameters<typeof verifyDpopProof>[1]> = {}) => reasonOf(() => verify(proof, changes));

describe('verifyDpopProof', () => {
  it.each(['ES256', 'EdDSA', 'RS256'] as const)('tells the thumbprint of the %s key that signed', (alg) => {
    const other = generateSigningKey(alg);
    expect(verify(sign({ key: other }))).toEqual({ jkt: thumbprint(other), jti: 'a', exp: issuedAt + 65, alg });
  });

  it('accepts the example of RFC 9449 section 4.2 at its time', () => {
    const proof =
      'eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMi' +
      'LCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoi' +
      'UE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0IjoxNTYyMjYyNjE2fQ.' +
      '2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg';
    const verified = verifyDpopProof(proof, { htm, htu: 'https://server.example.com/token', now: () => 1_562_262_616_000 });
    expect(verified).toMatchObject({ jkt: '0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I', jti: '-BwC3ESc6acc2lTc' });
  });

  it('compares the URI after normalization, without query and fragment', () => {
    const same = htu.replace('https://token', 'HTTPS://TOKEN').replace('shop.test', 'shop.test:443');
    expect(verify(signAnything(header, { ...claims, htu: `${same}?a#b` })).jti).toBe('a');
  });

  it('is for a server without TLS where its URI says so', () => {
    const plain = 'http://127.0.0.1:7443/token';
    expect(verify(sign({ htu: plain }), { htu: plain }).jti).toBe('a');
  });

  it.each([
    ['another path', `${htu}s`],
    ['a path in another case', htu.replace('ExchangeToken', 'exchangetoken')],
    ['another port', htu.replace('.test/', '.test:7443/')],
    ['http', htu.replace('https', 'http')],
    ['a user name', htu.replace('https://', 'https://a@')],
    ['a password', htu.replace('https://', 'https://:a@')],
    ['a backslash that parsers mend', htu.replace('.test/', '.test\\')],
    ['no URI', 'ExchangeToken'],
    ['a list', [htu]],
    ['nothing', undefined],
  ])('refuses an htu of %s', (_what, other) => {
    expect(refusal(signAnything(header, { ...claims, htu: other }))).toBe('PROOF_INVALID');
  });

  it.each([
    ['another method', { htm: 'GET' }],
    ['a method in lower case', { htm: 'post' }],
    ['no jti', { jti: undefined }],
    ['an empty jti', { jti: '' }],
    ['a jti of 129 characters', { jti: 'a'.repeat(129) }],
    ['no iat', { iat: undefined }],
    ['an iat of text', { iat: String(issuedAt) }],
    ['an ath although no token came along', { ath: 'x' }],
  ])('refuses %s', (_what, changes) => {
    expect(refusal(signAnything(header, { ...claims, ...changes }))).toBe('PROOF_INVALID');
  });

  it('takes a proof up to its age and tolerance, and not a second longer', () => {
    expect(verify(sign(), { now: () => (issuedAt + 65) * 1000 - 1 }).jti).toBe('a');
    expect(refusal(sign(), { now: () => (issuedAt + 65) * 1000 })).toBe('PROOF_INVALID');
  });

  it('takes a proof from 5 s ahead, and not from further', () => {
    expect(verify(sign(), { now: () => (issuedAt - 5) * 1000 }).jti).toBe('a');
    expect(refusal(sign(), { now: () => (issuedAt - 5) * 1000 - 1 })).toBe('PROOF_INVALID');
  });

  it('binds a proof to the access token that it came with', () => {
    const proof = sign({ accessToken });
    // RFC 9449 section 7.1: this token and this hash
    expect(JSON.parse(Buffer.from(proof.split('.')[1] ?? '', 'base64url').toString()).ath).toBe(
      'fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo',
    );
    expect(verify(proof, { accessToken }).jti).toBe('a');
    expect(refusal(proof, { accessToken: `${accessToken}x` })).toBe('PROOF_INVALID');
    expect(refusal(sign(), { accessToken })).toBe('PROOF_INVALID');
  });

  it('asks for the nonce that it expects', () => {
    expect(verify(sign({ nonce: 'n-1' }), { nonce: 'n-1' }).jti).toBe('a');
    expect(refusal(sign({ nonce: 'n-0' }), { nonce: 'n-1' })).toBe('PROOF_NONCE_REQUIRED');
    expect(refusal(sign(), { nonce: 'n-1' })).toBe('PROOF_NONCE_REQUIRED');
    expect(verify(sign({ nonce: 'n-0' })).jti).toBe('a');
  });

  it('takes any of several nonces, and asks for one when none of them is there', () => {
    for (const nonce of ['n-1', 'n-2']) expect(verify(sign({ nonce }), { nonce: ['n-1', 'n-2'] }).jti).toBe('a');
    expect(refusal(sign({ nonce: 'n-0' }), { nonce: ['n-1', 'n-2'] })).toBe('PROOF_NONCE_REQUIRED');
    expect(refusal(sign(), { nonce: ['n-1', 'n-2'] })).toBe('PROOF_NONCE_REQUIRED');
    expect(refusal(sign({ nonce: 'n-1' }), { nonce: [] })).toBe('PROOF_NONCE_REQUIRED');
  });

  it.each([
    ['no typ', { typ: undefined }],
    ['the typ of a service token', { typ: 'at+jwt' }],
    ['the typ of any JWT', { typ: 'JWT' }],
    ['a typ that begins otherwise', { typ: 'text/dpop+jwt' }],
    ['a typ that goes on', { typ: 'dpop+jwt;v=1' }],
    ['a typ that is a list', { typ: ['dpop+jwt'] }],
    ['no key', { jwk: undefined }],
    ['a key that is null', { jwk: null }],
    ['a key that is a list', { jwk: [jwk] }],
    ['a private key', { jwk: { ...jwk, d: key.privateKey.export({ format: 'jwk' }).d } }],
    ['a key for another algorithm', { jwk: { ...jwk, alg: 'RS256' } }],
    ['another algorithm than the key is for', { alg: 'EdDSA' }],
    ['alg none', { alg: 'none' }],
    ['an unknown header member', { kid: key.kid }],
    ['a critical extension', { crit: ['b64'], b64: false }],
    ['the key of somebody else', { jwk: signerless() }],
  ])('T-05: refuses a proof with %s', (_what, changes) => {
    expect(refusal(signAnything({ ...header, ...changes }, claims))).toBe('PROOF_INVALID');
  });

  it.each([
    ['the long form of its typ', { typ: 'application/dpop+jwt' }],
    ['its typ in capitals', { typ: 'DPOP+JWT' }],
    ['a key that names the algorithm as well', { jwk: { ...jwk, alg: 'ES256' } }],
  ])('takes a proof with %s', (_what, changes) => {
    expect(verify(signAnything({ ...header, ...changes }, claims)).jti).toBe('a');
  });

  it('says why a proof is refused: by its text, or by the cause when it is malformed', () => {
    const refusing = (proof: string) => () => verify(proof);
    expect(refusing(signAnything({ ...header, kid: key.kid }, claims))).toThrow('a header member other than typ, alg and jwk');
    expect(refusing('a.b')).toThrow(expect.objectContaining({ cause: expect.objectContaining({ reason: 'TOKEN_MALFORMED' }) }));
  });

  it('T-08: refuses a symmetric key', () => {
    const input = `${base64url(JSON.stringify({ typ: 'dpop+jwt', alg: 'HS256', jwk: { kty: 'oct', k: 'AAAA' } }))}.${base64url(JSON.stringify(claims))}`;
    const mac = createHmac('sha256', Buffer.from('AAAA', 'base64url')).update(input).digest('base64url');
    expect(refusal(`${input}.${mac}`)).toBe('PROOF_INVALID');
  });

  it.each(['', 'a.b', 'a.b.c', `${'a'.repeat(5000)}.b.c`, 'a.b.c, a.b.c'])('refuses what is no compact JWS', (text) => {
    expect(refusal(text)).toBe('PROOF_INVALID');
  });

  it('refuses a proof that was changed after it was signed', () => {
    const [head, , signature] = sign().split('.');
    expect(refusal(`${head}.${base64url(JSON.stringify({ ...claims, jti: 'b' }))}.${signature}`)).toBe('PROOF_INVALID');
  });

  it('T-44: takes a jti of 128 characters, and not of 129', () => {
    expect(verify(sign({ newId: () => 'a'.repeat(128) })).jti).toHaveLength(128);
    expect(refusal(sign({ newId: () => 'a'.repeat(129) }))).toBe('PROOF_INVALID');
  });

  it('T-44: takes a proof of 4096 bytes, and not a longer one', () => {
    const proofs = Array.from({ length: 3000 }, (_, length) => signAnything(header, { ...claims, extra: 'x'.repeat(length) }).length);
    const longest = proofs.findLastIndex((length) => length <= 4096);
    expect(proofs[longest]).toBe(4096);
    expect(verify(signAnything(header, { ...claims, extra: 'x'.repeat(longest) })).jti).toBe('a');
    expect(refusal(signAnything(header, { ...claims, extra: 'x'.repeat(longest + 1) }))).toBe('PROOF_INVALID');
  });

  it('T-44: takes an age of 1 to 300 seconds and a tolerance of 0 to 5, and no other', () => {
    for (const maxAgeSeconds of [1, 300]) expect(verify(sign(), { maxAgeSeconds }).exp).toBe(issuedAt + maxAgeSeconds + 5);
    for (const maxAgeSeconds of [0, 301, 1.5]) expect(() => verify(sign(), { maxAgeSeconds })).toThrow(TypeError);
    for (const clockToleranceSeconds of [0, 5]) expect(verify(sign(), { clockToleranceSeconds }).jti).toBe('a');
    for (const clockToleranceSeconds of [-1, 5.001]) expect(() => verify(sign(), { clockToleranceSeconds })).toThrow(TypeError);
  });

  it('refuses options that would weaken it', () => {
    for (const other of ['nothing', 'xhttps://a.test/']) expect(() => verify(sign(), { htu: other })).toThrow(TypeError);
    expect(() => verify(sign(), { maxAgeSeconds: 301 })).toThrow(TypeError);
    expect(() => verify(sign(), { clockToleranceSeconds: 6 })).toThrow(TypeError);
    expect(() => sign({ htu: 'nothing' })).toThrow(TypeError);
  });
});

function signerless(): object {
  const { kid: _1, alg: _2, use: _3, ...other } = exportJwk(generateSigningKey());
  return other;
}
