/** How something grows in time, and how sure that is. */
export interface Trend {
  /** Per unit of x. */
  readonly slope: number;
  /** Between which the slope lies, 95 times of 100. */
  readonly interval: readonly [number, number];
}

/**
 * The slope of the straight line that is nearest to the points (least squares). As the collector lets memory rise and fall, neighbours resemble each other:
 * the points are first brought together into at most twenty blocks of equal length, each with its mean, so that they do not count as more than they are.
 *
 * @param points In ascending order of x, at two or more places. Fewer than three tell nothing: the slope is `NaN`, which meets no target, and the interval has no bounds.
 */
export function trendOf(points: readonly { readonly x: number; readonly y: number }[]): Trend {
  if (points.length < 3) return { slope: Number.NaN, interval: [-Infinity, Infinity] };
  const size = Math.ceil(points.length / 20);
  const blocks = Array.from({ length: Math.floor(points.length / size) }, (_, block) => {
    const members = points.slice(block * size, (block + 1) * size);
    return { x: mean(members.map(({ x }) => x)), y: mean(members.map(({ y }) => y)) };
  });
  const [x0, y0] = [mean(blocks.map(({ x }) => x)), mean(blocks.map(({ y }) => y))];
  const spreadX = sum(blocks.map(({ x }) => (x - x0) ** 2));
  const slope = sum(blocks.map(({ x, y }) => (x - x0) * (y - y0))) / spreadX;
  const residual = sum(blocks.map(({ x, y }) => (y - y0 - slope * (x - x0)) ** 2));
  const freedom = blocks.length - 2;
  const error = Math.sqrt(residual / freedom / spreadX) * studentT(freedom);
  return { slope, interval: [slope - error, slope + error] };
}

/** The two-sided 95 % quantile of Student's t, by Cornish and Fisher's expansion; within 1 % from three degrees of freedom on. */
function studentT(freedom: number): number {
  const exact = [12.706, 4.303, 3.182, 2.776, 2.571][freedom - 1];
  if (exact !== undefined) return exact;
  const z = 1.95996;
  return z + (z ** 3 + z) / (4 * freedom) + (5 * z ** 5 + 16 * z ** 3 + 3 * z) / (96 * freedom ** 2);
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function mean(values: readonly number[]): number {
  return sum(values) / values.length;
}
