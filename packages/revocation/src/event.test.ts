import { createHash } from 'node:crypto';
import { exportJwk, generateSigningKey, importJwks, signJws, TokenError, tokenTypes } from '@tokenmesh/token';
import { expect, test } from 'vitest';
import { genesisHash, openEvent, type RevocationEvent, signEvent } from './event.ts';
import { type Target, targetKinds } from './target.ts';

const key = generateSigningKey();
const keys = importJwks([exportJwk(key)]);
const expected = { issuer: 'https://token-exchange.shop.test', mesh: 'shop.test' };
const orders = 'spiffe://shop.test/orders';
const payments = 'spiffe://shop.test/payments';

const event: RevocationEvent = {
  iss: expected.issuer,
  aud: expected.mesh,
  iat: 1_800_000_000,
  jti: 'j1',
  epoch: 'e1',
  n: 1,
  t: 1_800_000_000_123,
  prev: genesisHash('e1'),
  targets: targetKinds.map((kind) => ({ kind, value: { all: '', grant: `${orders} ${payments}` }[kind as string] ?? `v-${kind}`, exp: 7 })),
};

function reasonOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof TokenError) return error.reason;
    throw error;
  }
  return 'none';
}

function withTargets(targets: readonly Target[]): RevocationEvent {
  return { ...event, targets };
}

function tokens(count: number, length = 4): Target[] {
  return Array.from({ length: count }, (_, index) => ({ kind: 'token', value: String(index).padEnd(length, 'x'), exp: 7 }));
}

test('an event is opened as it was signed, with every kind of target', () => {
  const signed = signEvent(event, key);
  expect(openEvent(signed.compact, keys, expected)).toEqual({ ...signed, event });
});

test('is a Security Event Token with one event and one member of it per subject identifier', () => {
  const [header, payload] = signEvent(withTargets([{ kind: 'grant', value: `${orders} ${payments}`, exp: 7 }]), key)
    .compact.split('.')
    .map((part) => Buffer.from(part, 'base64url').toString());
  expect(JSON.parse(header ?? '')).toEqual({ alg: 'ES256', kid: key.kid, typ: 'secevent+jwt' });
  expect(JSON.parse(payload ?? '')).toEqual({
    iss: event.iss,
    aud: event.aud,
    iat: event.iat,
    jti: 'j1',
    events: {
      'https://tokenmesh.dev/secevent/revocation': {
        epoch: 'e1',
        n: 1,
        t: event.t,
        prev: event.prev,
        targets: [{ format: 'grant', client_id: orders, aud: payments, exp: 7 }],
      },
    },
  });
});

test('the hash of an event covers the hash before it and the exact bytes of its payload', () => {
  const { compact, hash } = signEvent(event, key);
  const payload = Buffer.from(compact.split('.')[1] ?? '', 'base64url');
  const chained = createHash('sha256').update(Buffer.from(event.prev, 'base64url')).update(payload).digest('base64url');
  expect(hash).toBe(chained);
  expect(signEvent({ ...event, prev: genesisHash('e2') }, key).hash).not.toBe(hash);
});

test.each([
  ['another key of the same kid', () => signEvent(event, generateSigningKey('ES256', key.kid)).compact, 'TOKEN_SIGNATURE_INVALID'],
  ['an unknown key', () => signEvent(event, generateSigningKey()).compact, 'SIGNING_KEY_UNKNOWN'],
  ['another issuer', () => signEvent({ ...event, iss: 'https://evil.test' }, key).compact, 'ISSUER_UNTRUSTED'],
  ['another mesh', () => signEvent({ ...event, aud: 'other.test' }, key).compact, 'AUDIENCE_MISMATCH'],
  [
    'a service token',
    () => signJws({ iss: expected.issuer, aud: expected.mesh }, { typ: tokenTypes.serviceToken, key }),
    'TOKEN_TYPE_REJECTED',
  ],
  ['a checkpoint', () => signJws({ iss: expected.issuer, aud: expected.mesh }, { typ: tokenTypes.checkpoint, key }), 'TOKEN_TYPE_REJECTED'],
  ['no event', () => signJws({ iss: expected.issuer, aud: expected.mesh, events: {} }, { typ: tokenTypes.event, key }), 'TOKEN_MALFORMED'],
])('T-28 an event by %s is refused', (_by, forge, reason) => {
  expect(reasonOf(() => openEvent(forge(), keys, expected))).toBe(reason);
});

