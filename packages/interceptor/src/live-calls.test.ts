import { shopPackage } from '@tokenmesh/proto/shop';
import type { TokenError, VerifiedToken } from '@tokenmesh/token';
import { verifyServiceToken } from '@tokenmesh/token';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createLiveCalls, type LiveCalls } from './live-calls.ts';
import { type Rule, readRules } from './rules.ts';
import { createTestIssuer, gateway, orders, type TestIssuer } from './test-issuer.ts';

const rule = readRules([shopPackage]).get('/shop.v1.Orders/Track') as Rule;
let issuer: TestIssuer;
let liveCalls: LiveCalls;

beforeEach(() => {
  issuer = createTestIssuer();
  const { revocation, now } = issuer;
  liveCalls = createLiveCalls({
    revocation,
    verifier: { verify: () => Promise.reject(), staleness: () => 'fresh' },
    clockToleranceSeconds: 5,
    now,
  });
});

afterEach(() => liveCalls.close());

async function verified(): Promise<VerifiedToken> {
  const { keys, now } = issuer;
  return await verifyServiceToken(issuer.token(), { issuer: issuer.issuer, audience: orders, keys, now });
}

describe('createLiveCalls', () => {
  it('ends a call that was revoked between its check and its registration', async () => {
    // as when token-exchange was asked about the token, and a revocation came in before its answer
    const token = await verified();
    issuer.revoke({ kind: 'client', value: gateway });
    const ended = await new Promise<TokenError>((resolve) => liveCalls.add({ token, rule, end: resolve }));
    expect(ended.reason).toBe('TOKEN_REVOKED');
  });

  it('forgets a call that has ended', async () => {
    const ends: TokenError[] = [];
    const release = liveCalls.add({ token: await verified(), rule, end: (error) => ends.push(error) });
    expect(liveCalls.size).toBe(1);
    release();
    expect(liveCalls.size).toBe(0);
    issuer.revoke({ kind: 'client', value: gateway });
    await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
    expect(ends).toEqual([]);
  });
});
