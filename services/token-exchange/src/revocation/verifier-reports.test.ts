import { expect, it } from 'vitest';
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
