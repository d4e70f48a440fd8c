import { randomBytes } from 'node:crypto';
import { exportJwk, exportSigningKey, generateSigningKey, signJws } from '@tokenmesh/token';
import { describe, expect, it } from 'vitest';
import { createTokenScanner, tokensIn } from './tokens-in.ts';

const key = generateSigningKey();
const token = signJws({ sub: 'spiffe://shop.test/gateway' }, { typ: 'at+jwt', key });
const [header = '', claims = ''] = token.split('.');
const pem = exportSigningKey(key);
const jwk = { ...exportJwk(key), d: randomBytes(32).toString('base64url') };

const planted: Readonly<Record<string, string>> = {
  'a token': token,
  'the header of a token': header,
  'the claims of a token': claims,
  'an opaque token': `tm_${randomBytes(32).toString('base64url')}`,
  'a private key in PEM': pem,
  'the body of its PEM alone': pem.split('\n')[1] ?? '',
  'the body of a P-256 key': exportSigningKey(generateSigningKey('ES256')).split('\n')[1] ?? '',
  'a private JWK': JSON.stringify(jwk),
  'a private JWK in a text in JSON': JSON.stringify(JSON.stringify(jwk)),
  'a seed of NATS': `SU${'A2B3C4D5'.repeat(7)}`,
  'an authorization value': `"authorization":"Basic ${randomBytes(12).toString('base64')}"`,
  'an authorization value that is no token': 'Authorization: Bearer opaque-of-somebody',
  'a value under the compact key that is no token': `{"tokenmesh-token":["Bearer opaque-of-somebody"]}`,
};
const known = Object.entries(planted);

const ordinary = [
  'jti 4fzqYH2bT0mX1aQd kid k-2026 traceparent 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01 tm_0',
  'jti Qx7eyJ4fzqYH2bT0mX1aQd has three letters of a header by chance',
  'sealed eyJjRygoaWZtT0mX1aQdkP9w4fzqYH2b has them, and nine readable bytes',
  JSON.stringify(exportJwk(key)),
  '[ \'authorization\' ] Bearer … "authorization":"Bearer …" "tokenmesh-token":"DPoP …"',
];

describe('tokensIn', () => {
  it.each(known)('finds %s that was planted in a text', (_, secret) => {
    expect(tokensIn(`{"msg":"refused ${secret} again"}`)).not.toEqual([]);
  });

  it.each(known)('finds %s that was encoded in base64 once more, whatever stood before it', (_, secret) => {
    for (const before of ['', 'x', 'xy', 'xyz']) {
      for (const encoding of ['base64', 'base64url'] as const) {
        const encoded = Buffer.from(`${before} ${secret}`).toString(encoding);
        for (const path of ['', '/', 'a/', 'ab/']) expect(tokensIn(`{"msg":"${path}${encoded}"}`)).not.toEqual([]);
      }
    }
  });

  it('says enough of it to find it, and too little to use it', () => {
    expect(tokensIn(`refused ${token}`)[0]).toBe(`${token.slice(0, 12)}…`);
  });

  it('leaves ordinary output alone', () => {
    expect(ordinary.flatMap(tokensIn)).toEqual([]);
  });
});

describe('createTokenScanner', () => {
  it.each(known)('finds %s wherever it is cut in two', (_, secret) => {
    for (let at = 0; at <= secret.length; at++) {
      const scan = createTokenScanner();
      expect([...scan(`a line\nrefused ${secret.slice(0, at)}`), ...scan(`${secret.slice(at)} again\n`)]).not.toEqual([]);
    }
  });

  it('tells once of what it has seen, and of each that follows', () => {
    const scan = createTokenScanner();
    expect(scan(`refused ${token} `)).not.toEqual([]);
    expect(scan('again ')).toEqual([]);
    expect(scan('and again\n')).toEqual([]);
    expect(scan(`refused ${token}\n`)).not.toEqual([]);
  });
});
