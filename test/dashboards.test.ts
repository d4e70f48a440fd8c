import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it, onTestFinished } from 'vitest';
import { parse } from 'yaml';
import { allQueries, prometheusDirectory, readDashboards, readRules, ruleFiles } from './mesh-queries.ts';
import { documentedMetrics } from './scraped-metrics.ts';

const run = promisify(execFile);
const repository = fileURLToPath(new URL('..', import.meta.url));
const prometheusPath = process.env.TOKENMESH_PROMETHEUS;
const dashboards = readDashboards();
const rules = readRules();
const alerts = rules.filter(({ alert }) => alert !== undefined);
const alertNames = alerts.map(({ alert = '' }) => alert).sort();
const testsDirectory = join(prometheusDirectory, 'rule-tests');
const testFiles = readdirSync(testsDirectory).filter((file) => file.endsWith('.test.yml'));
const runbooks = join(repository, 'docs/runbooks');

describe('dashboards', () => {
  it('are three, each with an id of its own that links can keep', () => {
    expect(dashboards.map(({ title }) => title).sort()).toEqual(['Mesh overview', 'Token exchange', 'Verifiers and revocation']);
    expect(new Set(dashboards.map(({ uid }) => uid)).size).toBe(3);
    for (const { uid, schemaVersion } of dashboards) expect([/^tokenmesh-[a-z-]+$/.test(uid), schemaVersion]).toEqual([true, 39]);
  });

  it.each(dashboards)('$title has panels with a unit, a description and the data source that is chosen above', ({ templating, panels }) => {
    expect(templating.list.find(({ type }) => type === 'datasource')?.name).toBe('datasource');
    const datasource = { type: 'prometheus', uid: '$' + '{datasource}' };
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
    expect(new Set(panels.map(({ gridPos: { x, y } }) => `${x} ${y}`)).size).toBe(panels.length);
    for (const { title, description, fieldConfig, gridPos, targets, ...panel } of panels) {
      expect([title, description, fieldConfig.defaults.unit].filter((text) => !text)).toEqual([]);
      expect(gridPos.x + gridPos.w).toBeLessThanOrEqual(24);
      expect([panel.datasource, ...targets.map((target) => target.datasource)]).toEqual(Array(targets.length + 1).fill(datasource));
      const runbook = /Runbook: (\S+\.md)/.exec(description)?.[1];
      if (runbook) expect(existsSync(join(repository, runbook)), runbook).toBe(true);
    }
  });

  it('show every metric that docs/reference/metrics.md lists', () => {
    const shown = allQueries(dashboards, rules).map(({ expr }) => expr);
    const metrics = documentedMetrics(readFileSync(join(repository, 'docs/reference/metrics.md'), 'utf8'));
    expect(metrics.length).toBeGreaterThan(0);
    expect(metrics.filter(({ name }) => !shown.some((expr) => expr.includes(name))).map(({ name }) => name)).toEqual([]);
  });
});

describe('alerts', () => {
  it('say what is wrong, how bad it is, and where the runbook is', () => {
    for (const { alert, labels, annotations } of alerts) {
      expect(labels?.severity).toMatch(/^(critical|warning)$/);
      expect([annotations?.summary, annotations?.description]).toEqual([expect.any(String), expect.any(String)]);
      expect(annotations?.runbook).toBe(`docs/runbooks/${alert}.md`);
    }
  });

  it('have a runbook each, and each runbook an alert', () => {
    expect(readdirSync(runbooks).sort()).toEqual(alertNames.map((name) => `${name}.md`));
  });

  it.each(alertNames)('the runbook of %s says what it means, who notices, how to look, what to do and when it is over', (name) => {
    const headings = readFileSync(join(runbooks, `${name}.md`), 'utf8').match(/^##? .+$/gm);
    const sections = ['What it means', 'What users see', 'How to look', 'What to do', 'When it is over'];
    expect(headings).toEqual([`# ${name}`, ...sections.map((section) => `## ${section}`)]);
  });

  it('have a case each in which they fire, and one in which they do not', () => {
    const cases = testFiles.flatMap((file) => (parse(readFileSync(join(testsDirectory, file), 'utf8')) as RuleTests).tests);
    const expected = (name: string, fires: boolean) => ({
      name: `${name} ${fires ? 'fires' : 'does not fire'}`,
      expr: `count by (alertname) (ALERTS{alertname="${name}", alertstate="firing"})`,
      samples: fires ? 1 : 0,
    });
    const found = cases.map(({ name, promql_expr_test: [only] }) => ({ name, expr: only?.expr, samples: only?.exp_samples.length }));
    const wanted = alertNames.flatMap((name) => [expected(name, true), expected(name, false)]);
    expect(found.sort(byName)).toEqual(wanted.sort(byName));
  });
});

interface RuleTests {
  readonly tests: readonly {
    readonly name: string;
    readonly promql_expr_test: readonly { readonly expr: string; readonly exp_samples: readonly unknown[] }[];
  }[];
}

const byName = (a: { readonly name: string }, b: { readonly name: string }) => (a.name < b.name ? -1 : 1);

describe.skipIf(!prometheusPath)('promtool', () => {
  const promtool = join(dirname(prometheusPath ?? ''), 'promtool');

  it('takes the rules', async () => {
    const { stdout } = await run(promtool, ['check', 'rules', ...ruleFiles]);
    expect(stdout.match(/SUCCESS/g)).toHaveLength(ruleFiles.length);
  });

  it('sees each alert fire when it should, with each label that its text names, and only then', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'tokenmesh-rule-tests-'));
    onTestFinished(() => rmSync(directory, { recursive: true }));
    const asked = new Set<string>();
    for (const file of testFiles) {
      const cases = readFileSync(join(testsDirectory, file), 'utf8').replaceAll('../rules/', `${prometheusDirectory}/rules/`);
      writeFileSync(
        join(directory, file),
        alerts.reduce((text, alert) => askForLabels(text, alert, asked), cases),
      );
    }
    expect([...asked].sort()).toEqual(alerts.map(({ alert }) => alert).sort());
    const { stdout } = await run(promtool, ['test', 'rules', ...testFiles], { cwd: directory });
    expect(stdout.match(/SUCCESS/g)).toHaveLength(testFiles.length);
  });

  /** In the case in which an alert fires, asks for one that has each label its text names: it would be left blank otherwise. Notes in `asked` where there is that case. */
  function askForLabels(cases: string, { alert = '', annotations = {} }: (typeof alerts)[number], asked: Set<string>): string {
    const names = Object.values(annotations).flatMap((text) => text.match(/(?<=\$labels\.)\w+/g) ?? []);
    const isThere = [...new Set(names)].map((name) => `, ${name}!=""`).join('');
    return cases.replace(new RegExp(`name: ${alert} fires\\n.+?ALERTS\\{alertname="${alert}"`, 's'), (found) => {
      asked.add(alert);
      return found + isThere;
    });
  }
});
