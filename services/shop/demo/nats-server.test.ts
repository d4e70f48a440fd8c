import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type FindNatsServerOptions, findNatsServer } from './nats-server.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'tokenmesh-find-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

/** Without this machine's own directories. */
const find = (options: FindNatsServerOptions) => findNatsServer({ directories: [], ...options });

const shellOnly = '/usr/bin:/bin'; // for what the scripts below call

function program(name: string, script: string): string {
  const path = join(directory, name);
  writeFileSync(path, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  return path;
}

/** An apt-get that says what it was asked, and whose install puts a nats-server beside it. */
const aptGet = (then = '') =>
  program(
    'apt-get',
    `PATH=${shellOnly}\necho "$*" >> "${directory}/asked"\n${then}
     case "$1" in install) printf '#!/bin/sh\\necho nats-server: v2.9.10\\n' > "${directory}/nats-server"; chmod 755 "${directory}/nats-server";; esac`,
  );

test('takes the program that TOKENMESH_NATS_SERVER names before the one on PATH', async () => {
  program('nats-server', 'echo nats-server: v2.9.10');
  const named = program('mine', 'echo nats-server: v2.12.7-RC.1');
  expect(await find({ env: { PATH: directory, TOKENMESH_NATS_SERVER: named } })).toEqual({ path: named, version: '2.12.7-RC.1' });
});

test('does not replace a named program that does not run', async () => {
  program('nats-server', 'echo nats-server: v2.9.10');
  const env = { PATH: directory, TOKENMESH_NATS_SERVER: join(directory, 'absent') };
  expect(await find({ env })).toEqual({
    path: undefined,
    reason: expect.stringMatching(/^TOKENMESH_NATS_SERVER does not run: .*ENOENT/),
  });
});

test('takes the first nats-server on PATH', async () => {
  const path = program('nats-server', 'echo nats-server: v2.9.10');
  expect(await find({ env: { PATH: `/nowhere:${directory}` } })).toEqual({ path, version: '2.9.10' });
});

test('looks where Debian puts servers after PATH', async () => {
  const path = program('nats-server', 'echo nats-server: v2.9.10');
  expect(await findNatsServer({ env: { PATH: '/nowhere' }, directories: [directory] })).toEqual({ path, version: '2.9.10' });
});

test('refuses a program of that name which does not tell its version as nats-server does', async () => {
  program('nats-server', 'echo hello');
  expect(await find({ env: { PATH: directory } })).toMatchObject({
    path: undefined,
    reason: expect.stringContaining('--version'),
  });
});

test('installs Debian’s package after an update, and says so before', async () => {
  aptGet();
  const reports: string[] = [];
  const found = await find({ env: { PATH: directory }, mayInstall: true, report: (what) => reports.push(what) });
  expect(found).toEqual({ path: join(directory, 'nats-server'), version: '2.9.10' });
  expect(reports).toEqual([expect.stringContaining('installing')]);
  expect(readFileSync(join(directory, 'asked'), 'utf8').trim().split('\n')).toEqual([
    'update -qq',
    'install -y -qq --no-install-recommends nats-server',
  ]);
});

test('gives the reason when apt-get fails', async () => {
  aptGet('exit 100');
  const env = { PATH: directory };
  expect(await find({ env, mayInstall: true })).toMatchObject({
    path: undefined,
    reason: expect.stringMatching(/^apt-get could not install/),
  });
});

test.each([
  ['TOKENMESH_NO_INSTALL=1', { TOKENMESH_NO_INSTALL: '1' }, true],
  ['a user who may not', {}, false],
])('does not install for %s', async (_, extra, mayInstall) => {
  aptGet();
  const found = await find({ env: { PATH: directory, ...extra }, mayInstall });
  expect(found).toMatchObject({ path: undefined, reason: expect.stringContaining('none on this machine') });
  expect(existsSync(join(directory, 'asked'))).toBe(false);
});
