import fc from 'fast-check';
import { expect, it } from 'vitest';
import { createWaitingLine, type Waiting } from './waiting-line.ts';

interface Numbered extends Waiting {
  readonly number: number;
}

/** The same line, told plainly: a list that is looked through each time. */
function createList() {
  const list: Numbered[] = [];
  const countOf = (clientId: string) => list.filter((entry) => entry.clientId === clientId).length;
  const take = (found: Numbered | undefined) => (found ? list.splice(list.indexOf(found), 1)[0] : undefined);
  return {
    list,
    takeNext: (underWayOf: (clientId: string) => number) =>
      take(
        list.toSorted(
          (one, other) => one.rank - other.rank || underWayOf(one.clientId) - underWayOf(other.clientId) || one.number - other.number,
        )[0],
      ),
    takeExpendable({ rank, clientId }: Waiting) {
      const [last] = list.toSorted(
        (one, other) => other.rank - one.rank || countOf(other.clientId) - countOf(one.clientId) || other.number - one.number,
      );
      const goesFirst = last && (last.rank > rank || (last.rank === rank && countOf(clientId) + 1 < countOf(last.clientId)));
      return goesFirst ? take(last) : undefined;
    },
  };
}

const waiting = fc.record({ clientId: fc.constantFrom('a', 'b', 'c'), rank: fc.nat({ max: 2 }) });
const steps = fc.array(
  fc.oneof(
    { weight: 3, arbitrary: fc.record({ add: waiting }) },
    fc.record({ next: fc.record({ a: fc.nat({ max: 2 }), b: fc.nat({ max: 2 }), c: fc.nat({ max: 2 }) }) }),
    fc.record({ expendable: waiting }),
  ),
  { maxLength: 60 },
);

it('gives out, in whatever order it is used, what looking through all that wait would find', () => {
  fc.assert(
    fc.property(steps, (taken) => {
      const line = createWaitingLine<Numbered>(3);
      const { list, takeNext, takeExpendable } = createList();
      for (const [number, step] of taken.entries()) {
        if ('add' in step) {
          line.add({ ...step.add, number });
          list.push({ ...step.add, number });
        } else if ('next' in step) {
          const underWayOf = (clientId: string) => step.next[clientId as 'a']; // one of the three
          expect(line.takeNext(underWayOf)).toEqual(takeNext(underWayOf));
        } else {
          expect(line.takeExpendable(step.expendable)).toEqual(takeExpendable(step.expendable));
        }
        expect(line.length).toBe(list.length);
      }
    }),
    { numRuns: 1000 },
  );
});
