import { randomBytes } from 'node:crypto';
import { exportSigningKey, generateSigningKey, signJws } from '@tokenmesh/token';
import { describe, expect, it } from 'vitest';
import { tokensIn } from './tokens-in.ts';

describe('tokensIn', () => {
  it('finds a token, part of one, an opaque one and a private key that were planted in a text', () => {
    const key = generateSigningKey();
    const token = signJws({ sub: 'spiffe://shop.test/gateway' }, { typ: 'at+jwt', key });
    const [header = '', claims = ''] = token.split('.');
    for (const planted of [token, header, claims, `tm_${randomBytes(32).toString('base64url')}`, exportSigningKey(key)]) {
      expect(tokensIn(`{"msg":"refused ${planted} again"}`).length).toBeGreaterThan(0);
    }
  });

  it('leaves ordinary output alone', () => {
    expect(tokensIn('jti 4fzqYH2bT0mX1aQd kid k-2026 traceparent 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01 tm_0')).toEqual(
      [],
    );
  });
});
