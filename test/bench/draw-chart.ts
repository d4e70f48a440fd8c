import type { Series } from './measure.ts';

export interface Chart {
  readonly title: string;
  /** What the axes are, with their units. `x` is logarithmic; each `x` that a line has is marked. */
  readonly x: string;
  readonly y: string;
  /** Default: linear, from 0. */
  readonly scaleY?: 'logarithmic';
  /** With at least one point above 0 among them. */
  readonly lines: readonly Pick<Series, 'name' | 'points'>[];
  /** Written beneath. */
  readonly run: string;
}

const width = 760;
const height = 440;
const plot = { left: 84, right: width - 28, top: 84, bottom: height - 86 } as const;
const shapes = ['circle', 'square', 'diamond', 'triangle', 'ring'] as const;

/**
 * Draws lines of medians, with the quartiles of each point as a whisker, into an SVG document of its own: readable in light and in dark, and without
 * colours, for each line has points of another shape.
 *
 * @throws {TypeError} There is nothing that could be drawn on these scales.
 */
export function drawChart({ title, x, y, scaleY, lines, run }: Chart): string {
  const points = lines.flatMap((line) => line.points);
  const values = points.flatMap(({ value, spread }) => [value, ...spread]);
  const xs = [...new Set(points.map((point) => point.x))].sort((a, b) => a - b);
  const toX = logarithmic([xs[0] ?? 0, xs.at(-1) ?? 0], [plot.left + 24, plot.right - 24]);
  const yTicks = scaleY ? decades(values) : steps(Math.max(...values));
  const ends = [yTicks[0] ?? 0, yTicks.at(-1) ?? 0] as const;
  const toY = scaleY ? logarithmic(ends, [plot.bottom, plot.top]) : linear(ends, [plot.bottom, plot.top]);
  const body = [
    text(title, plot.left, 30, 'title'),
    ...lines.flatMap(({ name }, index) => legend(name, index, lines.length)),
    ...yTicks.flatMap((tick) => [
      `<path class="grid" d="M${plot.left} ${at(toY(tick))}H${plot.right}"/>`,
      text(spaced(tick), plot.left - 10, toY(tick) + 4, 'tick', 'end'),
    ]),
    ...xs.flatMap((tick) => [
      `<path class="grid" d="M${at(toX(tick))} ${plot.top}V${plot.bottom + 6}"/>`,
      text(spaced(tick), toX(tick), plot.bottom + 22, 'tick', 'middle'),
    ]),
    text(x, (plot.left + plot.right) / 2, plot.bottom + 46, 'axis', 'middle'),
    `<text class="axis" text-anchor="middle" transform="translate(22 ${(plot.top + plot.bottom) / 2}) rotate(-90)">${escaped(y)}</text>`,
    ...lines.map((line, index) => drawLine(line, index, toX, toY)),
    text(run, plot.left, height - 14, 'run'),
  ];
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img" aria-label="${escaped(title)}">
<style>${style}</style>
<rect class="page" width="${width}" height="${height}"/>
${body.join('\n')}
</svg>
`;
}

type Scale = (value: number) => number;
type Ends = readonly [number, number];

/** Every scale maps the first of its ends to the first pixel, and the last to the last. */
function linear([from, to]: Ends, [start, end]: Ends): Scale {
  if (!(to > from)) throw new TypeError('a chart needs a value above 0');
  return (value) => start + ((value - from) / (to - from)) * (end - start);
}

function logarithmic([from, to]: Ends, pixels: Ends): Scale {
  if (!(from > 0)) throw new TypeError('a logarithmic scale needs values above 0');
  if (from === to) return () => (pixels[0] + pixels[1]) / 2;
  const scale = linear([Math.log10(from), Math.log10(to)], pixels);
  return (value) => scale(Math.log10(value));
}

/** From 0 in at most six steps of 1, 2 or 5 times a power of ten, to the first that is not below `most`. */
function steps(most: number): number[] {
  const power = 10 ** Math.floor(Math.log10(most / 6));
  const step = ([1, 2, 5, 10].find((times) => times * power * 6 >= most) ?? 10) * power;
  return Array.from({ length: Math.ceil(most / step) + 1 }, (_, index) => Number((index * step).toPrecision(12)));
}

/** Powers of ten from the last that is not above every value to the first that is not below any; with 2 and 5 times them where these are few. */
function decades(values: readonly number[]): number[] {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  if (!(low > 0)) throw new TypeError('a logarithmic scale needs values above 0');
  const powers: number[] = [];
  for (let exponent = Math.floor(Math.log10(low)); exponent <= Math.ceil(Math.log10(high)); exponent++) powers.push(exponent);
  const ticks = (powers.length > 4 ? [1] : [1, 2, 5]).flatMap((times) => powers.map((exponent) => Number(`${times}e${exponent}`)));
  const sorted = ticks.sort((a, b) => a - b);
  const first = sorted.findLastIndex((tick) => tick <= low);
  const last = sorted.findIndex((tick) => tick >= high);
  return sorted.slice(first, Math.max(last, first + 1) + 1);
}

function drawLine({ points }: Chart['lines'][number], index: number, toX: Scale, toY: Scale): string {
  const path = points.map(({ x, value }, nth) => `${nth === 0 ? 'M' : 'L'}${at(toX(x))} ${at(toY(value))}`).join('');
  const whiskers = points.map(({ x, spread: [low, high] }) => `M${at(toX(x))} ${at(toY(low))}V${at(toY(high))}`).join('');
  const marks = points.map(({ x, value }) => mark(index, toX(x), toY(value))).join('');
  return `<g class="line-${index % shapes.length}"><path class="whisker" d="${whiskers}"/><path class="line" d="${path}"/>${marks}</g>`;
}

/** Two beside each other when there are many. */
function legend(name: string, index: number, count: number): string[] {
  const columns = Math.min(count, 2);
  const left = plot.left + ((index % columns) * (plot.right - plot.left)) / columns;
  const top = 50 + Math.floor(index / columns) * 16;
  return [`<g class="line-${index % shapes.length}">${mark(index, left + 5, top)}</g>`, text(name, left + 18, top + 4, 'tick')];
}

function mark(index: number, x: number, y: number): string {
  const [cx, cy] = [at(x), at(y)];
  switch (shapes[index % shapes.length]) {
    case 'square':
      return `<path class="mark" d="M${at(x - 4)} ${at(y - 4)}h8v8h-8z"/>`;
    case 'diamond':
      return `<path class="mark" d="M${cx} ${at(y - 5.5)}l5.5 5.5l-5.5 5.5l-5.5 -5.5z"/>`;
    case 'triangle':
      return `<path class="mark" d="M${cx} ${at(y - 5)}l5 9h-10z"/>`;
    case 'ring':
      return `<circle class="ring" cx="${cx}" cy="${cy}" r="4"/>`;
    default:
      return `<circle class="mark" cx="${cx}" cy="${cy}" r="4.5"/>`;
  }
}

function text(content: string, x: number, y: number, kind: string, anchor: 'start' | 'middle' | 'end' = 'start'): string {
  return `<text class="${kind}" x="${at(x)}" y="${at(y)}" text-anchor="${anchor}">${escaped(content)}</text>`;
}

function at(pixels: number): string {
  return String(Math.round(pixels * 10) / 10);
}

/** `1 000 000`, as in the docs; fractions as they are. */
function spaced(value: number): string {
  return value.toLocaleString('en', { maximumFractionDigits: 6 }).replaceAll(',', '\u00a0');
}

function escaped(content: string): string {
  return content.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
}

const colours = {
  light: ['#1f5fbf', '#b4450b', '#2b7a3d', '#7a3ea8', '#8a6d00'],
  dark: ['#7fb0ff', '#ff9e66', '#7fd494', '#cf9dff', '#e6c84a'],
} as const;

const lineColours = (scheme: keyof typeof colours) => colours[scheme].map((colour, index) => `.line-${index}{color:${colour}}`).join('');

const style = [
  'text{font-family:system-ui,sans-serif;fill:#1f2328}.title{font-size:18px;font-weight:600}.axis,.tick{font-size:12.5px}.run{font-size:11px;opacity:.75}',
  '.page{fill:#fff}.grid{stroke:#8884;fill:none}.line{stroke:currentColor;stroke-width:2;fill:none}',
  '.whisker{stroke:currentColor;stroke-width:6;opacity:.3;fill:none}.mark{fill:currentColor}.ring{stroke:currentColor;stroke-width:2;fill:none}',
  lineColours('light'),
  `@media (prefers-color-scheme:dark){text{fill:#e6edf3}.page{fill:#0d1117}${lineColours('dark')}}`,
].join('\n');
