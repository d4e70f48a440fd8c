/** A request that waits for its turn. */
export interface Waiting {
  readonly clientId: string;
  /** What it is for; 0 goes first. */
  readonly rank: number;
}

/** Requests that wait. Finding one costs as much as there are clients that wait, not requests. */
export interface WaitingLine<Entry extends Waiting> {
  readonly length: number;
  add(entry: Entry): void;
  /** Takes the next one out: of the highest rank, of the client that has least under way, the earliest. */
  takeNext(underWayOf: (clientId: string) => number): Entry | undefined;
  /**
   * Takes out what is given up for a newcomer when there is no place: of the lowest rank, of the client that has most in the line, the latest. `undefined`
   * when the newcomer does not go first: its rank is lower, or the same and its client has as much in the line.
   */
  takeExpendable(newcomer: Waiting): Entry | undefined;
}

/** @param ranks How many there are. */
export function createWaitingLine<Entry extends Waiting>(ranks: number): WaitingLine<Entry> {
  /** For each rank the entries of each client that has some, each with its number in the order of arrival. */
  const lines: readonly Map<string, { readonly entry: Entry; readonly arrival: number }[]>[] = Array.from(
    { length: ranks },
    () => new Map(),
  );
  const counts = new Map<string, number>();
  let length = 0;
  let arrivals = 0;

  const countOf = (clientId: string) => counts.get(clientId) ?? 0;

  function take({ rank, clientId }: Waiting, end: 'shift' | 'pop'): Entry | undefined {
    const line = lines[rank]?.get(clientId);
    const taken = line?.[end]();
    if (line?.length === 0) lines[rank]?.delete(clientId);
    if (countOf(clientId) > 1) counts.set(clientId, countOf(clientId) - 1);
    else counts.delete(clientId);
    length--;
    return taken?.entry;
  }

  return {
    get length() {
      return length;
    },
    add(entry) {
      const { rank, clientId } = entry;
      const place = { entry, arrival: arrivals++ };
      const line = lines[rank]?.get(clientId);
      if (line) line.push(place);
      else lines[rank]?.set(clientId, [place]);
      counts.set(clientId, countOf(clientId) + 1);
      length++;
    },
    takeNext(underWayOf) {
      const line = lines.find(({ size }) => size > 0);
      if (!line) return undefined;
      const [first] = [...line.values()]
        .flatMap(([earliest]) => earliest ?? [])
        .sort((one, other) => underWayOf(one.entry.clientId) - underWayOf(other.entry.clientId) || one.arrival - other.arrival);
      return first && take(first.entry, 'shift');
    },
    takeExpendable(newcomer) {
      const line = lines.findLast(({ size }) => size > 0);
      const [last] = [...(line?.values() ?? [])]
        .flatMap((entries) => entries.at(-1) ?? [])
        .sort((one, other) => countOf(other.entry.clientId) - countOf(one.entry.clientId) || other.arrival - one.arrival);
      if (!last) return undefined;
      const { rank, clientId } = last.entry;
      const goesFirst = rank > newcomer.rank || (rank === newcomer.rank && countOf(newcomer.clientId) + 1 < countOf(clientId));
      return goesFirst ? take(last.entry, 'pop') : undefined;
    },
  };
}
