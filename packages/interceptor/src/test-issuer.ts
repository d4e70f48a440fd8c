import { createRevocationSet, type Freshness, type RevocationSet, type Target } from '@tokenmesh/revocation';
import { createLocalKeySet, exportJwk, generateSigningKey, type KeySet, type ServiceTokenClaims, signServiceToken } from '@tokenmesh/token';
import type { RevocationView } from './incoming/verify-call.ts';

/** An issuer and a revocation feed in memory, for this room's own tests: real keys and tokens, a clock and a freshness that tests set. */
export interface TestIssuer {
  readonly issuer: string;
  readonly keys: KeySet;
  readonly revocation: RevocationView & { readonly set: RevocationSet };
  /** Milliseconds since epoch; tests move it. */
  nowMs: number;
  now(): number;
  freshness: Freshness;
  /** A token of `gateway` for `orders`; claims given here replace the usual ones. */
  token(claims?: Partial<ServiceTokenClaims>): string;
  revoke(...targets: Omit<Target, 'exp'>[]): void;
}

export const gateway = 'spiffe://shop.test/gateway';
export const orders = 'spiffe://shop.test/orders';

/** @param name Its `iss`. Every one has a key of its own, all under the same kid. */
export function createTestIssuer(name = 'https://token-exchange.shop.test'): TestIssuer {
  const key = generateSigningKey('ES256', 'test-key');
  const set = createRevocationSet();
  const listeners = new Set<() => void>();
  let issued = 0;
  let n = 0;
  const test: TestIssuer = {
    issuer: name,
    keys: createLocalKeySet([exportJwk(key)]),
    nowMs: Date.UTC(2026, 0, 1),
    now: () => test.nowMs,
    freshness: { state: 'fresh', freshAtMs: 0, ageMs: 0, epoch: 'e1', n: 0, path: 'memory' },
    revocation: {
      set,
      freshness: () => test.freshness,
      onApplied(listener) {
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
    },
    token(claims = {}) {
      const iat = Math.floor(test.nowMs / 1000);
      const usual: ServiceTokenClaims = {
        iss: test.issuer,
        sub: gateway,
        aud: orders,
        iat,
        exp: iat + 300,
        jti: `token-${++issued}-AAAAAAAAAAAAAA`.slice(0, 22),
        client_id: gateway,
        scope: 'orders.read orders.write',
        txn: 'txn-1',
        rn: n,
      };
      return signServiceToken({ ...usual, ...claims }, key);
    },
    revoke(...targets) {
      n++;
      const full = targets.map((target) => ({ ...target, exp: Math.floor(test.nowMs / 1000) + 1000 }));
      set.apply({ n, t: test.nowMs, targets: full });
      for (const listener of listeners) listener();
    },
  };
  return test;
}
