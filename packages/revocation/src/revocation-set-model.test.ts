import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { PackedEntries } from './packed-entries.ts';
import { createRevocationSet, type RevocableToken, type RevocationSet } from './revocation-set.ts';
import { EntriesReader, writeEntries } from './snapshot-entries.ts';
import { type Target, targetKinds } from './target.ts';

/** The set as a plain Map: what the packed one has to agree with. */
interface Held {
  readonly n: number;
  readonly t: number;
  readonly exp: number;
}

class Model {
  readonly held = new Map<string, Held>();

  apply(n: number, t: number, targets: readonly Target[]): void {
    for (const { kind, value, exp } of targets) this.put(`${kind} ${value}`, { n, t, exp });
  }

  put(name: string, { n, t, exp }: Held): void {
    const before = this.held.get(name);
    this.held.set(name, { n: Math.max(n, before?.n ?? 0), t: Math.max(t, before?.t ?? 0), exp: Math.max(exp, before?.exp ?? 0) });
  }

  copy(): Model {
    const copy = new Model();
    for (const [name, held] of this.held) copy.held.set(name, held);
    return copy;
  }

  /** Every target that covers the token, by name, with its position. */
  matches({ kid, claims }: RevocableToken): Map<string, number> {
    const { sub, aud, iat, rn, jti, client_id, sid, txn, act } = claims;
    const audiences = typeof aud === 'string' ? [aud] : aud;
    const names = [
      `key ${kid}`,
      `token ${jti}`,
      ...['all ', `subject ${sub}`, `client ${client_id}`, `session ${sid}`, `chain ${txn}`],
      ...audiences.flatMap((one) => [`audience ${one}`, `grant ${client_id} ${one}`]),
      ...[act?.sub, act?.act?.sub].map((actor) => `actor ${actor}`),
    ];
    const covering = names.flatMap((name) => {
      const held = this.held.get(name);
      if (!held) return [];
      const isAbsolute = name.startsWith('key ') || name.startsWith('token ');
      const isCovered = isAbsolute || (rn === undefined ? iat * 1000 <= held.t : rn < held.n);
      return isCovered ? [[name, held.n] as const] : [];
    });
    return new Map(covering);
  }
}

const texts = fc.constantFrom('a', 'b', 'spiffe://shop.test/orders', 'é東😀', 'x'.repeat(300));
const names = fc.constantFrom('a', 'b', 'c');
const targets = fc
  .record({
    kind: fc.constantFrom(...targetKinds),
    value: texts,
    other: names,
    exp: fc.oneof(fc.nat(60), fc.constantFrom(2 ** 33, 2 ** 37)),
  })
  .map(
    ({ kind, value, other, exp }): Target => ({ kind, value: kind === 'all' ? '' : kind === 'grant' ? `${value} ${other}` : value, exp }),
  );
const positions = fc.oneof(fc.integer({ min: 1, max: 30 }), fc.integer({ min: 2 ** 32, max: 2 ** 32 + 30 }), fc.constant(2 ** 40));
const events = fc.record({ n: positions, t: fc.nat(60_000), targets: fc.array(targets, { minLength: 1, maxLength: 4 }) });
const operations = fc.oneof(
  fc.record({ do: fc.constant('apply' as const), event: events }),
  fc.record({ do: fc.constantFrom('load' as const, 'merge' as const), events: fc.array(events, { maxLength: 4 }) }),
  fc.record({ do: fc.constant('expire' as const), nowSeconds: fc.nat(61) }),
  fc.record({ do: fc.constantFrom('through a snapshot' as const, 'into a copy' as const) }),
);
const tokens = fc.record({
  kid: texts,
  claims: fc.record(
    {
      sub: texts,
      aud: fc.oneof(names, fc.array(names, { minLength: 1, maxLength: 2 })),
      iat: fc.nat(61),
      jti: texts,
      client_id: texts,
      sid: texts,
      txn: texts,
      act: fc.record({ sub: texts, act: fc.record({ sub: texts }) }),
      rn: fc.oneof(fc.nat(30), fc.integer({ min: 2 ** 32 - 1, max: 2 ** 32 + 30 })),
    },
    { requiredKeys: ['sub', 'aud', 'iat'] },
  ),
});

function readBack(entries: PackedEntries): PackedEntries {
  const writer = writeEntries(entries, Number.MAX_SAFE_INTEGER);
  const chunks: Uint8Array[] = [];
  let step = writer.next();
  for (; !step.done; step = writer.next()) chunks.push(step.value);
  const reader = new EntriesReader(entries.epoch, step.value, Number.MAX_SAFE_INTEGER);
  for (const chunk of chunks) reader.read(chunk);
  return reader.finish();
}

