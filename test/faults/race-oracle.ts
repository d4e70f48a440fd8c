import { nameOf, type Outcome } from './outcome.ts';

/** What is wrong with the answers to one request that was made several times at once and may be granted once. */
export function judgeOnce(outcomes: readonly Outcome<unknown>[], refusal: string): readonly string[] {
  const granted = outcomes.filter(({ kind }) => kind === 'accepted').length;
  const others = outcomes.filter((outcome) => outcome.kind !== 'accepted' && nameOf(outcome) !== refusal);
  return [
    ...(granted === 1 ? [] : [`granted ${granted} times`]),
    ...others.map((outcome) => `answered with ${nameOf(outcome)} where ${refusal} was due`),
  ];
}

export interface AcknowledgedRevocation {
  readonly replica: number;
  readonly subject: string;
  readonly n: number;
}

/**
 * What is wrong with the positions of revocations: a gap between the first and the last, one that two replicas gave away, a subject that is not listed
 * exactly where its acknowledgement says.
 *
 * @param listed Positions of each subject in the record.
 */
export function judgeNumbers(
  acknowledged: readonly AcknowledgedRevocation[],
  listed: ReadonlyMap<string, readonly number[]>,
): readonly string[] {
  const numbers = [...new Set(acknowledged.map(({ n }) => n))].sort((a, b) => a - b);
  const gaps = numbers.filter((n, index) => index > 0 && n !== (numbers[index - 1] ?? 0) + 1);
  const byNumber = Map.groupBy(acknowledged, ({ n }) => n);
  return [
    ...gaps.map((n) => `nothing is at ${n - 1}`),
    // one replica puts what it is asked for at the same time into one event
    ...[...byNumber].flatMap(([n, at]) =>
      new Set(at.map(({ replica }) => replica)).size === 1 ? [] : [`${n} was given away by several replicas`],
    ),
    ...acknowledged.flatMap(({ subject, n }) => {
      const at = listed.get(subject) ?? [];
      return at.length === 1 && at[0] === n ? [] : [`${subject}, acknowledged at ${n}, is listed at ${at.join(', ') || 'no position'}`];
    }),
  ];
}

/**
 * What is wrong with how keys followed one another: one that became active twice, answers that name a key which was not active, or that go
 * back to one which was replaced.
 *
 * @param answers In order of time, the active keys that were named in answers to requests made at once.
 * @param activated Keys as they became active, the first one first.
 */
export function judgeSuccession(answers: readonly (readonly string[])[], activated: readonly string[]): readonly string[] {
  const violations: string[] = [];
  const order = new Map<string, number>();
  for (const [index, kid] of activated.entries()) {
    if (order.has(kid)) violations.push(`key ${kid} became active twice`);
    else order.set(kid, index);
  }
  let reached = 0;
  for (const kids of answers) {
    for (const kid of kids) {
      const index = order.get(kid);
      if (index === undefined) violations.push(`key ${kid} was named and never became active`);
      else if (index < reached) violations.push(`key ${kid} was named after its successor had been`);
    }
    reached = Math.max(reached, ...kids.map((kid) => order.get(kid) ?? 0));
  }
  return violations;
}
