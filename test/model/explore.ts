/** A transition system: everything that can happen in it, one step at a time. */
export interface Explored<State> {
  readonly initial: State;
  /** The same text for states that are the same. */
  key(state: State): string;
  /** What can happen next, each with a name. */
  successors(state: State): Iterable<readonly [name: string, next: State]>;
  /** What is wrong with a state, in words; `undefined` when nothing is. */
  problemOf(state: State): string | undefined;
}

export interface Exploration<State> {
  readonly states: number;
  readonly transitions: number;
  /** The first state that is wrong, and one of the shortest ways to it. */
  readonly violation: { readonly problem: string; readonly path: readonly string[]; readonly state: State } | undefined;
}

/**
 * Visits every reachable state, breadth first, until one is wrong.
 * @param visit Called with each state once.
 * @throws {Error} When there are more than `limit` states: the search would not be complete.
 */
export function explore<State>(system: Explored<State>, limit: number, visit: (state: State) => void = () => {}): Exploration<State> {
  const seen = new Set([system.key(system.initial)]);
  /** Each state, with the way back. */
  const queue: { readonly state: State; readonly from: number; readonly by: string }[] = [{ state: system.initial, from: -1, by: '' }];
  let transitions = 0;
  for (let index = 0; index < queue.length; index++) {
    const { state } = queue[index] as (typeof queue)[number]; // the index is below the length
    visit(state);
    const problem = system.problemOf(state);
    if (problem !== undefined) return { states: seen.size, transitions, violation: { problem, path: pathTo(index), state } };
    for (const [by, next] of system.successors(state)) {
      transitions++;
      const key = system.key(next);
      if (seen.has(key)) continue;
      if (seen.size === limit) throw new Error(`more than ${limit} states`);
      seen.add(key);
      queue.push({ state: next, from: index, by });
    }
  }
  return { states: seen.size, transitions, violation: undefined };

  function pathTo(end: number): readonly string[] {
    const path: string[] = [];
    for (let entry = queue[end]; entry !== undefined && entry.from >= 0; entry = queue[entry.from]) path.unshift(entry.by);
    return path;
  }
}
