import { describe, expect, test } from 'vitest';
import { isSpiffeId, parseSpiffeId, trustDomainOf } from './spiffe-id.ts';

describe('a SPIFFE ID', () => {
  test.each([
    'spiffe://shop.test/orders',
    'spiffe://shop.test/ns/prod/sa/Orders_v1.2-b',
    'spiffe://shop.test',
    'spiffe://a/...',
    'spiffe://127.0.0.1/x',
  ])('%s is accepted as it is', (text) => {
    expect(parseSpiffeId(text)).toBe(text);
  });

  test.each([
    '',
    'spiffe://',
    'spiffe:///orders',
    'spiffe://shop.test/',
    'spiffe://shop.test//orders',
    'spiffe://shop.test/orders/',
    'spiffe://shop.test/./orders',
    'spiffe://shop.test/orders/..',
    'spiffe://shop.test/a/../orders',
    'SPIFFE://shop.test/orders',
    'Spiffe://shop.test/orders',
    'spiffe://Shop.test/orders',
    'spiffe://shop.test:443/orders',
    'spiffe://user@shop.test/orders',
    'spiffe://shop.test/orders?x=1',
    'spiffe://shop.test/orders#x',
    'spiffe://shop.test/%6frders',
    'spiffe://shop.test/orders ',
    ' spiffe://shop.test/orders',
    'spiffe://shop.test/orders\n',
    'spiffe://shop.test/ørders',
    'spiffe://shop.test/orders\u0000',
    'https://shop.test/orders',
    'spiffe:/shop.test/orders',
  ])('%j is refused and not repaired', (text) => {
    expect(isSpiffeId(text)).toBe(false);
    expect(() => parseSpiffeId(text)).toThrow(TypeError);
  });

  test('T-44 may have a trust domain of 255 characters, and not of 256', () => {
    expect(isSpiffeId(`spiffe://${'a'.repeat(255)}/x`)).toBe(true);
    expect(isSpiffeId(`spiffe://${'a'.repeat(256)}/x`)).toBe(false);
  });

  test('T-44 may have 2048 characters, and not 2049', () => {
    const prefix = 'spiffe://shop.test/';
    expect(isSpiffeId(prefix + 'a'.repeat(2048 - prefix.length))).toBe(true);
    expect(isSpiffeId(prefix + 'a'.repeat(2049 - prefix.length))).toBe(false);
  });

  test.each([undefined, null, 7, {}, ['spiffe://shop.test/orders']])('is a text, not %j', (value) => {
    expect(isSpiffeId(value)).toBe(false);
  });

  test('refuses a hostile path in linear time', () => {
    const started = performance.now();
    expect(isSpiffeId(`spiffe://shop.test${'/a'.repeat(1000)}/!`)).toBe(false);
    expect(performance.now() - started).toBeLessThan(50);
  });

  test('gives its trust domain, with a path and without', () => {
    expect(trustDomainOf(parseSpiffeId('spiffe://shop.test/a/b'))).toBe('shop.test');
    expect(trustDomainOf(parseSpiffeId('spiffe://shop.test'))).toBe('shop.test');
  });
});
