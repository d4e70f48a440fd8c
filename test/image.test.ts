import { execFile } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { readCompose, root } from './compose-file.ts';

const run = promisify(execFile);
const ignored = readFileSync(join(root, '.dockerignore'), 'utf8')
  .split('\n')
  .filter((line) => line && !line.startsWith('#'));
/** Instructions of the Dockerfile, a list for each stage. */
const stages = readFileSync(join(root, 'Dockerfile'), 'utf8')
  .replace(/^#.*\n/gm, '')
  .replace(/\\\n/g, ' ')
  .split(/^(?=FROM )/m)
  .map((stage) => stage.split('\n').filter(Boolean));
const [defaults = [], install = [], final = []] = stages;
const of = (stage: readonly string[], instruction: string) =>
  stage.filter((line) => line.startsWith(`${instruction} `)).map((line) => line.slice(instruction.length + 1));

/** Whether a path is in the build context: the last pattern of .dockerignore that matches it, or a folder around it, says so. */
function isInContext(path: string): boolean {
  const folders = path.split('/').map((_, index, parts) => parts.slice(0, index + 1).join('/'));
  const last = ignored.findLast((pattern) => folders.some((folder) => globOf(pattern.replace(/^!/, '')).test(folder)));
  return last === undefined || last.startsWith('!');
}

/** As Docker reads it: a star is any part of a name, one that begins with a dot as well; two are any folders. */
function globOf(pattern: string): RegExp {
  const escaped = pattern.replace(/[.+?^${}()|[\]\\]/g, '\\$&');
  return new RegExp(`^${escaped.replace(/\*\*\/|\*/g, (stars) => (stars === '*' ? '[^/]*' : '(?:.*/)?'))}$`);
}

describe('the Dockerfile', () => {
  const directory = mkdtempSync(join(tmpdir(), 'tokenmesh-image-'));
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  it('stands on the Node of the workspace and brings its pnpm, both with exact versions', () => {
    const { nodeVersion } = parse(readFileSync(join(root, 'pnpm-workspace.yaml'), 'utf8')) as { readonly nodeVersion: string };
    expect(of(defaults, 'ARG')).toEqual([`NODE_IMAGE=node:${nodeVersion}-bookworm-slim`]);
    for (const stage of [install, final]) expect(of(stage, 'FROM')[0]).toMatch(/^\$\{NODE_IMAGE\}/);
    expect(of(install, 'RUN').join()).toMatch(/pnpm@\d+\.\d+\.\d+ install --prod --frozen-lockfile /);
  });

  it('ends as nobody in particular, takes no secret as an argument, and has a healthcheck whose program is in it', () => {
    expect(of(final, 'USER')).toEqual(['1000:1000']);
    expect([...of(defaults, 'ARG'), ...of(install, 'ARG'), ...of(final, 'ARG')]).toEqual([
      expect.stringContaining('NODE_IMAGE='),
      'SERVICE',
    ]);
    const [, command = '[]'] = /CMD (\[.*\])$/.exec(of(final, 'HEALTHCHECK')[0] ?? '') ?? [];
    expect(JSON.parse(command)).toEqual(readCompose().services.gateway?.healthcheck?.test?.slice(1));
    expect(existsSync(join(root, JSON.parse(command)[1]))).toBe(true);
  });

  it('gets neither secrets nor tests nor what is installed on this machine', () => {
    for (const path of ['services/shop/src/main.ts', 'packages/cli/package.json', 'proto/shop/v1/gateway.proto', 'pnpm-lock.yaml']) {
      expect(isInContext(path), path).toBe(true);
    }
    const others = [
      '.git/config',
      'test/pack.ts',
      'node_modules/pg/package.json',
      'services/shop/node_modules/x/y.js',
      'services/shop/tls.key',
    ];
    for (const path of [
      ...others,
      'services/shop/.env',
      'packages/cli/dist/main.js',
      'services/shop/src/orders.test.ts',
      'deploy/nats/users.conf',
    ]) {
      expect(isInContext(path), path).toBe(false);
    }
  });

  it.each([
    ['token-exchange', ['services/token-exchange/src/main.ts', '--help'], 'Usage: token-exchange'],
    ['shop', ['services/shop/compose/main.ts', '--help'], 'Usage: main.ts --credentials'],
  ])('installs what %s needs and no more, so that it starts', async (service, command, says) => {
    const image = join(directory, service);
    const named = (text: string) => text.replace(/\$\{SERVICE\}/g, service);
    for (const line of of(install, 'COPY')) {
      const sources = named(line).split(' ');
      const target = sources.pop() ?? '';
      for (const source of sources) {
        const to = target.endsWith('/') ? join(image, target, source) : join(image, target);
        mkdirSync(join(to, '..'), { recursive: true });
        cpSync(join(root, source), to, { recursive: true, filter: (path) => isInContext(relative(root, path)) });
      }
    }
    for (const line of of(install, 'RUN')) await run('sh', ['-c', named(line)], { cwd: image });

    expect(readdirSync(join(image, 'services'))).toEqual([service]);
    const installed = readdirSync(join(image, 'node_modules/.pnpm'));
    for (const name of ['vitest', 'typescript', '@biomejs+biome', 'fast-check', 'dclint']) {
      expect(
        installed.filter((entry) => entry.startsWith(`${name}@`)),
        name,
      ).toEqual([]);
    }
    const env = { PATH: process.env.PATH };
    expect((await run(process.execPath, command, { cwd: image, env })).stdout).toContain(says);
    const health = run(process.execPath, ['packages/cli/src/main.ts', 'health', 'localhost:1'], { cwd: image, env });
    await expect(health).rejects.toMatchObject({ code: 1, stderr: expect.stringContaining('ECONNREFUSED') });
  });
});