test('an event that carries a second event is refused', () => {
  const payload = JSON.parse(Buffer.from(signEvent(event, key).compact.split('.')[1] ?? '', 'base64url').toString());
  payload.events['https://other.test/event'] = {};
  expect(reasonOf(() => openEvent(signJws(payload, { typ: tokenTypes.event, key }), keys, expected))).toBe('TOKEN_MALFORMED');
});

test('T-44 an event has 1 to 500 targets', () => {
  expect(signEvent(withTargets(tokens(500)), key).event.targets).toHaveLength(500);
  expect(reasonOf(() => signEvent(withTargets(tokens(501)), key))).toBe('TOKEN_MALFORMED');
  expect(signEvent(withTargets(tokens(1)), key).event.targets).toHaveLength(1);
  expect(reasonOf(() => signEvent(withTargets([]), key))).toBe('TOKEN_MALFORMED');
});

test('T-44 a value has 1 to 2 048 characters, and an event 512 KiB at most', () => {
  expect(signEvent(withTargets(tokens(1, 2_048)), key).event.targets).toHaveLength(1);
  expect(reasonOf(() => signEvent(withTargets(tokens(1, 2_049)), key))).toBe('TOKEN_MALFORMED');
  expect(reasonOf(() => signEvent(withTargets([{ kind: 'token', value: '', exp: 7 }]), key))).toBe('TOKEN_MALFORMED');
  // One character more or less in the payload is one or two in its base64url.
  const ofSize = (size: number) => withTargets([...tokens(499, 748), { kind: 'token', value: 'x'.repeat(size), exp: 7 }]);
  let longest = 1;
  for (let step = 1_024; step >= 1; step /= 2) {
    if (reasonOf(() => signEvent(ofSize(longest + step), key)) === 'none') longest += step;
  }
  expect(longest).toBeLessThan(2_048);
  expect(signEvent(ofSize(longest), key).compact.length).toBeGreaterThan(512 * 1024 - 2);
  expect(signEvent(ofSize(longest), key).compact.length).toBeLessThanOrEqual(512 * 1024);
  expect(reasonOf(() => signEvent(ofSize(longest + 1), key))).toBe('TOKEN_MALFORMED');
});

test.each([
  ['a position of 0', { n: 0 }],
  ['a fractional position', { n: 1.5 }],
  ['a negative time', { t: -1 }],
  ['an epoch with a colon', { epoch: 'e:1' }],
  ['a hash that is too short', { prev: 'abc' }],
  ['a grant without audience', withTargets([{ kind: 'grant', value: orders, exp: 7 }])],
  ['a grant of three', withTargets([{ kind: 'grant', value: 'a b c', exp: 7 }])],
  ['half of a surrogate pair', withTargets([{ kind: 'subject', value: '\ud800', exp: 7 }])],
  ['an unknown kind', withTargets([{ kind: 'nonsense' as 'token', value: 'v', exp: 7 }])],
])('refuses to sign %s', (_what, change) => {
  expect(() => signEvent({ ...event, ...change }, key)).toThrow();
});

test('T-44 an epoch has up to 64 characters and a jti up to 128', () => {
  expect(signEvent({ ...event, epoch: 'e'.repeat(64), jti: 'j'.repeat(128) }, key).event.n).toBe(1);
  expect(reasonOf(() => signEvent({ ...event, epoch: 'e'.repeat(65) }, key))).toBe('TOKEN_MALFORMED');
  expect(reasonOf(() => signEvent({ ...event, jti: 'j'.repeat(129) }, key))).toBe('TOKEN_MALFORMED');
});

test('a subject with blanks and letters beyond ASCII keeps every character', () => {
  const targets: Target[] = [{ kind: 'subject', value: 'Ünal  Öz 🙂', exp: 7 }];
  expect(signEvent(withTargets(targets), key).event.targets).toEqual(targets);
});
