import { setTimeout as delay } from 'node:timers/promises';
import type { ManagedProcess } from '@tokenmesh/shop/demo';

/** One time series as it was scraped; of a histogram its count. */
export interface Series {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** One metric as it was scraped, without what the exporter adds to every series. */
export interface Metric {
  readonly name: string;
  readonly type: string;
  readonly unit: string;
  readonly series: readonly Series[];
  /** Of the series with exactly these labels; `undefined`: there is none. */
  valueOf(labels: Readonly<Record<string, string>>): number | undefined;
}

/** Where a process of the sample mesh shows its metrics, as it says itself. */
export function metricsUrl(managed: ManagedProcess): string {
  const listening = managed.output.stdout.split('\n').findLast((line) => line.includes('"listening"'));
  const { metrics } = JSON.parse(listening ?? '{}') as { metrics?: string };
  if (metrics === undefined) throw new Error(`${managed.name} does not say where its metrics are`);
  return metrics;
}

/** What a process of the sample mesh shows to Prometheus now. */
export async function scrape(managed: ManagedProcess): Promise<readonly Metric[]> {
  return await scrapeFrom(metricsUrl(managed));
}

/** What is shown to Prometheus at this address now. */
export async function scrapeFrom(url: string): Promise<readonly Metric[]> {
  return readMetrics(await (await fetch(url)).text());
}

/** Scrapes until one of a metric's series is as wished; how long that may take is the test's own limit. */
export async function scrapeUntil(managed: ManagedProcess, name: string, isWished: (series: Series) => boolean): Promise<void> {
  while (!(await scrape(managed)).find((metric) => metric.name === name)?.series.some(isWished)) await delay(50);
}

/** Reads Prometheus's text format. Samples whose `# TYPE` did not come before them are left out. */
function readMetrics(text: string): readonly Metric[] {
  const metrics = new Map<string, { name: string; type: string; unit: string; series: Series[] }>();
  const units = new Map<string, string>();
  for (const line of text.split('\n')) {
    const [, kind = '', name = '', said = ''] = /^# (UNIT|TYPE) (\S+) (.+)$/.exec(line) ?? [];
    if (kind === 'UNIT') units.set(name, said);
    if (kind === 'TYPE') metrics.set(name, { name, type: said, unit: units.get(name) ?? '', series: [] });
    const [, sample = '', labels = '', value = ''] = /^([a-zA-Z_:]\w*)(?:\{(.*)\})? (\S+)$/.exec(line) ?? [];
    metrics.get(sample.replace(/_count$/, ''))?.series.push({ labels: readLabels(labels), value: Number(value) });
  }
  return [...metrics.values()].map((metric) => ({
    ...metric,
    valueOf: (labels) => metric.series.find((one) => isSame(one.labels, labels))?.value,
  }));
}

function readLabels(text: string): Readonly<Record<string, string>> {
  const labels = [...text.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, name = '', value = '']) => [name, value] as const);
  return Object.fromEntries(labels.filter(([name]) => !name.startsWith('otel_scope_')));
}

function isSame(a: Readonly<Record<string, string>>, b: Readonly<Record<string, string>>): boolean {
  return Object.keys(a).length === Object.keys(b).length && Object.entries(a).every(([name, value]) => b[name] === value);
}

/** What the tables of docs/reference/metrics.md list, by the names that Prometheus sees. */
export function documentedMetrics(
  page: string,
): readonly (Pick<Metric, 'name' | 'type' | 'unit'> & { readonly labels: readonly string[] })[] {
  const rows = page.matchAll(/^\| `(tokenmesh\.[\w.]+)` \| (counter|gauge|histogram) \| `([^`]+)` \| ([^|]*)\|/gm);
  return [...rows].map(([, name = '', type = '', unit = '', attributes = '']) => ({
    name: `${name.replaceAll('.', '_')}${type === 'counter' ? '_total' : ''}`,
    type,
    unit,
    labels: [...attributes.matchAll(/`([^`]+)`/g)].map(([, attribute = '']) => attribute.replaceAll('.', '_')).sort(),
  }));
}
