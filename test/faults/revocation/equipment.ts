import { findNatsServer } from '@tokenmesh/shop/demo';
import { findFaketime } from '../../find-faketime.ts';
import { createTemporaryDirectory } from '../temporary-directory.ts';
import { whyNoMount } from './disk-faults.ts';

/** What this machine has for the campaign. */
export interface Equipment {
  /** The nats-server to run. */
  readonly natsPath: string;
  /** libfaketime, which lets a process have a clock of its own; `undefined`: clocks are not set. */
  readonly faketime: string | undefined;
  /** Why NATS cannot be given a small disk of its own; `undefined`: it can. */
  readonly noMount: string | undefined;
}

/** Finds what the campaign needs, and says in one line each what is left out for want of it. Without a nats-server: why there is none. */
export async function findEquipment(
  report: (line: string) => void,
): Promise<Equipment | { readonly natsPath: undefined; readonly reason: string }> {
  const nats = await findNatsServer({ report });
  if (nats.path === undefined) return { natsPath: undefined, reason: nats.reason };
  const faketime = await findFaketime(report);
  if (faketime.library === undefined) {
    report(`clocks are not set: ${faketime.reason}; install libfaketime, or name its library in TOKENMESH_FAKETIME`);
  }
  const directory = createTemporaryDirectory('mount');
  const noMount = await whyNoMount(directory.path);
  directory.remove();
  if (noMount !== undefined) report(`the disk of NATS is not filled: ${noMount}; it takes the right to mount`);
  return { natsPath: nats.path, faketime: faketime.library, noMount };
}
