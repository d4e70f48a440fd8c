import { describe, expect, it } from 'vitest';
import { faults } from './faults.ts';
import { createSchedule, describeSchedule } from './schedule.ts';

const schedules = Array.from({ length: 300 }, (_, index) => createSchedule(4, index, faults));

describe('schedules', () => {
  it('are the same for the same seed and number, and others for another', () => {
    expect(schedules.map((_, index) => describeSchedule(createSchedule(4, index, faults)))).toEqual(schedules.map(describeSchedule));
    expect(new Set(schedules.map(describeSchedule)).size).toBe(schedules.length);
    expect(describeSchedule(createSchedule(5, 0, faults))).not.toBe(describeSchedule(createSchedule(4, 0, faults)));
  });

  it('have every fault and every kind of revocation among them', () => {
    expect(new Set(schedules.flatMap((one) => one.faults.map(({ fault }) => fault.name)))).toEqual(new Set(faults.map(({ name }) => name)));
    expect(new Set(schedules.flatMap((one) => one.revocations.map(({ kind }) => kind))).size).toBe(10);
  });

  it('let faults overlap, but none that take hold of the same thing, and end all of them in time', () => {
    let overlaps = 0;
    for (const { lengthMs, faults: scheduled } of schedules) {
      expect(scheduled.length).toBeGreaterThan(0);
      for (const [index, a] of scheduled.entries()) {
        expect(a.atMs + a.forMs).toBeLessThanOrEqual(lengthMs);
        expect(a.forMs).toBeGreaterThanOrEqual(a.fault.durationMs[0]);
        for (const b of scheduled.slice(index + 1)) {
          if (a.atMs >= b.atMs + b.forMs || b.atMs >= a.atMs + a.forMs) continue;
          overlaps++;
          expect(a.fault.holds.filter((held) => b.fault.holds.includes(held))).toEqual([]);
        }
      }
    }
    expect(overlaps).toBeGreaterThan(schedules.length / 4);
  });
});
