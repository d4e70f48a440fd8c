import { clockFaults } from './clock-faults.ts';
import { natsDiskFaults, recordDiskFaults } from './disk-faults.ts';
import type { Equipment } from './equipment.ts';
import type { Fault } from './fault.ts';
import { linkFaults } from './link-faults.ts';
import { messageFaults } from './message-faults.ts';
import { processFaults } from './process-faults.ts';
import { recordFaults } from './record-faults.ts';
import { streamFaults } from './stream-faults.ts';

/** What can be done to a world on every machine. */
export const faults: readonly Fault[] = [...processFaults, ...linkFaults, ...messageFaults];

/** Everything that a schedule of the campaign chooses from. Schedules of one seed are the same where the equipment is. */
export function faultsFor({ faketime, noMount }: Omit<Equipment, 'natsPath'>): readonly Fault[] {
  return [
    ...[...faults, ...streamFaults, ...recordFaults, ...recordDiskFaults],
    ...(faketime === undefined ? [] : clockFaults),
    ...(noMount === undefined ? natsDiskFaults : []),
  ];
}
