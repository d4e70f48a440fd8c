import { describe, expect, it } from 'vitest';
import { judgeKeys, judgeRecord, type ListedKey, type RecordAnswers } from './record-oracle.ts';

const kept: RecordAnswers = {
  revokedSubjects: [{ subject: 's', acknowledgedAt: 7, listedAt: [7] }],
  revokedTokens: [{ jti: 'revoked', isActive: false }],
  issuedTokens: [
    { jti: 'issued', isActive: true, mayBeActive: true },
    { jti: 'of a withdrawn key', isActive: false, mayBeActive: false },
  ],
  replays: [{ kind: 'refused', reason: 'CLIENT_AUTHENTICATION_FAILED' }],
};

describe('the oracle of the record', () => {
  it('passes one that kept everything', () => expect(judgeRecord(kept)).toEqual([]));

  it.each<[string, Partial<RecordAnswers>, string]>([
    [
      'a revocation that is gone',
      { revokedSubjects: [{ subject: 's', acknowledgedAt: 7, listedAt: [] }] },
      'the revocation of s, acknowledged at 7, is listed at no position',
    ],
    [
      'a revocation at another position',
      { revokedSubjects: [{ subject: 's', acknowledgedAt: 7, listedAt: [8] }] },
      'the revocation of s, acknowledged at 7, is listed at 8',
    ],
    [
      'a revocation that was made twice',
      { revokedSubjects: [{ subject: 's', acknowledgedAt: 7, listedAt: [7, 8] }] },
      'the revocation of s, acknowledged at 7, is listed at 7, 8',
    ],
    [
      'a revoked token that is active',
      { revokedTokens: [{ jti: 'j', isActive: true }] },
      'token j is active though its revocation was acknowledged',
    ],
    [
      'an issued token that is gone',
      { issuedTokens: [{ jti: 'j', isActive: false, mayBeActive: true }] },
      'token j is lost: it is not active',
    ],
    [
      'a token of a withdrawn key that is active',
      { issuedTokens: [{ jti: 'j', isActive: true, mayBeActive: false }] },
      'token j is active though its key was withdrawn',
    ],
    [
      'an assertion that is granted twice',
      { replays: [{ kind: 'accepted', value: {} }] },
      'an assertion that was used was presented again: accepted',
    ],
  ])('finds %s', (_, answers, violation) => expect(judgeRecord({ ...kept, ...answers })).toEqual([violation]));
});

describe('the oracle of keys', () => {
  const key = (kid: string, state: string, others: Partial<ListedKey> = {}): ListedKey => ({
    ...{ kid, purpose: 'token', state, rotation_due_ms: 0 },
    ...others,
  });
  const feed = key('feed', 'active', { purpose: 'feed' });
  const wish = { purpose: 'token', kid: 'k1', askedAtMs: 1000 };

  it('passes a rotation that is due, one that took place, and a key that stays withdrawn', () => {
    expect(judgeKeys([key('k1', 'active', { rotation_due_ms: 1001 }), feed], [wish], new Set())).toEqual([]);
    expect(judgeKeys([key('k1', 'retiring'), key('k2', 'active'), feed], [wish], new Set())).toEqual([]);
    expect(judgeKeys([key('k1', 'withdrawn'), key('k2', 'active'), feed], [], new Set(['k1']))).toEqual([]);
  });

  it('finds two keys of a purpose that sign, and none', () => {
    expect(judgeKeys([key('k1', 'active'), key('k2', 'active')], [], new Set())).toEqual([
      '2 token keys are active',
      '0 feed keys are active',
    ]);
  });

  it('finds a rotation that was forgotten', () => {
    const later = key('k1', 'active', { rotation_due_ms: 1000 + 86_400_000 });
    expect(judgeKeys([later, feed], [wish], new Set())).toEqual(['the rotation of k1 was acknowledged and is not due']);
  });

  it('finds a withdrawn key that signs again, and one that is gone', () => {
    expect(judgeKeys([key('k1', 'active'), feed], [], new Set(['k1', 'k0']))).toEqual([
      'key k1 was withdrawn and is active',
      'key k0 was withdrawn and is gone',
    ]);
  });
});
