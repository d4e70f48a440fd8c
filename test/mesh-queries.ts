import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';

const deploy = fileURLToPath(new URL('../deploy', import.meta.url));
const dashboardsDirectory = join(deploy, 'grafana/dashboards');
export const prometheusDirectory = join(deploy, 'prometheus');

/** The parts of a Grafana dashboard that ours have. */
export interface Dashboard {
  readonly file: string;
  readonly uid: string;
  readonly title: string;
  readonly schemaVersion: number;
  readonly links: readonly object[];
  readonly templating: { readonly list: readonly { readonly name: string; readonly type: string }[] };
  readonly annotations: { readonly list: readonly { readonly target?: object }[] };
  readonly panels: readonly Panel[];
}

export interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly description: string;
  readonly datasource: Datasource;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly fieldConfig: { readonly defaults: { readonly unit: string } };
  readonly targets: readonly { readonly datasource: Datasource; readonly expr: string; readonly legendFormat: string }[];
}

interface Datasource {
  readonly type: string;
  readonly uid: string;
}

/** A rule of Prometheus that records, or one that alerts. */
export interface Rule {
  readonly record?: string;
  readonly alert?: string;
  readonly expr: string;
  readonly labels?: { readonly severity?: string };
  readonly annotations?: { readonly summary?: string; readonly description?: string; readonly runbook?: string };
}

/** A query as Prometheus takes it, and the labels that its answer has to have. */
export interface Query {
  readonly expr: string;
  readonly labels: readonly string[];
}

export function readDashboards(): readonly Dashboard[] {
  const files = readdirSync(dashboardsDirectory).filter((file) => file.endsWith('.json'));
  return files.map((file) => ({ file, ...JSON.parse(readFileSync(join(dashboardsDirectory, file), 'utf8')) }));
}

export const ruleFiles = readdirSync(join(prometheusDirectory, 'rules')).map((file) => join(prometheusDirectory, 'rules', file));

export function readRules(): readonly Rule[] {
  const files: readonly { groups: readonly { rules: readonly Rule[] }[] }[] = ruleFiles.map((file) => parse(readFileSync(file, 'utf8')));
  return files.flatMap(({ groups }) => groups.flatMap(({ rules }) => rules));
}

/** What dashboards and rules ask, each once. Of an alert what it compares, for a mesh in which nothing is wrong answers no alert. */
export function allQueries(dashboards: readonly Dashboard[], rules: readonly Rule[]): readonly Query[] {
  const shown = dashboards.flatMap(({ panels }) => panels.flatMap(({ targets }) => targets));
  const queries = [
    ...shown.map(({ expr, legendFormat }) => ({
      expr: expr.replaceAll('$__rate_interval', '1m').replaceAll('$job', 'token-exchange|shop').replaceAll('$instance', '.+'),
      labels: [...legendFormat.matchAll(/\{\{(\w+)\}\}/g)].map(([, label = '']) => label),
    })),
    ...rules.flatMap(({ record, expr }) => (record ? [expr, record] : selectorsOf(expr)).map((one) => ({ expr: one, labels: [] }))),
  ];
  return [...new Map(queries.map((query) => [query.expr, query])).values()];
}

/** What runbooks tell people to ask: each line of theirs that is a query. */
export function runbookQueries(): readonly Query[] {
  const directory = fileURLToPath(new URL('../docs/runbooks', import.meta.url));
  const pages = readdirSync(directory).map((file) => readFileSync(join(directory, file), 'utf8'));
  const blocks = pages.flatMap((page) => [...page.matchAll(/^```promql\n(.+?)^```$/gms)].map(([, block = '']) => block));
  return blocks.flatMap((block) => block.trimEnd().split('\n')).map((expr) => ({ expr, labels: [] }));
}

/** `a > 2 unless b{c="d"}[5m] offset 1h` selects `a` and `b{c="d"}`. */
function selectorsOf(expr: string): readonly string[] {
  const withoutLists = expr.replace(/\b(by|on)\s*\([^)]*\)/g, '');
  return withoutLists.match(/\b(?:\w+:)?(?:tokenmesh_\w+|up)(?::\w+)?(?:\{[^}]*\})?/g) ?? [];
}
