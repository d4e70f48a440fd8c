/** The hashes of a log's newest positions, 1 024 of them where there are as many. A value: what is added makes another one. */
export interface RecentHashes {
  /** Oldest first, 32 each: what the next one shares with this one. */
  readonly full: readonly (readonly string[])[];
  /** 1 to 32, oldest first. */
  readonly last: readonly string[];
}

const remembered = 1_024;
/** Small enough to be copied for every event. */
const chunkLength = 32;

/** Those of a log of which nothing older is known. */
export function recentHashes(newest: string): RecentHashes {
  return { full: [], last: [newest] };
}

/** With the hash of the next position. */
export function addHash({ full, last }: RecentHashes, hash: string): RecentHashes {
  if (last.length < chunkLength) return { full, last: [...last, hash] };
  return { full: [...full.slice(1 - remembered / chunkLength), last], last: [hash] };
}

/**
 * @param back How many positions before the newest one; below 0 is after it.
 * @returns `undefined` when it is not, or no longer, known.
 */
export function findHash({ full, last }: RecentHashes, back: number): string | undefined {
  if (back >= remembered) return undefined;
  if (back < last.length) return last[last.length - 1 - back];
  const older = back - last.length;
  return full[full.length - 1 - Math.floor(older / chunkLength)]?.[chunkLength - 1 - (older % chunkLength)];
}
