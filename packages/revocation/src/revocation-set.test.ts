import { expect, test } from 'vitest';
import { createRevocationSet, type RevocableToken, type RevocationSet } from './revocation-set.ts';
import { type TargetKind, targetKinds } from './target.ts';
import { seededRandom } from './testing.ts';

const orders = 'spiffe://shop.test/orders';
const gateway = 'spiffe://shop.test/gateway';
const edge = 'spiffe://shop.test/edge';
const payments = 'spiffe://shop.test/payments';

const claims = {
  sub: 'alice',
  aud: payments,
  iat: 1_800_000_000,
  jti: 'jti-1',
  client_id: orders,
  sid: 'sid-1',
  txn: 'txn-1',
  act: { sub: orders, act: { sub: gateway, act: { sub: edge } } },
};
const values: Record<TargetKind, string> = {
  token: 'jti-1',
  subject: 'alice',
  client: orders,
  session: 'sid-1',
  chain: 'txn-1',
  actor: orders,
  grant: `${orders} ${payments}`,
  audience: payments,
  key: 'key-1',
  all: '',
};
const exp = 1_800_000_905;
const t = 1_800_000_000_500;
const watermarks = targetKinds.filter((kind) => kind !== 'token' && kind !== 'key');

function tokenWith(change: Partial<RevocableToken['claims']>): RevocableToken {
  return { kid: 'key-1', claims: { ...claims, ...change } };
}

function setOf(...targets: { kind: TargetKind; value?: string; n: number; t?: number; exp?: number }[]): RevocationSet {
  const set = createRevocationSet();
  for (const target of targets) {
    const { kind } = target;
    set.apply({ n: target.n, t: target.t ?? t, targets: [{ kind, value: target.value ?? values[kind], exp: target.exp ?? exp }] });
  }
  return set;
}

test.each(watermarks)('a %s target covers a token issued one position below it, and not one issued at it', (kind) => {
  const set = setOf({ kind, n: 10 });
  expect(set.find(tokenWith({ rn: 9 }))).toEqual({ kind, value: values[kind], n: 10 });
  expect(set.find(tokenWith({ rn: 10 }))).toBeUndefined();
});

test.each(['token', 'key'] as const)('a %s target covers a token whatever position it claims', (kind) => {
  const set = setOf({ kind, n: 10 });
  for (const rn of [9, 10, 11, Number.MAX_SAFE_INTEGER]) expect(set.find(tokenWith({ rn }))?.kind).toBe(kind);
});

test.each(watermarks)('a %s target covers a foreign token that was issued no later than the event', (kind) => {
  const set = setOf({ kind, n: 10, t: 1_800_000_000_000 });
  expect(set.find(tokenWith({ iat: 1_800_000_000 }))?.kind).toBe(kind);
  expect(set.find(tokenWith({ iat: 1_800_000_001 }))).toBeUndefined();
});

test('a foreign token whose time has a fraction is covered through the whole second of the event', () => {
  const set = setOf({ kind: 'subject', n: 10, t: 1_800_000_000_100 });
  expect(set.find(tokenWith({ iat: 1_800_000_000.05 }))).toBeDefined();
  expect(set.find(tokenWith({ iat: 1_800_000_000.9 }))).toBeDefined();
  expect(set.find(tokenWith({ iat: 1_800_000_001 }))).toBeUndefined();
});

test.each(targetKinds.filter((kind) => kind !== 'all'))('a %s target of another value covers nothing', (kind) => {
  const value = kind === 'grant' ? `${gateway} ${payments}` : 'other';
  expect(setOf({ kind, value, n: 10 }).find(tokenWith({ rn: 0 }))).toBeUndefined();
});

test('a value counts for its own kind only', () => {
  for (const kind of targetKinds) {
    for (const other of targetKinds) {
      if (values[kind] === values[other]) continue;
      const found = setOf({ kind: other, value: values[kind], n: 10 }).find(tokenWith({ rn: 0 }));
      if (other !== 'all' && !(other === 'actor' && kind === 'client')) expect(found, `${kind} as ${other}`).toBeUndefined();
    }
  }
});

test('T-27 a revoked actor anywhere in the chain takes the token back', () => {
  for (const value of [orders, gateway, edge]) expect(setOf({ kind: 'actor', value, n: 10 }).find(tokenWith({ rn: 9 }))?.value).toBe(value);
  expect(setOf({ kind: 'actor', value: edge, n: 10 }).find(tokenWith({ rn: 10 }))).toBeUndefined();
  expect(setOf({ kind: 'actor', value: 'alice', n: 10 }).find(tokenWith({ rn: 9 }))).toBeUndefined();
});

test('a token for several audiences is covered by a target for any of them', () => {
  const aud = ['other', payments];
  expect(setOf({ kind: 'audience', n: 10 }).find(tokenWith({ aud, rn: 9 }))?.kind).toBe('audience');
  expect(setOf({ kind: 'grant', n: 10 }).find(tokenWith({ aud, rn: 9 }))?.kind).toBe('grant');
});

