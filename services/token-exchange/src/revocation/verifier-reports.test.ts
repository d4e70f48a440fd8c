import { describe, expect, it } from 'vitest';
import { createVerifierReports } from './verifier-reports.ts';

const report = (instance: string, kids: readonly string[]) => ({
  ...{ instance, kids: [...kids] },
  ...{ fresh_at_ms: 0, n: 0, version: '1', path: 'grpc' },
});

it('tells of verifiers that are new or know other keys, and not of those that repeat themselves', () => {
  let news = 0;
  const reports = createVerifierReports(
    () => 0,
    () => news++,
  );
  const added = (instance: string, kids: readonly string[]) => {
    const before = news;
    reports.add('spiffe://shop.test/orders', report(instance, kids));
    return news - before;
  };
  expect([added('1', ['a']), added('1', ['a']), added('2', ['a']), added('1', ['a', 'b']), added('1', ['a', 'b'])]).toEqual([
    1, 0, 1, 1, 0,
  ]);
});

it('forgets a verifier that was silent for a minute', () => {
  let nowMs = 0;
  const reports = createVerifierReports(() => nowMs);
  reports.add('spiffe://shop.test/orders', report('1', ['a']));
  nowMs = 60_000;
  expect(reports.list()).toHaveLength(1);
  nowMs = 60_001;
  expect(reports.list()).toEqual([]);
});

it('T-44 keeps 128 characters of a text, 32 keys, and 1000 instances of a workload, and no more', () => {
  const reports = createVerifierReports(() => 0);
  const keys = (count: number) => Array.from({ length: count }, (_, index) => `${index}`.padEnd(129, 'k'));
  for (let instance = 0; instance < 1000; instance++) reports.add('spiffe://shop.test/orders', report(`${instance}`, []));
  reports.add('spiffe://shop.test/payments', { ...report('i'.repeat(129), keys(33)), version: 'v'.repeat(129), path: 'p'.repeat(129) });
  expect(reports.list()).toHaveLength(1001);
  const { instance, version, path, kids = [] } = reports.list().at(-1) ?? {};
  expect([instance, version, path]).toEqual(['i'.repeat(128), 'v'.repeat(128), 'p'.repeat(128)]);
  expect(kids).toEqual(keys(32).map((kid) => kid.slice(0, 128)));
  reports.add('spiffe://shop.test/orders', report('1000', []));
  expect(reports.list()).toHaveLength(1001);
  expect(reports.list().map((one) => one.instance)).not.toContain('0');
});

describe('what verifiers serve', () => {
  const orders = 'spiffe://shop.test/orders';
  const ruleWith = (scope: string) => ({
    ...{ scopes: [scope], any_scope: [], public: false, callers: [], require_binding: false, any_caller: false },
    class: 'METHOD_CLASS_STANDARD' as const,
  });
  const servedWith = (scope: string, count = 1) => ({
    methods: Array.from({ length: count }, (_, index) => ({ method: `/shop.v1.Orders/M${index}`, rule: ruleWith(scope) })),
  });

  it('is known until they are silent for a minute, also by reports that do not repeat it', () => {
    let nowMs = 0;
    const reports = createVerifierReports(() => nowMs);
    reports.add(orders, { ...report('1', []), served: servedWith('a') });
    nowMs = 60_000;
    reports.add(orders, { ...report('1', []), served: null });
    nowMs = 120_000;
    expect(reports.rules()).toEqual([{ client_id: orders, method: '/shop.v1.Orders/M0', rule: ruleWith('a'), instances: 1 }]);
    nowMs = 120_001;
    expect(reports.rules()).toEqual([]);
  });

  it('is counted by rule while a change is rolled out, and told of one workload or of all', () => {
    const reports = createVerifierReports(() => 0);
    for (const [instance, scope] of [
      ['1', 'a'],
      ['2', 'b'],
      ['3', 'b'],
    ] as const) {
      reports.add(orders, { ...report(instance, []), served: servedWith(scope) });
    }
    reports.add('spiffe://shop.test/payments', { ...report('1', []), served: servedWith('c') });
    expect(reports.rules(orders).map(({ rule, instances }) => [rule?.scopes?.[0], instances])).toEqual([
      ['a', 1],
      ['b', 2],
    ]);
    expect(reports.rules()).toHaveLength(3);
    reports.add(orders, { ...report('1', []), served: servedWith('b') });
    expect(reports.rules(orders).map(({ instances }) => instances)).toEqual([3]);
  });

  it('T-44 is kept up to 512 methods, 128 KiB and 16 different tables of a workload, and one that is larger not in part', () => {
    const reports = createVerifierReports(() => 0);
    const kept = (instance: string, served: ReturnType<typeof servedWith>) => {
      reports.add(orders, { ...report(instance, []), served });
      return reports.list().find((one) => one.instance === instance)?.table?.methods.length;
    };
    expect([kept('a', servedWith('a', 512)), kept('a', servedWith('a', 513))]).toEqual([512, undefined]);
    const length = JSON.stringify(servedWith('').methods).length;
    expect([kept('b', servedWith('x'.repeat(131_072 - length))), kept('b', servedWith('x'.repeat(131_073 - length)))]).toEqual([
      1,
      undefined,
    ]);
    const tables = Array.from({ length: 17 }, (_, index) => kept(`c${index}`, servedWith(`${index}`)));
    expect(tables).toEqual([...Array(16).fill(1), undefined]);
    expect(kept('d', servedWith('0'))).toBe(1); // as the first one: nothing more is kept
    expect(reports.list()).toHaveLength(20);
  });

  it('T-44 is told up to 5 000 rules', () => {
    const reports = createVerifierReports(() => 0);
    for (let workload = 0; workload < 10; workload++) {
      reports.add(`spiffe://shop.test/w${workload}`, { ...report('1', []), served: servedWith('a', 501) });
    }
    expect(reports.rules()).toHaveLength(5_000);
  });
});
