import { expect, it } from 'vitest';
import { cpuMicros, drive, medianOf, summarize } from './measure.ts';

it('tells the processor time of a process, in finer steps than the ticks in which the kernel tells it of a whole process', () => {
  const before = { own: process.cpuUsage(), seen: cpuMicros(process.pid) };
  const ownMicros = () => {
    const { user, system } = process.cpuUsage(before.own);
    return user + system;
  };
  while (ownMicros() < 100_000) Math.sqrt(ownMicros());
  const seen = cpuMicros(process.pid) - before.seen;
  expect(seen).toBeGreaterThan(50_000);
  expect(seen).toBeLessThan(2 * ownMicros());
  expect(seen % 10_000).not.toBe(0);
});

it('takes the median of the slices, and their quartiles as spread', () => {
  expect(summarize('P1', '×', [5, 1, 2, 4, 3], { atLeast: 3 })).toEqual({
    ...{ name: 'P1', unit: '×', value: 3, spread: [2, 4] },
    target: { atLeast: 3 },
  });
});

it('takes the middle of the two middle slices of an even number, so that no figure is the better for it', () => {
  expect(summarize('P1', '×', [4, 1, 3, 2])).toMatchObject({ value: 2.5, spread: [1.75, 3.25] });
  expect(medianOf([9, 1])).toBe(5);
  expect(summarize('once', '×', [7])).toMatchObject({ value: 7, spread: [7, 7] });
  expect(medianOf([])).toBeNaN();
});

it('drives as many calls as it is told, and no more of them at a time', async () => {
  let [running, most, calls] = [0, 0, 0];
  await drive(10, 3, async () => {
    calls++;
    most = Math.max(most, ++running);
    await Promise.resolve();
    running--;
  });
  expect({ most, calls }).toEqual({ most: 3, calls: 10 });
});
