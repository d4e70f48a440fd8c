import { execFile, spawnSync } from 'node:child_process';
import { cp, mkdir, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { AppliedFault, Fault } from './fault.ts';
import type { World } from './world.ts';

const run = promisify(execFile);
/** Bytes that are left on the disk of NATS: a few messages. */
const leftBytes = 16_384;
const pageBytes = 4096;

/** token-exchange cannot write any more: a Linux `prlimit` fails its writes. */
export const recordDiskFaults: readonly Fault[] = [
  {
    ...{ name: 'disk full at token-exchange', holds: ['record', 'issuer'], weight: 2, durationMs: [300, 3_000] },
    apply: ({ issuer }) => fillRecordDisk(issuer.program.pid),
  },
];

/** NATS runs out of disk; takes the right to mount. */
export const natsDiskFaults: readonly Fault[] = [
  { ...{ name: 'disk full at NATS', holds: ['nats', 'stream'], weight: 2, durationMs: [500, 3_000] }, apply: fillNatsDisk },
];

/** From now on every write to a file fails, as it does when there is no room. */
export async function fillRecordDisk(pid: number): Promise<AppliedFault> {
  const limit = async (bytes: string) => void (await run('prlimit', ['--pid', String(pid), `--fsize=${bytes}:`]));
  await limit('0');
  return { detail: 'every write fails', heal: () => limit('unlimited') };
}

/** What NATS has on its disk moves to one that is nearly full, and back again in the end. NATS is away for a moment each time. */
export async function fillNatsDisk({ nats, mesh }: World): Promise<AppliedFault> {
  const aside = join(mesh.directory, 'nats-aside');
  await nats.stop();
  const size = (await sizeOf(nats.store)) + leftBytes;
  await cp(nats.store, aside, { recursive: true });
  const unmount = await mountDisk(nats.store, size);
  await cp(aside, nats.store, { recursive: true });
  await rm(aside, { recursive: true });
  await nats.start();
  return {
    detail: `room for ${leftBytes} bytes`,
    async heal() {
      await nats.kill();
      await cp(nats.store, aside, { recursive: true });
      unmount();
      await rm(nats.store, { recursive: true, force: true });
      await cp(aside, nats.store, { recursive: true });
      await rm(aside, { recursive: true });
      await nats.start();
    },
  };
}

/** Why a disk of its own cannot be mounted in this directory; `undefined`: it can. */
export async function whyNoMount(directory: string): Promise<string | undefined> {
  const place = join(directory, 'mount-trial');
  await mkdir(place, { recursive: true });
  try {
    const unmount = await mountDisk(place, pageBytes);
    unmount();
    return undefined;
  } catch (error) {
    return String(error instanceof Error ? error.message : error).split('\n')[1] ?? 'mount does not work here';
  } finally {
    await rm(place, { recursive: true, force: true });
  }
}

/** Bytes that the files of a directory take on a disk, roughly. */
async function sizeOf(directory: string): Promise<number> {
  const files = await readdir(directory, { recursive: true });
  const sizes = await Promise.all(files.map(async (name) => Math.ceil((await stat(join(directory, name))).size / pageBytes) + 1));
  return sizes.reduce((sum, pages) => sum + pages, 1) * pageBytes;
}

/** A disk in memory, of so many bytes. It goes with this process at the latest. */
async function mountDisk(directory: string, bytes: number): Promise<() => void> {
  await run('mount', ['-t', 'tmpfs', '-o', `size=${bytes}`, 'tokenmesh-faults', directory]);
  const unmount = () => {
    process.off('exit', unmount);
    spawnSync('umount', ['-l', directory]);
  };
  process.prependOnceListener('exit', unmount); // before the directory around it is removed
  return unmount;
}
