import { AlwaysOnSampler, type ReadableSpan, TracerProvider } from '@opentelemetry/sdk-trace';
import type { Freshness } from '@tokenmesh/revocation';
import type { VerifiedToken } from '@tokenmesh/token';
import { expect, it } from 'vitest';
import { noteAdmitted, noteRefused, noteVerified } from './decision-span.ts';
import { readRule } from './rules.ts';

const tracer = new TracerProvider({ sampler: new AlwaysOnSampler() }).getTracer('test');
const startSpan = () => tracer.startSpan('call') as ReturnType<typeof tracer.startSpan> & ReadableSpan; // the SDK's spans are readable

const path = '/shop.v1.Orders/Get';

it.each([
  ['nothing of a standard rule without scopes', { callers: ['spiffe://shop.test/gateway'] }, {}],
  ['that a method is public', { public: true }, { 'tokenmesh.rule.class': 'public' }],
  [
    'that it is critical, and its scope',
    { scopes: ['orders.write'], class: 'critical' },
    { 'tokenmesh.rule.class': 'critical', 'tokenmesh.rule.scope': 'orders.write' },
  ],
  ['scopes as one string', { scopes: ['orders.read', 'orders.write'] }, { 'tokenmesh.rule.scope': 'orders.read orders.write' }],
  ['those of which one suffices likewise', { anyScope: ['orders.read', 'admin'] }, { 'tokenmesh.rule.scope': 'orders.read admin' }],
] as const)('says %s', (_, options, expected) => {
  const rule = { ...readRule(path, { any_caller: true }), ...options };
  for (const [note, decision] of [
    [(span: ReturnType<typeof startSpan>) => noteAdmitted(span, rule, false), 'admitted'],
    [(span: ReturnType<typeof startSpan>) => noteRefused(span, rule, undefined), 'refused'],
  ] as const) {
    const span = startSpan();
    note(span);
    expect(span.attributes).toEqual({ 'tokenmesh.decision': decision, ...expected });
    expect(span.events.map(({ name }) => name)).toEqual(['tokenmesh.decision']);
  }
});

const token: VerifiedToken = {
  claims: {
    ...{ iss: 'https://token-exchange.shop.test', sub: 'spiffe://shop.test/gateway', client_id: 'spiffe://shop.test/gateway' },
    ...{ aud: 'spiffe://shop.test/orders', iat: 1, exp: 2, jti: 'one', txn: 'one', rn: 1, scope: 'orders.read' },
  },
  scope: ['orders.read'],
  kid: 'key-1',
};
const known = { freshAtMs: 0, epoch: 'e', n: 1, path: 'nats' };

it.each<[string, Freshness, object]>([
  ['only their age when they are fresh', { ...known, state: 'fresh', ageMs: 420 }, { 'tokenmesh.revocation.age': 0.42 }],
  [
    'that they are stale, and how old',
    { ...known, state: 'stale', ageMs: 7_000 },
    { 'tokenmesh.revocation.state': 'stale', 'tokenmesh.revocation.age': 7 },
  ],
  ['that nothing was heard of them', { state: 'empty' }, { 'tokenmesh.revocation.state': 'empty' }],
])('says of revocations %s', (_, freshness, expected) => {
  const span = startSpan();
  noteVerified(span, token, freshness, true, false);
  const own = Object.entries(span.attributes).filter(([name]) => name.startsWith('tokenmesh.revocation.'));
  expect(Object.fromEntries(own)).toEqual(expected);
});

it('names each token by a hash of its own, the second time as the first', () => {
  const other = { ...token, claims: { ...token.claims, jti: 'two' } };
  const hashes = [token, other, token, other].map((verified) => {
    const span = startSpan();
    noteVerified(span, verified, { state: 'empty' }, true, false);
    return span.attributes['tokenmesh.token.id_hash'];
  });
  // the first 16 digits of SHA-256, of "one" and of "two"
  expect(hashes).toEqual(['7692c3ad3540bb80', '3fc4ccfe745870e2', '7692c3ad3540bb80', '3fc4ccfe745870e2']);
});
