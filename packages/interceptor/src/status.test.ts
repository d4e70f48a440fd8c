import { Metadata, status } from '@grpc/grpc-js';
import { reasons, TokenError } from '@tokenmesh/token';
import { describe, expect, it } from 'vitest';
import { oauthError, refusalOf, refusalStatus, toStatus } from './status.ts';

describe('refusalStatus', () => {
  it.each(reasons)('tells the caller %s in a way that refusalOf reads back', (reason) => {
    const refused = refusalStatus(reason, { method: '/a.B/C' });
    expect(refusalOf(refused)).toMatchObject({ reason, info: { method: '/a.B/C' } });
  });

  it('says when to come back where waiting helps, and only there', () => {
    expect(refusalOf(refusalStatus('REVOCATION_STALE'))).toMatchObject({ remedy: 'backoff', retryAfterMs: 1000 });
    expect(refusalOf(refusalStatus('TOKEN_EXPIRED'))).toMatchObject({ remedy: 'new_token', retryAfterMs: 0 });
    expect(refusalOf(refusalStatus('AUDIENCE_MISMATCH'))).toMatchObject({ remedy: 'none', retryAfterMs: 0 });
  });

  it('challenges after RFC 6750 section 3', () => {
    const challenge = (reason: Parameters<typeof refusalStatus>[0], info?: Record<string, string>) =>
      refusalStatus(reason, info).metadata.get('www-authenticate');
    expect(challenge('CREDENTIAL_MISSING')).toEqual(['Bearer']);
    expect(challenge('TOKEN_EXPIRED')).toEqual(['Bearer error="invalid_token", error_description="the token has expired"']);
    expect(challenge('SCOPE_INSUFFICIENT', { scope: 'a b' })).toEqual([
      'Bearer error="insufficient_scope", error_description="the token lacks a scope that this method needs", scope="a b"',
    ]);
    expect(challenge('PROOF_REPLAYED')[0]).toMatch(/^DPoP error="invalid_dpop_proof"/);
    expect(challenge('REVOCATION_STALE')).toEqual([]);
    expect(challenge('TARGET_REFUSED')).toEqual([]);
  });

  it.each([
    ['CREDENTIAL_MISSING', status.UNAUTHENTICATED, undefined],
    ['CREDENTIAL_AMBIGUOUS', status.INVALID_ARGUMENT, 'invalid_request'],
    ['TOKEN_REVOKED', status.UNAUTHENTICATED, 'invalid_token'],
    ['SCOPE_INSUFFICIENT', status.PERMISSION_DENIED, 'insufficient_scope'],
    ['KEYS_UNAVAILABLE', status.UNAVAILABLE, undefined],
    ['SUBJECT_TOKEN_INVALID', status.INVALID_ARGUMENT, 'invalid_request'],
    ['GRANT_REUSED', status.UNAUTHENTICATED, 'invalid_grant'],
    ['GRANT_TYPE_UNSUPPORTED', status.UNIMPLEMENTED, 'unsupported_grant_type'],
    ['TARGET_REFUSED', status.PERMISSION_DENIED, 'invalid_target'],
    ['EXCHANGE_OVERLOADED', status.RESOURCE_EXHAUSTED, 'temporarily_unavailable'],
  ] as const)('answers %s with gRPC status %i and OAuth error %s', (reason, code, oauth) => {
    expect(refusalStatus(reason).code).toBe(code);
    expect(oauthError(reason)).toBe(oauth);
  });
});

describe('toStatus', () => {
  it('tells nothing of the cause of a refusal', () => {
    const refused = toStatus(new TokenError('TOKEN_SIGNATURE_INVALID', 'kid k1: the inside story', { cause: new Error('deeper') }));
    expect(JSON.stringify(refused)).not.toMatch(/inside story|deeper|k1/);
  });

  it('answers what nobody foresaw as INTERNAL without its message', () => {
    expect(toStatus(new Error('password is 123'))).toMatchObject({ code: status.INTERNAL, details: 'internal error' });
    expect(toStatus('text')).toMatchObject({ code: status.INTERNAL });
  });

  it('answers with the status that a handler chose itself', () => {
    const chosen = Object.assign(new Error('x'), { code: status.NOT_FOUND, details: 'no such order' });
    expect(toStatus(chosen)).toMatchObject({ code: status.NOT_FOUND, details: 'no such order' });
    expect(toStatus(Object.assign(new Error('x'), { code: 'ENOENT', details: 'y' }))).toMatchObject({ code: status.INTERNAL });
    expect(toStatus(Object.assign(new Error('x'), { code: 99, details: 'y' }))).toMatchObject({ code: status.INTERNAL });
  });

  it("keeps a refusal further down from looking like one of the caller's own token", () => {
    const downstream = (reason: Parameters<typeof refusalStatus>[0]) => Object.assign(new Error('x'), refusalStatus(reason));
    for (const reason of ['TOKEN_REVOKED', 'SCOPE_INSUFFICIENT', 'CLIENT_NOT_ALLOWED', 'SUBJECT_TOKEN_INVALID'] as const) {
      const answered = toStatus(downstream(reason));
      expect(answered).toMatchObject({ code: status.FAILED_PRECONDITION, details: `refused further down: ${reason}` });
      expect(refusalOf(answered)).toBeUndefined();
    }
    const foreign = Object.assign(new Error('x'), { code: status.UNAUTHENTICATED, details: 'who are you' });
    expect(toStatus(foreign)).toMatchObject({ code: status.FAILED_PRECONDITION, details: 'refused further down' });
    expect(toStatus(downstream('REVOCATION_STALE'))).toMatchObject({ code: status.UNAVAILABLE });
  });
});

describe('refusalOf', () => {
  it('takes an answer from outside the mesh for what it is', () => {
    const metadata = new Metadata();
    expect(refusalOf({ metadata })).toBeUndefined();
    metadata.set('grpc-status-details-bin', Buffer.from('not protobuf at all'));
    expect(refusalOf({ metadata })).toBeUndefined();
    expect(refusalOf(undefined)).toBeUndefined();
  });
});
