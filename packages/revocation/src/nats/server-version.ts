/** Whether no advisory is known for this version of nats-server: 2.11.16, 2.12.7, 2.14.0 and what follows in each line. */
export function isWithoutAdvisories(version: string): boolean {
  const [major = 0, minor = 0, patch = 0] = version.split(/[.-]/).map(Number);
  const floor = floors.get(`${major}.${minor}`);
  if (floor !== undefined) return patch >= floor;
  return major > 2 || (major === 2 && minor >= 14);
}

/** First patch release of each line without known advisories. */
const floors: ReadonlyMap<string, number> = new Map([
  ['2.11', 16],
  ['2.12', 7],
]);