test('a token that lacks a claim is not covered through it', () => {
  const bare: RevocableToken = { kid: 'other', claims: { sub: 'bob', aud: 'a', iat: 1, rn: 0 } };
  for (const kind of targetKinds) if (kind !== 'all') expect(setOf({ kind, n: 10 }).find(bare)).toBeUndefined();
  expect(setOf({ kind: 'grant', value: 'undefined a', n: 10 }).find(bare)).toBeUndefined();
});

test('T-23 of any two targets the stricter decides, whichever came first', () => {
  for (const low of watermarks) {
    for (const high of watermarks) {
      for (const set of [setOf({ kind: low, n: 5 }, { kind: high, n: 10 }), setOf({ kind: high, n: 10 }, { kind: low, n: 5 })]) {
        expect(set.find(tokenWith({ rn: 9 })), `${low} at 5, ${high} at 10`).toBeDefined();
        expect(set.find(tokenWith({ rn: 10 }))).toBeUndefined();
      }
    }
  }
});

test('a target that comes again moves up and lives longer, never the other way', () => {
  const iat = Math.floor(t / 1000);
  const reach = (set: RevocationSet) => {
    const positions = [4, 9, 10, 11].filter((rn) => set.find(tokenWith({ rn })));
    const times = [iat, iat + 1, iat + 2].filter((time) => set.find(tokenWith({ iat: time })));
    return [Math.max(...positions), Math.max(...times)];
  };
  const set = setOf({ kind: 'subject', n: 10, exp: 100 }, { kind: 'subject', n: 5, exp: 200, t: 1 });
  expect(reach(set)).toEqual([9, iat]);
  set.apply({ n: 11, t: t + 1000, targets: [{ kind: 'subject', value: 'alice', exp: 150 }] });
  expect(reach(set)).toEqual([10, iat + 1]);
  set.expire(200);
  expect(set.size).toBe(1);
  set.expire(201);
  expect([set.size, set.find(tokenWith({ rn: 0 }))]).toEqual([0, undefined]);
});

test('the version grows when a target comes in, and not when nothing new does', () => {
  const set = setOf({ kind: 'subject', n: 10 });
  const { version } = set;
  set.apply({ n: 10, t, targets: [{ kind: 'subject', value: 'alice', exp }] });
  set.expire(0);
  expect(set.version).toBe(version);
  set.apply({ n: 11, t, targets: [{ kind: 'subject', value: 'alice', exp }] });
  expect(set.version).toBe(version + 1);
  set.load(createRevocationSet('e2').capture());
  expect(set.version).toBe(version + 2);
  expect(set.size).toBe(0);
});

test('a target is kept in the second it expires and dropped in the next', () => {
  const set = setOf({ kind: 'token', n: 1, exp: 100 }, { kind: 'all', n: 1, exp: 101 });
  set.expire(100);
  expect(set.size).toBe(2);
  set.expire(101);
  expect(set.size).toBe(1);
  expect(set.find(tokenWith({ rn: 0 }))).toMatchObject({ kind: 'all' });
});

test('T-32 expiry and a copy never give back a token that is revoked and alive', () => {
  for (let seed = 1; seed <= 200; seed++) {
    const random = seededRandom(seed);
    const pick = <Value>(values: readonly Value[]) => values[Math.floor(random() * values.length)] as Value; // the index is below the length
    const text = () => pick(['a', 'b', 'c']);
    const set = createRevocationSet();
    // As issuers do: no token that a target covers outlives its exp. Tokens live 100 s and 10 s pass between positions.
    for (let n = 1; n <= 20; n++) {
      const kind = pick(targetKinds);
      const value = kind === 'all' ? '' : kind === 'grant' ? `${text()} ${text()}` : text();
      const isAbsolute = kind === 'token' || kind === 'key';
      set.apply({ n, t: n * 10_000, targets: [{ kind, value, exp: isAbsolute ? 300 : (n - 1) * 10 + 100 }] });
    }
    const tokens = Array.from({ length: 100 }, (): RevocableToken & { exp: number } => {
      const rn = Math.floor(random() * 20);
      const act = { sub: text(), act: { sub: text() } };
      const names = { sub: text(), aud: text(), jti: text(), client_id: text(), sid: text(), txn: text() };
      return { kid: text(), exp: rn * 10 + 100, claims: { ...names, act, iat: rn * 10, rn } };
    });
    const revoked = tokens.filter((token) => set.find(token) !== undefined);
    const now = Math.floor(random() * 300);
    const compacted = createRevocationSet();
    set.expire(now);
    compacted.load(set.capture());
    for (const token of revoked) if (token.exp >= now) expect(compacted.find(token), `seed ${seed}`).toBeDefined();
  }
});
