import { expect, it } from 'vitest';
import { type Chart, drawChart } from './draw-chart.ts';

const point = (x: number, value: number, spread: readonly [number, number] = [value, value]) => ({ x, value, spread });

const chart: Chart = {
  title: 'Throughput',
  x: 'calls in flight',
  y: 'calls per second',
  lines: [
    { name: 'bare', points: [point(1, 1_000), point(16, 7_200, [6_000, 7_900]), point(256, 8_000)] },
    { name: 'authenticated', points: [point(1, 900), point(16, 7_000), point(256, 7_800)] },
  ],
  run: '2026-11-23, two processors',
};

const texts = (svg: string, kind: string) =>
  [...svg.matchAll(new RegExp(`<text class="${kind}"[^>]*>([^<]*)</text>`, 'g'))].map(([, text]) => text);
const marks = (svg: string) =>
  [...svg.matchAll(/<circle class="mark" cx="([\d.]+)" cy="([\d.]+)"/g)].map(([, x, y]) => [Number(x), Number(y)] as const);

it('says what is on the axes, which line is which, and where the figures come from', () => {
  const svg = drawChart(chart);
  expect(texts(svg, 'title')).toEqual(['Throughput']);
  expect(texts(svg, 'axis')).toEqual(['calls in flight', 'calls per second']);
  expect(texts(svg, 'run')).toEqual(['2026-11-23, two processors']);
  expect(texts(svg, 'tick').slice(0, 2)).toEqual(['bare', 'authenticated']);
});

it('marks every x that was measured, and round steps from 0 to above the highest quartile', () => {
  expect(texts(drawChart(chart), 'tick').slice(2)).toEqual(['0', '2\u00a0000', '4\u00a0000', '6\u00a0000', '8\u00a0000', '1', '16', '256']);
});

it('puts equal factors of x at equal distances, and values where the steps beside them say', () => {
  const [, one, sixteen, most] = marks(drawChart(chart)); // the first mark is the legend's
  expect((most?.[0] ?? 0) - (sixteen?.[0] ?? 0)).toBeCloseTo((sixteen?.[0] ?? 0) - (one?.[0] ?? 0), 0);
  expect(most?.[1]).toBe(84); // 8 000 of 8 000: the top of the plot
  expect(one?.[1]).toBeCloseTo(354 - (354 - 84) / 8, 0);
});

it('draws the quartiles of a point from the lower to the upper', () => {
  const whiskers = /class="whisker" d="([^"]*)"/.exec(drawChart(chart))?.[1]?.split('M').slice(1) ?? [];
  const [from, to] = (whiskers[1] ?? '').split(' ')[1]?.split('V').map(Number) ?? [];
  expect(from).toBeCloseTo(354 - (270 * 6_000) / 8_000, 0);
  expect(to).toBeCloseTo(354 - (270 * 7_900) / 8_000, 0);
});

it('marks powers of ten on a logarithmic scale that spans many, and more between them when it spans few', () => {
  const ticks = (values: readonly number[]) =>
    texts(
      drawChart({ ...chart, scaleY: 'logarithmic', lines: [{ name: 'one', points: values.map((value, x) => point(x + 1, value)) }] }),
      'tick',
    ).slice(1, -values.length);
  expect(ticks([0.03, 700])).toEqual(['0.01', '0.1', '1', '10', '100', '1\u00a0000']);
  expect(ticks([3, 40])).toEqual(['2', '5', '10', '20', '50']);
});

it('is readable in dark as well, and without colours: each line has points of its own shape', () => {
  const svg = drawChart(chart);
  expect(svg).toContain('@media (prefers-color-scheme:dark)');
  const [bare = '', ours = ''] = [...svg.matchAll(/<g class="line-\d"><path class="whisker".*<\/g>/g)].map(([line]) => line);
  expect(bare.match(/<circle/g)).toHaveLength(3);
  expect(ours).not.toContain('<circle');
});

it('takes words as words', () => {
  expect(drawChart({ ...chart, title: 'a < b & "c"' })).toContain('>a &#60; b &#38; &#34;c&#34;</text>');
});

it('refuses what a scale cannot hold', () => {
  const of = (x: number, value: number): Chart => ({ ...chart, lines: [{ name: 'one', points: [point(x, value)] }] });
  expect(() => drawChart(of(0, 1))).toThrow(TypeError);
  expect(() => drawChart({ ...of(1, 0), scaleY: 'logarithmic' })).toThrow(TypeError);
  expect(() => drawChart(of(1, 0))).toThrow(TypeError);
});