function setOf(from: readonly { n: number; t: number; targets: readonly Target[] }[]): RevocationSet {
  const set = createRevocationSet('e1');
  for (const event of from) set.apply(event);
  return set;
}

test('agrees with a plain Map over any sequence of events, loads, merges, expiries, copies and snapshots', async () => {
  let finds = 0;
  let found = 0;
  const run = fc.asyncProperty(
    fc.array(operations, { maxLength: 12 }),
    fc.array(tokens, { minLength: 1, maxLength: 8 }),
    async (plan, asked) => {
      let set = createRevocationSet('e1');
      let model = new Model();
      for (const step of plan) {
        switch (step.do) {
          case 'apply':
            set.apply(step.event);
            model.apply(step.event.n, step.event.t, step.event.targets);
            break;
          case 'load':
            set.load(setOf(step.events).capture());
            model = new Model();
            for (const { n, t, targets: some } of step.events) model.apply(n, t, some);
            break;
          case 'merge':
            await set.merge(setOf(step.events).capture());
            for (const { n, t, targets: some } of step.events) model.apply(n, t, some);
            break;
          case 'expire':
            expect(set.expire(step.nowSeconds)).toBe(true);
            for (const [name, { exp }] of model.held) if (exp < step.nowSeconds) model.held.delete(name);
            break;
          case 'through a snapshot':
            set.load(readBack(set.capture()));
            break;
          case 'into a copy': {
            const copy = createRevocationSet();
            copy.load(set.capture());
            set.apply({ n: 1, t: 0, targets: targetKinds.map((kind) => ({ kind, value: kind === 'all' ? '' : 'a', exp: 2 ** 37 })) });
            set = copy;
            break;
          }
        }
        expect(set.size).toBe(model.held.size);
        for (const token of asked) {
          const matches = model.matches(token);
          const match = set.find(token);
          finds++;
          if (match) found++;
          expect(match !== undefined).toBe(matches.size > 0);
          if (match) expect(matches.get(`${match.kind} ${match.value}`)).toBe(match.n);
        }
      }
    },
  );
  await fc.assert(run, { numRuns: 300 });
  expect(found).toBeGreaterThan(finds / 20); // both answers were seen
  expect(found).toBeLessThan(finds);
});

test('a set of many entries is merged, expired and captured without losing one or keeping one', async () => {
  const count = 60_000;
  const jti = (index: number) => `jti-${index}`;
  const tokenOf = (index: number): RevocableToken => ({ kid: 'k', claims: { sub: 's', aud: 'a', iat: 0, jti: jti(index) } });
  const eventsOf = (from: number, to: number) =>
    Array.from({ length: (to - from) / 500 }, (_, page) => ({
      n: 1 + from / 500 + page,
      t: 5_000,
      targets: Array.from(
        { length: 500 },
        (__, i): Target => ({ kind: 'token', value: jti(from + page * 500 + i), exp: 100 + ((page + i) % 2) }),
      ),
    }));
  const set = setOf(eventsOf(0, 40_000));
  const before = set.capture();
  const merging = set.merge(setOf(eventsOf(30_000, count)).capture());
  for (let index = 0; index < 40_000; index += 997) expect(set.find(tokenOf(index))).toBeDefined(); // also while it is under way
  await merging;
  expect(set.size).toBe(count);
  for (let index = 0; index < count; index += 97) expect(set.find(tokenOf(index))).toMatchObject({ n: 1 + Math.floor(index / 500) });
  let steps = 1;
  while (!set.expire(101)) steps++;
  expect(steps).toBeGreaterThan(1);
  expect(set.size).toBe(count / 2);
  for (let index = 0; index < count; index += 97)
    expect(set.find(tokenOf(index)) === undefined).toBe((Math.floor(index / 500) + index) % 2 === 0);
  expect(before.size).toBe(40_000);
  set.apply({ n: 200, t: 5_000, targets: [{ kind: 'token', value: 'the last', exp: 200 }] });
  while (!set.expire(200));
  expect(set.size).toBe(1);
  expect(set.find(tokenOf(0))).toBeUndefined();
  expect(set.find({ kid: 'k', claims: { sub: 's', aud: 'a', iat: 0, jti: 'the last' } })).toMatchObject({ n: 200 });
  const copy = createRevocationSet();
  copy.load(before);
  for (let index = 0; index < 40_000; index += 7) expect(copy.find(tokenOf(index)), `${index}`).toBeDefined(); // while its filter is being made, and after
});

test('entries of another epoch are not merged', async () => {
  const set = createRevocationSet('e1');
  await expect(set.merge(createRevocationSet('e2').capture())).rejects.toThrow(TypeError);
});
