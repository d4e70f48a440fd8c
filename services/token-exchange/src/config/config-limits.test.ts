import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { checkShape } from './config-schema.ts';

describe('T-44 a limited member of a tokenmesh.yaml', () => {
  const problemsOf = (more: string) => {
    const base =
      'trust_domain: shop.test\ntls: { cert: c, key: k }\nstore: { sqlite: s }\naudiences: [{ id: "spiffe://shop.test/orders", scopes: [a] }]\n';
    return checkShape(parse(`${base}${more}`)).problems.map(({ path }) => path.join('.'));
  };
  const grant = (more: string) => `grants: [{ from: "spiffe://shop.test/orders", to: "spiffe://shop.test/orders", scopes: [a], ${more} }]`;
  const federation = (more: string) => `federation: [{ issuer: i, audience: a, jwks_file: f, workloads: spiffe, ${more} }]`;
  const longest = (length: number) => `spiffe://shop.test/${'a'.repeat(length - 'spiffe://shop.test/'.length)}`;

  it.each([
    ['limits.per_workload', 'limits: { per_workload: 100000 }', 'limits: { per_workload: 100001 }'],
    ['limits.per_workload', 'limits: { per_workload: 1 }', 'limits: { per_workload: 0 }'],
    ['limits.burst', 'limits: { burst: 1000000 }', 'limits: { burst: 1000001 }'],
    ['limits.burst', 'limits: { burst: 1 }', 'limits: { burst: 0 }'],
    ['limits.concurrency', 'limits: { concurrency: 10000 }', 'limits: { concurrency: 10001 }'],
    ['limits.concurrency', 'limits: { concurrency: 1 }', 'limits: { concurrency: 0 }'],
    ['limits.queue', 'limits: { queue: 100000 }', 'limits: { queue: 100001 }'],
    ['limits.queue', 'limits: { queue: 1 }', 'limits: { queue: 1.5 }'],
    ['limits.snapshots', 'limits: { snapshots: 10000 }', 'limits: { snapshots: 10001 }'],
    ['limits.snapshots', 'limits: { snapshots: 1 }', 'limits: { snapshots: 0 }'],
    ['revocation.stale_after', 'revocation: { stale_after: 2s }', 'revocation: { stale_after: 1999ms }'],
    ['revocation.stale_after', 'revocation: { stale_after: 60s }', 'revocation: { stale_after: 60001ms }'],
    ['tokens.life', 'tokens: { life: 1s }', 'tokens: { life: 0s }'],
    ['tokens.ceiling', 'tokens: { ceiling: 24h }', 'tokens: { ceiling: 86401s }'],
    ['limits.queue', 'limits: { queue: 100000 }', 'limits: { queue: 100001 }'],
    ['tokens.life', 'tokens: { life: 24h }', 'tokens: { life: 86401s }'],
    ['tokens.life', 'tokens: { life: 2s }', 'tokens: { life: 1999ms }'],
    ['tokens.ceiling', 'tokens: { ceiling: 1s }', 'tokens: { ceiling: 0s }'],
    ['tokens.session', 'tokens: { session: 1s }', 'tokens: { session: 0s }'],
    ['tokens.session', 'tokens: { session: 24h }', 'tokens: { session: 86401s }'],
    ['keys.activation_timeout', 'keys: { activation_timeout: 10s }', 'keys: { activation_timeout: 9s }'],
    ['keys.activation_timeout', 'keys: { activation_timeout: 24h }', 'keys: { activation_timeout: 86401s }'],
    ['keys.rotate_every', 'keys: { rotate_every: 6s }', 'keys: { rotate_every: 5s }'],
    ['keys.rotate_every', 'keys: { rotate_every: 366d }', 'keys: { rotate_every: 367d }'],
    ['audit.keep', 'audit: { keep: 1h }', 'audit: { keep: 3599s }'],
    ['audit.keep', 'audit: { keep: 3650d }', 'audit: { keep: 3651d }'],
    ['listen', 'listen: "127.0.0.1:65535"', 'listen: "127.0.0.1:65536"'],
    ['facade.listen', 'facade: { listen: "127.0.0.1:65535" }', 'facade: { listen: "127.0.0.1:65536" }'],
    ['grants.0.max_life', grant('max_life: 1s'), grant('max_life: 0s')],
    ['grants.0.max_life', grant('max_life: 24h'), grant('max_life: 86401s')],
    ['federation.0.max_life', federation('max_life: 1s'), federation('max_life: 0s')],
    ['federation.0.max_life', federation('max_life: 24h'), federation('max_life: 86401s')],
    ['workloads.0.id', `workloads: [{ id: "${longest(2048)}" }]`, `workloads: [{ id: "${longest(2049)}" }]`],
    [
      'grants.0.scopes.0',
      `grants: [{ from: "spiffe://shop.test/orders", to: "spiffe://shop.test/orders", scopes: [${'s'.repeat(128)}] }]`,
      `grants: [{ from: "spiffe://shop.test/orders", to: "spiffe://shop.test/orders", scopes: [${'s'.repeat(129)}] }]`,
    ],
  ])('%s is taken at its limit and refused one past it', (path, at, past) => {
    expect(problemsOf(at)).toEqual([]);
    expect(problemsOf(past)).toEqual([path]);
  });
});
