import { type PackageDefinition, tokenmeshPackage } from '@tokenmesh/proto';
import { shop, shopPackage } from '@tokenmesh/proto/shop';
import { describe, expect, it } from 'vitest';
import { accessRules } from './access-rules.ts';
import { isExempt, readRules } from './rules.ts';

/** A package with one method whose option is exactly what is given. */
function packageWith(access: unknown): PackageDefinition {
  const original = shopPackage['shop.v1.Gateway'];
  if (!original || 'format' in original) throw new Error('shop.v1.Gateway is a service');
  const { PlaceOrder } = original;
  const options = access === undefined ? {} : { '(tokenmesh.v1.access)': access };
  return { 'shop.v1.Gateway': { PlaceOrder: { ...PlaceOrder, options } } } as unknown as PackageDefinition;
}

describe('readRules', () => {
  it('reads the rule of every method from the proto options', () => {
    const rules = readRules([shopPackage, tokenmeshPackage()]);
    expect(rules.get('/shop.v1.Payments/Charge')).toEqual({
      method: '/shop.v1.Payments/Charge',
      scopes: ['payments.charge'],
      anyScope: [],
      public: false,
      callers: [],
      maxActDepth: undefined,
      requireBinding: false,
      class: 'standard',
      maxStaleMs: undefined,
      maxBlindMs: undefined,
    });
    expect(rules.get('/shop.v1.Payments/Refund')?.class).toBe('critical');
    expect(rules.get('/tokenmesh.v1.TokenExchange/GetJwks')?.public).toBe(true);
    expect(rules.size).toBe(33);
  });

  it('keeps several values and a single one alike', () => {
    expect(
      readRules([packageWith({ scopes: ['a', 'b'], callers: 'spiffe://x/y', max_act_depth: 0, max_stale_ms: 250, max_blind_ms: 9_000 })])
        .values()
        .next().value,
    ).toMatchObject({
      scopes: ['a', 'b'],
      callers: ['spiffe://x/y'],
      maxActDepth: 0,
      maxStaleMs: 250,
      maxBlindMs: 9_000,
    });
  });

  it.each([
    [
      { any_scope: ['a', 'b'], require_binding: true },
      { scopes: [], anyScope: ['a', 'b'], requireBinding: true },
    ],
    [
      { callers: ['spiffe://x/y'], class: 'METHOD_CLASS_STANDARD' },
      { callers: ['spiffe://x/y'], class: 'standard' },
    ],
    [
      { any_caller: true, class: 'METHOD_CLASS_CRITICAL' },
      { public: false, class: 'critical' },
    ],
  ])('takes %j, which opens something', (access, expected) => {
    expect(
      readRules([packageWith(access)])
        .values()
        .next().value,
    ).toMatchObject(expected);
  });

  it('refuses to start when a method has no rule, and names the method and the mend', () => {
    expect(() => readRules([packageWith(undefined)])).toThrow(/\/shop\.v1\.Gateway\/PlaceOrder has no access rule; write `option/);
  });

  it('refuses to start without a method to guard', () => {
    expect(() => readRules([])).toThrow('no service in it');
    expect(() => readRules([{}])).toThrow('no service in it');
  });

  it('names all methods that have no rule, not the first', () => {
    const { 'shop.v1.Orders': definition } = shopPackage;
    const bare = Object.fromEntries(Object.entries(definition ?? {}).map(([name, method]) => [name, { ...method, options: {} }]));
    const reading = () => readRules([{ 'shop.v1.Orders': bare } as unknown as PackageDefinition]);
    for (const method of ['Create', 'Get', 'Upload', 'Track']) expect(reading).toThrow(`/shop.v1.Orders/${method} has no access rule`);
  });

  it('takes the rule of a method without one from accessRules', () => {
    const { service } = shop.Gateway;
    const rules = readRules([packageWith(undefined), accessRules(service, { PlaceOrder: { scopes: ['a'] } })]);
    expect(rules.get('/shop.v1.Gateway/PlaceOrder')?.scopes).toEqual(['a']);
  });

  it('T-42: refuses to start when a method has two rules that differ, whichever is the weaker', () => {
    const open = accessRules(shop.Gateway.service, { PlaceOrder: { public: true } });
    const closed = packageWith({ scopes: 'a' });
    for (const sources of [
      [closed, open],
      [open, closed],
    ]) {
      expect(() => readRules(sources)).toThrow('/shop.v1.Gateway/PlaceOrder has two access rules that differ');
    }
    expect(readRules([closed, closed]).size).toBe(1);
  });

  it.each([
    ['an empty rule', {}, /opens nothing/],
    ['a rule that only narrows', { max_act_depth: 1, class: 'METHOD_CLASS_CRITICAL' }, /opens nothing/],
    ['public: false alone', { public: false }, /opens nothing/],
    ['an unknown member', { scopes: 'a', scope: 'b' }, /no member scope/],
    ['an empty scope', { scopes: '' }, /non-empty text/],
    ['a number as scope', { scopes: 3 }, /non-empty text/],
    ['an unknown class', { scopes: 'a', class: 'CRITICAL' }, /METHOD_CLASS_STANDARD or METHOD_CLASS_CRITICAL/],
    ['a negative age', { scopes: 'a', max_stale_ms: -1 }, /whole number/],
    ['a blind age of a critical method', { scopes: 'a', class: 'METHOD_CLASS_CRITICAL', max_blind_ms: 0 }, /standard methods/],
    ['a broken number as age', { scopes: 'a', max_stale_ms: 1.5 }, /whole number/],
    ['a list as age', { scopes: 'a', max_stale_ms: [1] }, /whole number/],
    ['text as a flag', { public: 'yes' }, /true or false/],
  ])('refuses to start on %s', (_, access, message) => {
    expect(() => readRules([packageWith(access)])).toThrow(message);
  });

  it('T-37: exempts the health service and nothing that looks like it', () => {
    expect(isExempt('/grpc.health.v1.Health/Check')).toBe(true);
    expect(isExempt('/grpc.health.v1.Health/Watch')).toBe(true);
    expect(isExempt('/grpc.health.v1.HealthX/Check')).toBe(false);
    expect(isExempt('/x.grpc.health.v1.Health/Check')).toBe(false);
    expect(isExempt('/grpc.reflection.v1.ServerReflection/ServerReflectionInfo')).toBe(false);
  });
});
