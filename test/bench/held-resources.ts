import { readdirSync } from 'node:fs';
import { GCProfiler, getHeapSpaceStatistics } from 'node:v8';

/** What a process holds at one moment. */
export interface HeldResources {
  readonly residentBytes: number;
  /** What V8 compiled, which is a part of the heap: machine code, bytecode, and what it keeps beside them. */
  readonly codeBytes: number;
  /**
   * Of the heap, code included, and of the memory that it holds outside of itself, what the last full collection since the last look left; absent: there was
   * none.
   */
  readonly keptBytes?: number;
  /** Open files and sockets, timers and requests. */
  readonly handles: number;
  /** Longest time that the collector stopped the program since the last look; 0: it did not. */
  readonly longestGcMs: number;
}

/** Looks at this process; from the first time on the collector is observed. Linux only (/proc). */
export function createResourceReader(): () => HeldResources {
  let profiler: GCProfiler | undefined;
  return () => {
    const collections = profiler?.stop()?.statistics ?? [];
    profiler = new GCProfiler();
    profiler.start();
    const kept = collections.findLast(({ gcType }) => gcType === 'MarkSweepCompact')?.afterGC.heapStatistics;
    return {
      residentBytes: process.memoryUsage.rss(),
      codeBytes: codeBytes(),
      ...(kept && { keptBytes: kept.usedHeapSize + kept.externalMemory }),
      handles: readdirSync('/proc/self/fd').length + process.getActiveResourcesInfo().length,
      longestGcMs: Math.max(0, ...collections.map(({ cost }) => cost / 1_000)),
    };
  };
}

function codeBytes(): number {
  const spaces = getHeapSpaceStatistics().filter(({ space_name }) => /^(?:code|trusted)_/.test(space_name));
  return spaces.reduce((sum, { space_used_size }) => sum + space_used_size, 0);
}
