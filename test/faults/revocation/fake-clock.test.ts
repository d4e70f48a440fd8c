import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { expect, it, onTestFinished } from 'vitest';
import { createTemporaryDirectory } from '../temporary-directory.ts';
import { createFakeClock } from './fake-clock.ts';
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
