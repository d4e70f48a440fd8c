import { pointAt, type Series, type SuiteOptions } from './measure.ts';
import { measure, type Side } from './measured-side.ts';

const numbers = [1, 4, 16, 64, 256] as const;

/**
 * Throughput of each side against the calls that its client has in flight, all sides in turn.
 *
 * @param sides Warm, by what the line of each is called.
 */
export async function inFlightSeries(sides: Readonly<Record<string, Side>>, { quick, report }: SuiteOptions): Promise<readonly Series[]> {
  const [rounds, count] = quick ? [2, 500] : [10, 2_000];
  const entries = Object.entries(sides);
  const rates = entries.map(() => numbers.map(() => [] as number[]));
  for (let round = 0; round < rounds; round++) {
    report(`throughput against calls in flight, round ${round + 1} of ${rounds}`);
    for (const [nth, inFlight] of numbers.entries()) {
      for (const [index, [, side]] of round % 2 === 0 ? [...entries.entries()] : [...entries.entries()].toReversed()) {
        const { seconds } = await measure(side, { kind: 'unary', count, inFlight });
        rates[index]?.[nth]?.push(count / seconds);
      }
    }
  }
  return entries.map(([name], index) => ({
    ...{ chart: 'throughput-against-in-flight-calls', name },
    points: numbers.map((inFlight, nth) => pointAt(inFlight, rates[index]?.[nth] ?? [])),
  }));
}
