import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { prometheusDirectory, readDashboards } from './mesh-queries.ts';

const run = promisify(execFile);
const root = fileURLToPath(new URL('..', import.meta.url));
const read = (path: string) => parse(readFileSync(join(root, path), 'utf8'), { merge: true });
const prometheusPath = process.env.TOKENMESH_PROMETHEUS;

describe.each(['collector/collector.yaml', 'jaeger/jaeger.yaml'])('deploy/%s', (file) => {
  const { service, ...sections } = read(`deploy/${file}`) as {
    readonly service: {
      readonly extensions?: readonly string[];
      readonly pipelines: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>>;
    };
    readonly [section: string]: object;
  };

  it('uses every component that it configures, and configures every one that it uses', () => {
    const configured = Object.entries(sections).flatMap(([section, components]) =>
      Object.keys(components).map((name) => `${section} ${name}`),
    );
    const inPipelines = Object.values(service.pipelines).flatMap((pipeline) =>
      Object.entries(pipeline).flatMap(([section, names]) => names.map((name) => `${section} ${name}`)),
    );
    const used = [...inPipelines, ...(service.extensions ?? []).map((name) => `extensions ${name}`)];
    expect([...new Set(used)].sort()).toEqual(configured.sort());
  });
});

describe('Grafana', () => {
  const { environment, volumes } = read('docker-compose.yml').services.grafana as {
    readonly environment: Readonly<Record<string, string>>;
    readonly volumes: readonly { readonly type: string; readonly source: string; readonly target: string }[];
  };
  const mounted = volumes.find(({ type }) => type === 'bind');
  /** Where a path in the container is in this repository. */
  const here = (path = '') => join(root, path.replace(mounted?.target ?? '', mounted?.source ?? ''));

  it('finds its provisioning where it looks for it', () => {
    const provisioning = here(environment.GF_PATHS_PROVISIONING);
    expect(readdirSync(provisioning).sort()).toEqual(['dashboards', 'datasources']);
    const [provider] = read('deploy/grafana/provisioning/dashboards/mesh.yaml').providers;
    const found = readdirSync(here(provider.options.path)).filter((file) => file.endsWith('.json'));
    expect(found.sort()).toEqual(
      readDashboards()
        .map(({ file }) => file)
        .sort(),
    );
  });

  it('asks the data sources that are provisioned, with the certificate of the mesh that is its own', () => {
    const { datasources } = read('deploy/grafana/provisioning/datasources/mesh.yaml') as {
      readonly datasources: readonly {
        readonly uid: string;
        readonly type: string;
        readonly url: string;
        readonly secureJsonData: Readonly<Record<string, string>>;
      }[];
    };
    expect(datasources.map(({ uid, type, url }) => [uid, type, new URL(url).protocol])).toEqual([
      ['prometheus', 'prometheus', 'https:'],
      ['jaeger', 'jaeger', 'https:'],
    ]);
    for (const { secureJsonData } of datasources) {
      const files = ['ca.crt', 'tls.crt', 'tls.key'].map((file) => `$__file{/run/credentials/${file}}`);
      expect(Object.values(secureJsonData)).toEqual(files);
    }
    for (const { templating } of readDashboards()) {
      expect(templating.list.find(({ name }) => name === 'datasource')).toMatchObject({ current: { value: 'prometheus' } });
    }
  });

  it('shows links and annotations as the present version writes them', () => {
    for (const { links, annotations } of readDashboards()) {
      for (const link of links) expect(Object.keys(link)).toEqual(expect.arrayContaining(['icon', 'tooltip', 'targetBlank']));
      for (const { target } of annotations.list) expect(target).toEqual({ refId: 'Anno', expr: expect.any(String) });
    }
  });
});

describe.skipIf(!prometheusPath)('promtool', () => {
  it('takes the configuration of Prometheus, whose files of rules are there', async () => {
    const promtool = join(dirname(prometheusPath ?? ''), 'promtool');
    const { stdout } = await run(promtool, ['check', 'config', '--syntax-only', join(prometheusDirectory, 'prometheus.yml')]);
    expect(stdout).toMatch(/SUCCESS/);
    const { rule_files } = read('deploy/prometheus/prometheus.yml') as { readonly rule_files: readonly string[] };
    for (const pattern of rule_files) expect(existsSync(join(prometheusDirectory, dirname(pattern))), pattern).toBe(true);
  });
});
