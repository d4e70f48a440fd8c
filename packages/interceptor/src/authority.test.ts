import { describe, expect, it } from 'vitest';
import { authorityOf, findAuthorityOf, parseAuthority } from './authority.ts';

describe('authorityOf', () => {
  it.each([
    ['spiffe://shop.test/orders', 'orders.shop.test'],
    ['spiffe://shop.test/ns/a/orders', 'orders.a.ns.shop.test'],
    ['spiffe://shop.test/token-exchange', 'token-exchange.shop.test'],
    ['spiffe://shop.test/NS/or_ders', 'or_ders.ns.shop.test'],
    ['spiffe://shop.test', 'shop.test'],
  ])('%s is %s', (id, authority) => {
    expect(authorityOf(id)).toBe(authority);
  });

  it('is none where the trust domain makes no host', () => {
    expect(findAuthorityOf('spiffe://mesh.1/orders')).toBeUndefined();
    expect(() => authorityOf('spiffe://mesh.1/orders')).toThrow(TypeError);
  });
});

describe('parseAuthority', () => {
  it.each([
    ['orders.shop.test', 'orders.shop.test'],
    ['Orders.shop.test:443', 'orders.shop.test'],
    ['orders:8443', 'orders:8443'],
    ['10.0.0.1:8443', '10.0.0.1:8443'],
    ['[::1]:8443', '[::1]:8443'],
  ])('takes %s for %s', (text, authority) => {
    expect(parseAuthority(text)).toBe(authority);
  });

  it.each(['', 'https://orders', 'orders/x', 'a@b', 'a b', 'orders:99999', 'orders?', '1.2.3.4.5', 'a\\b', 'ö.test'])(
    'refuses %j',
    (text) => {
      expect(() => parseAuthority(text)).toThrow(TypeError);
    },
  );
});
