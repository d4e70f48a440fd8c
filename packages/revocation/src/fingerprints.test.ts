import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Fingerprints } from './fingerprints.ts';
import { targetKinds } from './target.ts';

function taken(fingerprints: Fingerprints, kind: number, value: string): readonly [number, number] {
  fingerprints.take(kind, value);
  return [fingerprints.high, fingerprints.low];
}

describe('Fingerprints', () => {
  it('gives a value of a kind the same fingerprint, whatever was taken before', () => {
    const kind = fc.nat(targetKinds.length - 1);
    const value = fc.constantFrom('', 'spiffe://shop.test/orders', 'spiffe://shop.test/gateway', 'käse', '\ud800');
    fc.assert(
      fc.property(fc.array(fc.tuple(kind, value), { minLength: 1, maxLength: 30 }), (all) => {
        const together = new Fingerprints('epoch');
        for (const [kind, value] of all) expect(taken(together, kind, value)).toEqual(taken(new Fingerprints('epoch'), kind, value));
      }),
    );
  });

  it('differs from kind to kind, from value to value and from epoch to epoch', () => {
    const [one, other] = [new Fingerprints('one'), new Fingerprints('other')];
    const all = [one, other].flatMap((fingerprints) =>
      ['a', 'b'].flatMap((value) => targetKinds.map((_, kind) => taken(fingerprints, kind, value).join())),
    );
    expect(new Set(all).size).toBe(4 * targetKinds.length);
  });

  it('has none for a kind that there is not', () => {
    expect(() => new Fingerprints('epoch').take(targetKinds.length, 'a')).toThrow(RangeError);
  });
});
