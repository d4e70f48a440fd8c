import { type Finding, type Judgement, messageOf, skipped } from './finding.ts';

/** A check and how it judges. */
export type Check = readonly [name: string, judge: () => Judgement | Promise<Judgement>];

/**
 * Makes checks in their order. One that breaks down is skipped, and says why.
 *
 * @param of What they look at, when there are several.
 */
export async function* made(checks: readonly Check[], of?: string): AsyncGenerator<Finding> {
  for (const [check, judge] of checks) {
    const judgement = await Promise.try(judge).catch((error: unknown) => skipped(`it could not be looked at: ${messageOf(error)}`));
    yield { check, ...(of !== undefined && { of }), ...judgement };
  }
}

/** Checks that are not made, all for the same reason. */
export function* skippedAll(checks: readonly string[], says: string): Generator<Finding> {
  for (const check of checks) yield { check, ...skipped(says) };
}
