import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createKeyAnnouncements, type KeyAnnouncements } from './key-announcements.ts';

let announcements: KeyAnnouncements;
/** When keys were asked for, in milliseconds since the test began. */
let asked: number[];
let beganMs = 0;
/** What an answer says; `undefined`: the question fails. */
let version: number | undefined;

beforeEach(() => {
  vi.useFakeTimers({ now: 0 });
  asked = [];
});
afterEach(() => {
  announcements.close();
  vi.useRealTimers();
});

function open(random = 0): void {
  announcements = createKeyAnnouncements({ ask, monotonicNow: Date.now, random: () => random });
}

/** From here on what is asked counts, an hour after whatever was asked before. */
function begin(): void {
  vi.advanceTimersByTime(3_600_000);
  beganMs = Date.now();
  asked = [];
}

function ask(): void {
  asked.push(Date.now() - beganMs);
  announcements.asked();
  if (version !== undefined) announcements.answered(version);
}

/** Lets a checkpoint name a version each second, the first one now. */
async function announceFor(seconds: number, named: number): Promise<void> {
  for (let count = 0; count < seconds; count++) {
    announcements.announced(named);
    await vi.advanceTimersByTimeAsync(1000);
  }
}

describe('announced keys', () => {
  beforeEach(() => {
    open();
    version = 1;
    ask();
    begin();
  });

  it('are asked for once, however often they are announced', async () => {
    version = 2;
    await announceFor(10, 2);
    expect(asked).toEqual([0]);
  });

  it('are not asked for when the answer had them, or later ones, as while a replica lags', async () => {
    await announceFor(10, 1);
    await announceFor(10, 0);
    expect(asked).toEqual([]);
  });

  it('are asked for at a moment of their own within half a second', async () => {
    announcements.close();
    open(0.5);
    version = 1;
    ask();
    begin();
    version = 2;
    await announceFor(1, 2);
    expect(asked).toEqual([250]);
  });

  it('keep a second’s distance from whatever was asked before, and are not asked for when that brought them', async () => {
    ask();
    await vi.advanceTimersByTimeAsync(300);
    version = 2;
    await announceFor(2, 2);
    expect(asked).toEqual([0, 1000]);
    announcements.announced(3);
    announcements.answered(3);
    await vi.advanceTimersByTimeAsync(5000);
    expect(asked).toHaveLength(2);
  });

  it.each([
    ['older ones', 1],
    ['nothing', undefined],
  ])(
    'are asked for more and more seldom while the answer is %s, once a minute in the end, and again at once after they came',
    async (_, answer) => {
      version = answer;
      await announceFor(400, 2);
      expect(asked.map((at) => at / 1000)).toEqual([0, 1, 3, 7, 15, 31, 63, 123, 183, 243, 303, 363]);
      version = 2;
      await announceFor(60, 2);
      const cameMs = asked.at(-1) ?? 0;
      version = 3;
      await announceFor(1, 3);
      expect(asked.at(-1)).toBe(Date.now() - beganMs - 1000);
      expect(asked.at(-1)).toBeLessThan(cameMs + 60_000);
    },
  );

  it('are asked for again when the version went back, as that of a record that was put back', async () => {
    version = 0;
    ask(); // a regular question
    begin();
    version = 1;
    await announceFor(5, 1);
    expect(asked).toEqual([0]);
  });

  it('are not asked for any more once it is closed', async () => {
    announcements.announced(2);
    announcements.close();
    announcements.announced(3);
    await vi.advanceTimersByTimeAsync(5000);
    expect(asked).toEqual([]);
  });
});

it('keys that were never asked for are not asked for because of an announcement', async () => {
  open();
  await announceFor(3, 5);
  expect(asked).toEqual([]);
});
