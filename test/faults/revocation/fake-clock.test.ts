import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { expect, it, onTestFinished } from 'vitest';
import { createTemporaryDirectory } from '../temporary-directory.ts';
import { createFakeClock, type FakeClock } from './fake-clock.ts';
import { referenceMs } from './history.ts';

const library = process.env.TOKENMESH_FAKETIME ?? '';
const hourMs = 3_600_000;
const minutesOf = (ms: number) => Math.round(ms / 60_000) + 0; // not -0
/** Answers every line with its two clocks. */
const program = `process.stdin.on('data', () => console.log(JSON.stringify([Date.now(), Number(process.hrtime.bigint()) / 1e6])))`;

it.skipIf(!library)('a running process sees its wall clock set, and only that: its monotonic clock is the one of all others', async () => {
  const { path, remove } = createTemporaryDirectory('clock');
  onTestFinished(remove);
  const clock = createFakeClock(library, path, 'one');
  const child = spawn(process.execPath, ['-e', program], {
    env: { PATH: process.env.PATH, ...clock.env },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  const lines = createInterface({ input: child.stdout });
  /** How far its clocks lie from this process's: at least and at most. */
  async function differences(): Promise<{ readonly wallMs: number; readonly monotonicMs: number }> {
    const asked = { wallMs: Date.now(), monotonicMs: referenceMs() };
    child.stdin.write('\n');
    const [line] = (await once(lines, 'line')) as [string];
    const [wall, monotonic] = JSON.parse(line) as [number, number];
    expect(monotonic).toBeGreaterThanOrEqual(asked.monotonicMs);
    expect(monotonic).toBeLessThanOrEqual(referenceMs());
    return { wallMs: wall - asked.wallMs, monotonicMs: monotonic - asked.monotonicMs };
  }
  const offsets: number[] = [];
  for (const offsetMs of [0, 2 * hourMs, -2 * hourMs]) {
    clock.step(offsetMs);
    const { wallMs, monotonicMs } = await differences();
    offsets.push(minutesOf(wallMs - monotonicMs));
  }
  clock.set();
  const { wallMs, monotonicMs } = await differences();
  expect([...offsets, minutesOf(wallMs - monotonicMs)]).toEqual([0, 120, -120, 0]);
});

it.each([
  ['is never ahead of the time when it was set back', [-5_000], 1_000],
  ['was ahead', [2_817], 3_817],
  ['was ahead, and less so afterwards', [4_000, 500], 5_000],
  ['ran ahead', [100, 200, 300], 3_300],
  ['was ahead by minutes, which is left out, and then by less', [600_000, 2_000], 4_000],
])('knows the latest time that it has shown, a second for each step, when it %s', (_, steps, latestMs) => {
  const { path, remove } = createTemporaryDirectory('clock');
  onTestFinished(remove);
  let nowMs = 0;
  const clock = createFakeClock('unused', path, 'one', () => nowMs);
  for (const offsetMs of steps) {
    clock.step(offsetMs);
    nowMs += 1_000;
  }
  clock.set();
  expect(clock.latestMs()).toBe(latestMs);
  nowMs = 3_600_000;
  expect(clock.latestMs()).toBe(nowMs);
});

it('is caught up when the machine’s clock has come to what it showed, and at once when it never was ahead', async () => {
  const { path, remove } = createTemporaryDirectory('clock');
  onTestFinished(remove);
  const [behind, ahead] = ['behind', 'ahead'].map((name) => createFakeClock('unused', path, name)) as [FakeClock, FakeClock];
  behind.step(-3_600_000);
  ahead.step(50);
  const latestMs = ahead.latestMs();
  ahead.set();
  await behind.caughtUp();
  await ahead.caughtUp();
  expect(Date.now()).toBeGreaterThanOrEqual(latestMs);
});
