import type { CampaignOptions, Verdict } from '../../campaign.ts';
import type { Equipment } from '../equipment.ts';
import { clustered } from './clustered.ts';
import { fleetAfterOutage } from './fleet-after-outage.ts';
import { fullDisks } from './full-disks.ts';
import { lostRecords } from './lost-records.ts';
import { outages } from './outages.ts';
import type { Part } from './part.ts';
import { storm } from './storm.ts';
import { tamperedStream } from './tampered-stream.ts';

const parts: readonly Part[] = [outages, fleetAfterOutage, clustered, tamperedStream, fullDisks, lostRecords, storm];
/** How many at once, each in a world of its own: they wait for most of the time. */
const [atOnce, quickAtOnce] = [2, 3];

/** Runs the parts of the campaign that have schedules of their own; one that fails to run is a verdict as well. */
export async function tryParts(equipment: Equipment, { quick, seed, report }: CampaignOptions): Promise<readonly Verdict[]> {
  const left = [...parts];
  const verdicts = new Map<Part, Verdict>();
  async function work(): Promise<void> {
    for (let part = left.shift(); part !== undefined; part = left.shift()) verdicts.set(part, await tryPart(part));
  }
  async function tryPart(part: Part): Promise<Verdict> {
    const { name } = part;
    try {
      return { name, ...(await part.run({ ...equipment, quick, seed, report: (line) => report(`revocation: ${line}`) })) };
    } catch (error) {
      return { name, counts: {}, violations: [`it could not be run: ${error instanceof Error ? error.message : String(error)}`] };
    }
  }
  await Promise.all(Array.from({ length: quick ? quickAtOnce : atOnce }, work));
  return parts.flatMap((part) => verdicts.get(part) ?? []);
}
