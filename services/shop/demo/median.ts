/** The value in the middle, the lower one of two; NaN of nothing. */
export const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[(values.length - 1) >> 1] ?? Number.NaN;
