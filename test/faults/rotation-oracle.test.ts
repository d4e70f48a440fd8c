import { describe, expect, it } from 'vitest';
import { judgeRotation, type RotationHistory } from './rotation-oracle.ts';

const kids = (count: number) => Array.from({ length: count }, (_, index) => `k${index}`);
const whole: RotationHistory = {
  rotationsAsked: 10,
  signed: kids(11),
  calls: [
    { what: 'a call', kid: 'k1', outcome: { kind: 'accepted', value: {} } },
    { what: 'a call', kid: 'k10', outcome: { kind: 'refused', reason: 'TOKEN_REVOKED' } },
  ],
  withdrawn: 'k10',
  withdrawnForMs: 20,
};

describe('the oracle of rotations', () => {
  it('passes when only the withdrawn key’s calls are refused', () => expect(judgeRotation(whole)).toEqual([]));

  it('finds a call that failed with another key, or for another reason', () => {
    const failed: RotationHistory['calls'] = [
      { what: 'a stream', kid: 'k1', outcome: { kind: 'refused', reason: 'TOKEN_REVOKED' } },
      { what: 'a call', kid: 'k10', outcome: { kind: 'refused', reason: 'KEYS_UNAVAILABLE' } },
      { what: 'obtaining a token', kid: '', outcome: { kind: 'lost' } },
    ];
    expect(judgeRotation({ ...whole, calls: failed })).toEqual([
      'a stream, key k1: TOKEN_REVOKED',
      'a call, key k10: KEYS_UNAVAILABLE',
      'obtaining a token, key unknown: lost',
    ]);
  });

  it('passes nine rotations of ten, and finds that eight are too few', () => {
    expect(judgeRotation({ ...whole, signed: kids(10), withdrawn: 'k10' })).toEqual([]);
    expect(judgeRotation({ ...whole, signed: kids(9) })).toEqual(['10 rotations were asked for and 8 took place']);
  });

  it('finds a withdrawal that comes into force too late, or never', () => {
    expect(judgeRotation({ ...whole, withdrawnForMs: 6000 })).toEqual([]);
    expect(judgeRotation({ ...whole, withdrawnForMs: 6001 })).toEqual(['tokens of the withdrawn key were accepted for 6001 ms']);
    expect(judgeRotation({ ...whole, withdrawnForMs: undefined })).toEqual([
      'tokens of the withdrawn key were accepted for as long as was looked',
    ]);
  });
});
