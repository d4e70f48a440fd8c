import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';

/** The repository's root, which paths in the file are relative to. */
export const root = fileURLToPath(new URL('..', import.meta.url));
export const composePath = join(root, 'docker-compose.yml');

/** The parts of the Compose specification that docker-compose.yml uses, in the forms that it uses. */
export interface ComposeFile {
  readonly services: Readonly<Record<string, Service>>;
  readonly networks: Readonly<Record<string, { readonly internal?: boolean }>>;
  readonly volumes: Readonly<Record<string, object>>;
}

export interface Service {
  readonly profiles: readonly string[];
  readonly image: string;
  readonly build?: { readonly context: string; readonly args: { readonly SERVICE: string } };
  readonly entrypoint?: readonly string[];
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly user: string;
  readonly read_only: boolean;
  readonly init: boolean;
  readonly cap_drop: readonly string[];
  readonly security_opt: readonly string[];
  readonly restart: string;
  readonly stop_signal?: NodeJS.Signals;
  readonly stop_grace_period: string;
  readonly tmpfs: readonly string[];
  readonly deploy: {
    readonly resources: { readonly limits: { readonly cpus: string; readonly memory: string; readonly pids: number } };
  };
  readonly network_mode?: string;
  readonly networks?: readonly string[];
  readonly ports?: readonly string[];
  readonly depends_on?: Readonly<Record<string, { readonly condition: 'service_healthy' | 'service_completed_successfully' }>>;
  readonly volumes?: readonly Mount[];
  readonly healthcheck?: Healthcheck;
}

export interface Healthcheck {
  readonly test?: readonly string[];
  readonly disable?: boolean;
  readonly interval?: string;
  readonly timeout?: string;
  readonly retries?: number;
  readonly start_period?: string;
}

export interface Mount {
  readonly type: 'volume' | 'bind';
  readonly source: string;
  readonly target: string;
  readonly read_only?: boolean;
  readonly volume?: { readonly nocopy?: boolean; readonly subpath?: string };
  readonly bind?: { readonly create_host_path?: boolean };
}

/** Variables that the file asks for, each `${NAME:-default}`. */
const variable = /\$\{(\w+):-([^}]*)\}/g;

/**
 * Reads docker-compose.yml as Compose does: anchors merged, variables put in from `env` or their defaults.
 *
 * @throws {Error} A variable is in another form, which would stop Compose or leave the place empty when it is not set.
 */
export function readCompose(env: NodeJS.ProcessEnv = {}): ComposeFile {
  const text = readFileSync(composePath, 'utf8').replace(variable, (_, name: string, fallback: string) => env[name] || fallback);
  if (text.includes('$')) throw new Error(`a variable without a default in: ${/.*\$.*/.exec(text)?.[0]}`);
  return parse(text, { merge: true }) as ComposeFile; // the schema has been checked by whoever relies on it: test/compose.test.ts
}

/** Services that a profile starts, those first that others wait for. */
export function startOrder({ services }: ComposeFile, profile: string): readonly string[] {
  const order: string[] = [];
  const visit = (name: string, path: readonly string[]) => {
    if (order.includes(name)) return;
    if (path.includes(name)) throw new Error(`they wait for one another: ${[...path, name].join(' → ')}`);
    const service = services[name];
    if (!service) throw new Error(`there is no service ${name}, for which ${path.at(-1)} waits`);
    for (const dependency of Object.keys(service.depends_on ?? {})) visit(dependency, [...path, name]);
    order.push(name);
  };
  for (const [name, { profiles }] of Object.entries(services)) if (profiles.includes(profile)) visit(name, []);
  return order;
}
