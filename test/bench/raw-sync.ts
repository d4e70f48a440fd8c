import { readFileSync } from 'node:fs';
import { open, rm } from 'node:fs/promises';
import { join } from 'node:path';

/** Bytes that a process has given to the file system to write so far; what went to pipes and sockets is not among them. Linux only. */
export function writtenBytes(pid: number): number {
  return Number(/^write_bytes: (\d+)/m.exec(readFileSync(`/proc/${pid}/io`, 'utf8'))?.[1]);
}

/**
 * What the disk takes for commits of this size whoever makes them: appends so many bytes to a file of its own and waits for fsync, which Node's SQLite
 * uses as well, `count` times one after the other.
 *
 * @param directory Where the record is: on the same file system.
 */
export async function measureRawSync(
  directory: string,
  bytes: number,
  count: number,
): Promise<{ readonly p50Ms: number; readonly p99Ms: number }> {
  const name = join(directory, 'raw-sync');
  const data = Buffer.alloc(bytes, 1);
  const took: number[] = [];
  await using file = await open(name, 'w');
  while (took.length < count) {
    const from = performance.now();
    await file.write(data);
    await file.sync();
    took.push(performance.now() - from);
  }
  await rm(name);
  took.sort((a, b) => a - b);
  const at = (part: number) => took[Math.floor(part * took.length)] ?? Number.NaN;
  return { p50Ms: at(0.5), p99Ms: at(0.99) };
}
