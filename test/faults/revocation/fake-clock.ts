import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

/** The wall clock of processes that are started with its environment. Their monotonic clock, and with it their timers, stays the machine's. */
export interface FakeClock {
  /** For the environment of a process, beside what it has. */
  readonly env: Readonly<Record<string, string>>;
  /** From now on, so many milliseconds ahead of the machine's clock; negative: behind. */
  step(offsetMs: number): void;
  /** As the machine's again. */
  set(): void;
  /**
   * The latest time that it has shown, milliseconds since epoch: until the machine's own gets there, something may be dated in the future. What was dated more
   * than a minute ahead is left out.
   */
  latestMs(): number;
  /** Resolves when the machine's clock has come to the latest time that this one has shown until now. */
  caughtUp(): Promise<void>;
}

const minuteMs = 60_000;

/**
 * A clock that starts right.
 *
 * @param library As `findFaketime` found it.
 * @param directory For the file by which running processes are told; each clock needs another name in it.
 * @param now The machine's clock, milliseconds since epoch.
 */
export function createFakeClock(library: string, directory: string, name: string, now = Date.now): FakeClock {
  const file = join(directory, `${name}.clock`);
  let writes = 0;
  const write = (offset: string) => {
    const next = `${file}.${++writes}`;
    writeFileSync(next, `${offset}\n`);
    renameSync(next, file); // a process that looks meanwhile sees the one or the other, never an empty file
  };
  let [offset, latest] = [0, 0];
  const latestMs = () => Math.max(latest, now() + (offset > minuteMs ? 0 : offset));
  function show(offsetMs: number): void {
    latest = latestMs(); // shown until now
    offset = offsetMs;
    write(`${offsetMs < 0 ? '-' : '+'}${(Math.abs(offsetMs) / 1000).toFixed(3)}`);
  }
  show(0);
  return {
    env: {
      LD_PRELOAD: library,
      FAKETIME_TIMESTAMP_FILE: file,
      FAKETIME_NO_CACHE: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
      DONT_FAKE_MONOTONIC: '1', // the name of older versions
      NO_FAKE_STAT: '1',
    },
    step: show,
    set: () => show(0),
    latestMs,
    async caughtUp() {
      const latestNow = latestMs();
      // a timer may be a millisecond early
      while (now() < latestNow) await delay(latestNow - now());
    },
  };
}
