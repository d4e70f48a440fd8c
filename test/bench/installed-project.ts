import { execFile } from 'node:child_process';
import { copyFile, cp, mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const root = fileURLToPath(new URL('../..', import.meta.url));
const libraries = {
  token: 'packages/token',
  proto: 'proto',
  revocation: 'packages/revocation',
  interceptor: 'packages/interceptor',
} as const;
/** Who of ours has them, so that they are found without asking a registry. */
const others = { '@grpc/grpc-js': 'proto', '@grpc/proto-loader': 'proto', '@opentelemetry/api': 'packages/interceptor' } as const;

/**
 * A user's project with the libraries in its node_modules: as JavaScript and with the doors that their published packages have, which a program of the
 * workspace does not load.
 *
 * @param directory Of the project; made here.
 * @param programs Paths of JavaScript files, which are copied into it.
 */
export async function createInstalledProject(directory: string, programs: readonly string[]): Promise<void> {
  const modules = join(directory, 'node_modules');
  await Promise.all(Object.entries(libraries).map(([name, folder]) => install(folder, join(modules, '@tokenmesh', name))));
  for (const [name, dependent] of Object.entries(others)) {
    await mkdir(dirname(join(modules, name)), { recursive: true });
    await symlink(join(root, dependent, 'node_modules', name), join(modules, name));
  }
  for (const program of programs) await copyFile(program, join(directory, basename(program)));
}

async function install(folder: string, target: string): Promise<void> {
  const flags = ['--config', join(root, 'rolldown.config.ts'), '--dir', join(target, 'dist')];
  await promisify(execFile)(join(root, 'node_modules/.bin/rolldown'), flags, { cwd: join(root, folder) });
  // the cast holds for the manifest of every published package
  const { publishConfig, files, ...manifest } = JSON.parse(await readFile(join(root, folder, 'package.json'), 'utf8')) as {
    readonly files: readonly string[];
    readonly publishConfig: { readonly exports: object };
  };
  await writeFile(join(target, 'package.json'), JSON.stringify({ ...manifest, exports: publishConfig.exports }));
  for (const file of files.filter((name) => name !== 'dist')) await cp(join(root, folder, file), join(target, file), { recursive: true });
}
