import { readdirSync } from 'node:fs';
import { PerformanceObserver } from 'node:perf_hooks';
import { setImmediate as turn } from 'node:timers/promises';
import { getHeapSpaceStatistics } from 'node:v8';

/** What a process holds at one moment. */
export interface HeldResources {
  readonly residentBytes: number;
  /** Of it what V8 compiled: machine code, bytecode, and what it keeps beside them. */
  readonly codeBytes: number;
  /** Open files and sockets, timers and requests. */
  readonly handles: number;
  /** Longest time that the collector stopped the program since the last look; 0: it did not. */
  readonly longestGcMs: number;
}

/** Looks at this process; from the first time on the collector is observed. Linux only (/proc). */
export function createResourceReader(): () => Promise<HeldResources> {
  let longestGcMs = 0;
  let isObserved = false;
  return async () => {
    if (!isObserved) {
      observeGc((ms) => {
        longestGcMs = Math.max(longestGcMs, ms);
      });
      isObserved = true;
    }
    await turn(); // entries are handed over in a turn of their own
    const since = longestGcMs;
    longestGcMs = 0;
    const handles = readdirSync('/proc/self/fd').length + process.getActiveResourcesInfo().length;
    return { residentBytes: process.memoryUsage.rss(), codeBytes: codeBytes(), handles, longestGcMs: since };
  };
}

function codeBytes(): number {
  const spaces = getHeapSpaceStatistics().filter(({ space_name }) => /^(?:code|trusted)_/.test(space_name));
  return spaces.reduce((sum, { space_used_size }) => sum + space_used_size, 0);
}

function observeGc(onPause: (ms: number) => void): void {
  const observer = new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) onPause(duration);
  });
  observer.observe({ entryTypes: ['gc'] });
}
