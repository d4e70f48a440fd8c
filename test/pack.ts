import { execFile } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const root = fileURLToPath(new URL('..', import.meta.url));

/** The packages that users install, by the folder that each has in the repository; what one needs comes before it. */
export const published = new Map([
  ['@tokenmesh/token', 'packages/token'],
  ['@tokenmesh/proto', 'proto'],
  ['@tokenmesh/revocation', 'packages/revocation'],
  ['@tokenmesh/interceptor', 'packages/interceptor'],
  ['@tokenmesh/cli', 'packages/cli'],
]);

/** Runs pnpm as README.md does. What is installed in the workspace is left as it is. */
export async function pnpm(directory: string, ...args: readonly string[]): Promise<void> {
  const env = { ...process.env, pnpm_config_verify_deps_before_run: 'false' };
  try {
    await run('npx', ['-y', 'pnpm@12', ...args], { cwd: directory, env });
  } catch (error) {
    // execFile rejects with both outputs; pnpm tells its errors on either
    const { stdout, stderr } = error as { readonly stdout?: string; readonly stderr?: string };
    throw new Error(`pnpm ${args.join(' ')}\n${stdout}${stderr}`, { cause: error });
  }
}

/**
 * Builds the published packages and packs them as `pnpm publish` would.
 *
 * @returns The tarball of each package, by its name.
 */
export async function packPublished(directory: string): Promise<ReadonlyMap<string, string>> {
  await pnpm(root, 'build');
  const filters = [...published.keys()].flatMap((name) => ['--filter', name]);
  await pnpm(root, '--recursive', ...filters, 'pack', '--pack-destination', directory);
  const files = readdirSync(directory);
  return new Map(
    [...published.keys()].map((name) => {
      const prefix = `${name.slice(1).replace('/', '-')}-`;
      const tarball = files.find((file) => file.startsWith(prefix) && file.endsWith('.tgz'));
      if (!tarball) throw new Error(`${name} was not packed`);
      return [name, join(directory, tarball)];
    }),
  );
}
