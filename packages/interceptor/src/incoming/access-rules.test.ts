import { shop, shopPackage } from '@tokenmesh/proto/shop';
import { describe, expect, it } from 'vitest';
import { accessRules } from './access-rules.ts';
import { readRules } from './rules.ts';

const { service } = shop.Payments;
const Charge = { scopes: ['payments.charge'] };
const Refund = { scopes: ['payments.refund'], class: 'METHOD_CLASS_CRITICAL' } as const;
const WatchCharges = { any_scope: ['payments.watch', 'payments.read'] };

describe('accessRules', () => {
  it('gives the table that the proto options would give', () => {
    const { 'shop.v1.Payments': described } = shopPackage;
    const fromOptions = readRules([{ 'shop.v1.Payments': described } as typeof shopPackage]);
    expect(accessRules(service, { Charge, Refund, WatchCharges: { scopes: ['payments.watch'] } })).toEqual(fromOptions);
  });

  it('does not type-check without a rule for each method, and refuses it', () => {
    // @ts-expect-error WatchCharges has no rule
    expect(() => accessRules(service, { Charge, Refund })).toThrow(
      "/shop.v1.Payments/WatchCharges has no access rule; write `WatchCharges: { scopes: ['…'] }` into accessRules",
    );
  });

  it('does not type-check with a rule for a method that does not exist, and refuses it', () => {
    // @ts-expect-error the service has no method Steal
    expect(() => accessRules(service, { Charge, Refund, WatchCharges, Steal: { public: true } })).toThrow(
      'the service has no method Steal',
    );
  });

  it('does not type-check with a member that does not exist, and refuses it', () => {
    // @ts-expect-error the member is called scopes
    expect(() => accessRules(service, { Charge: { scope: 'payments.charge' }, Refund, WatchCharges })).toThrow('has no member scope');
  });

  it('refuses a rule that opens nothing', () => {
    expect(() => accessRules(service, { Charge: {}, Refund, WatchCharges })).toThrow(
      '/shop.v1.Payments/Charge: the access rule opens nothing',
    );
  });

  it('takes a definition whose type does not name its methods, and is as strict when it runs', () => {
    const untyped: Record<string, { path: string }> = { Charge: service.Charge, Refund: service.Refund };
    expect(accessRules(untyped, { Charge, Refund }).size).toBe(2);
    expect(() => accessRules(untyped, { Charge })).toThrow('/shop.v1.Payments/Refund has no access rule');
  });
});
