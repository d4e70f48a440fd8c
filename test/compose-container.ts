import { type ExecFileOptions, execFile } from 'node:child_process';
import { chownSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type ComposeFile, type Mount, root, type Service } from './compose-file.ts';

const run = promisify(execFile);

/** What a container is made of, for a process of this machine: where its files are, and where it and others listen. */
export interface Container {
  readonly name: string;
  readonly service: Service;
  /** What it runs, first the program. */
  readonly command: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  /** Where a path of the container is. */
  path(inside: string): string;
  /** A text of the container as it reads here. */
  translate(text: string): string;
}

export interface ContainerHost {
  readonly compose: ComposeFile;
  /** Gets the volumes, and the files of each container. */
  readonly directory: string;
  /** The port here of a port of a container; the same each time. */
  portOf(name: string, inside: number): number;
  /** Whom the files of a container have to belong to, when that is somebody else. */
  readonly ownerOf?: (name: string) => { readonly uid: number; readonly gid: number } | undefined;
  /** Changes a file that is mounted read-only, after it was translated. Default: none. */
  readonly edit?: (name: string, path: string, text: string) => string;
}

/**
 * Lays out the files of a container as its mounts say. What it mounts read-only is a copy in which paths and addresses are those of this machine; what it
 * may write is the volume itself.
 */
export function createContainer(name: string, host: ContainerHost): Container {
  const service = host.compose.services[name];
  if (!service) throw new Error(`there is no service ${name}`);
  const directory = join(host.directory, 'containers', name);
  const inside = (path: string) => join(directory, path);
  const mounts = service.volumes ?? [];
  const places = new Map<string, string>([
    ...mounts.map((mount) => [mount.target, mount.read_only ? inside(mount.target) : sourceOf(mount, host.directory)] as const),
    ...service.tmpfs.map((entry) => [entry.split(':')[0] ?? '', inside(entry.split(':')[0] ?? '')] as const),
  ]);
  const targets = [...places.keys()].sort((a, b) => b.length - a.length);
  const anyTarget = new RegExp(`(?<![\\w/.-])(?:${targets.join('|')})(?![\\w.-])`, 'g');
  const hosts = [...Object.keys(host.compose.services), '0\\.0\\.0\\.0', '127\\.0\\.0\\.1', 'localhost'];
  const anyAddress = new RegExp(`(?<![\\w.-])(${hosts.join('|')}):(\\d{2,5})(?!\\d)`, 'g');

  const translate = (text: string) =>
    text
      .replace(anyTarget, (target) => places.get(target) ?? target)
      .replace(anyAddress, (_, called: string, port: string) => {
        const isSelf = called === 'localhost' || !(called in host.compose.services);
        const shown = isSelf && called !== 'localhost' ? '127.0.0.1' : 'localhost';
        return `${shown}:${host.portOf(isSelf ? name : called, Number(port))}`;
      });

  for (const mount of mounts) {
    const source = sourceOf(mount, host.directory);
    if (!existsSync(source)) throw new Error(`${name}: ${source} is to be mounted and is not there`);
    // who has no network only passes files on, in which addresses mean something to others
    const change = service.network_mode === 'none' ? String : translate;
    if (mount.read_only)
      copyTranslated(source, inside(mount.target), (path, text) => host.edit?.(name, path, change(text)) ?? change(text));
  }
  for (const entry of service.tmpfs) mkdirSync(inside(entry.split(':')[0] ?? ''), { recursive: true });
  const owner = host.ownerOf?.(name);
  if (owner) for (const place of [directory, ...places.values()]) chownAll(place, owner);

  return {
    name,
    service,
    command: [
      ...(service.entrypoint?.map(translate) ?? (service.build ? [process.execPath] : [])),
      ...(service.command ?? []).map(translate),
    ],
    env: Object.fromEntries(Object.entries(service.environment ?? {}).map(([key, value]) => [key, translate(String(value))])),
    path: (path) => path.replace(anyTarget, (target) => places.get(target) ?? target),
    translate,
  };
}

/** Runs the container's healthcheck once. @throws {Error} It failed. */
export async function checkHealth({ service, translate, env }: Container, options: ExecFileOptions): Promise<void> {
  const [kind, program = '', ...args] = (service.healthcheck?.test ?? []).map(translate);
  if (kind !== 'CMD') throw new Error(`a healthcheck begins with ${kind}`);
  if (program === 'wget') {
    // busybox's, of the image; its last argument is the URL
    const { status } = await fetch(String(args.at(-1)));
    if (status !== 200) throw new Error(`${args.at(-1)} answers ${status}`);
    return;
  }
  await run(program === 'node' ? process.execPath : program, args, { ...options, env: { ...options.env, ...env } });
}

/** Where on this machine is what a container mounts. */
export function sourceOf({ type, source, volume }: Mount, directory: string): string {
  return type === 'bind' ? join(root, source) : join(directory, 'volumes', source, volume?.subpath ?? '');
}

/** Whether a file is one that names paths and addresses. */
export const isConfiguration = (path: string): boolean => /\.(conf|yaml|yml|url|sql)$/.test(path);

function copyTranslated(source: string, target: string, change: (path: string, text: string) => string): void {
  if (statSync(source).isFile()) {
    mkdirSync(join(target, '..'), { recursive: true });
    cpSync(source, target);
    if (isConfiguration(source)) writeFileSync(target, change(source, readFileSync(source, 'utf8')));
    return;
  }
  mkdirSync(target, { recursive: true });
  for (const entry of readdirSync(source)) copyTranslated(join(source, entry), join(target, entry), change);
}

function chownAll(path: string, owner: { readonly uid: number; readonly gid: number }): void {
  chownSync(path, owner.uid, owner.gid);
  if (statSync(path).isDirectory()) for (const entry of readdirSync(path)) chownAll(join(path, entry), owner);
}
