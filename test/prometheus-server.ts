import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type ManagedProcess, startProcess } from '@tokenmesh/shop/demo';
import { parse, stringify } from 'yaml';
import { prometheusDirectory } from './mesh-queries.ts';
import { metricsUrl } from './scraped-metrics.ts';

/** One time series of an answer. */
export interface Sample {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: number;
}

/** The configuration of deploy/prometheus, with other targets, and scraped so often that a test need not wait. */
export async function startPrometheus(options: {
  readonly path: string;
  readonly directory: string;
  /** Processes by the job that scrapes them. Jobs that are not named are left out. */
  readonly jobs: Readonly<Record<string, readonly ManagedProcess[]>>;
}): Promise<ManagedProcess> {
  const { path, directory, jobs } = options;
  const deployed: { rule_files: readonly string[]; scrape_configs: readonly { job_name: string }[] } = parse(
    readFileSync(join(prometheusDirectory, 'prometheus.yml'), 'utf8'),
  );
  const configFile = join(directory, 'prometheus.yml');
  const config = {
    global: { scrape_interval: '500ms', scrape_timeout: '400ms', evaluation_interval: '500ms' },
    rule_files: deployed.rule_files.map((file) => join(prometheusDirectory, file)),
    scrape_configs: deployed.scrape_configs
      .filter(({ job_name }) => jobs[job_name])
      .map((job) => {
        const targets = jobs[job.job_name]?.map((managed) => new URL(metricsUrl(managed)).host);
        return { ...job, static_configs: [{ targets }] };
      }),
  };
  writeFileSync(configFile, stringify(config));
  const settings = [`--config.file=${configFile}`, `--storage.tsdb.path=${join(directory, 'prometheus')}`];
  return await startProcess({
    name: 'prometheus',
    kind: 'program',
    logFile: join(directory, 'prometheus.log'),
    command: (port) => ({ file: path, args: [...settings, `--web.listen-address=127.0.0.1:${port}`] }),
    read: (line) => {
      const port = /"?Listening on"? address=127\.0\.0\.1:(\d+)/.exec(line)?.[1];
      if (port) return { port: Number(port) };
      return line.includes('Server is ready to receive web requests') ? { ready: true } : undefined;
    },
  });
}

/**
 * What Prometheus answers to a query now; no samples: nothing.
 *
 * @throws {Error} It is no query, or asks for no instant vector.
 */
export async function query(prometheus: ManagedProcess, expr: string): Promise<readonly Sample[]> {
  const url = `http://127.0.0.1:${prometheus.port}/api/v1/query`;
  const response = await fetch(url, { method: 'POST', body: new URLSearchParams({ query: expr }) });
  const { data, error } = (await response.json()) as QueryAnswer;
  if (data?.resultType !== 'vector') throw new Error(`${expr}: ${error ?? data?.resultType}`);
  return data.result.map(({ metric, value: [, value] }) => ({ metric, value: Number(value) }));
}

/** Of Prometheus's HTTP API. */
interface QueryAnswer {
  readonly error?: string;
  readonly data?: {
    readonly resultType: string;
    readonly result: readonly { readonly metric: Sample['metric']; readonly value: readonly [number, string] }[];
  };
}
