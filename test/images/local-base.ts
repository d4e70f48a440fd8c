import { execFileSync } from 'node:child_process';
import { chmodSync, copyFileSync, cpSync, existsSync, mkdirSync, readdirSync, realpathSync, symlinkSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';

/** What the Dockerfile's instructions run, and what looks at the result. */
const programs = ['sh', 'env', 'install', 'id', 'test'];
/** Loaded by name at run time, so that no program's list of libraries has them. */
const libraries = /^(?:lib(?:rt|pthread|dl|m|resolv|nss_dns|nss_files|gcc_s|stdc\+\+)\.so|ld-linux)/;

/**
 * Lays out the root of a file system that takes the place of the official image of Node: the Node that runs this, npm, a shell and a few programs of this
 * machine with their libraries, and the users root and node. For Linux with glibc.
 */
export function layOutLocalBase(root: string): void {
  for (const directory of [
    'usr/bin',
    'usr/lib',
    'usr/local/bin',
    'usr/local/lib',
    'etc/ssl/certs',
    'root',
    'home/node',
    'proc',
    'sys',
    'dev',
    'var/tmp',
    'tmp',
  ]) {
    mkdirSync(join(root, directory), { recursive: true });
  }
  chmodSync(join(root, 'tmp'), 0o1777);
  symlinkSync('usr/bin', join(root, 'bin'));
  symlinkSync('usr/lib', join(root, 'lib'));

  copyFileSync(realpathSync(process.execPath), join(root, 'usr/local/bin/node'));
  for (const program of programs) copyFileSync(realpathSync(onPath(program)), join(root, 'usr/bin', program));
  const copied = [join(root, 'usr/local/bin/node'), ...programs.map((program) => join(root, 'usr/bin', program))];
  const needed = new Set(copied.flatMap((program) => librariesOf(program)));
  const folder = dirname([...needed].find((path) => path.includes('libc.so')) ?? '/lib/libc.so');
  for (const name of readdirSync(folder)) if (libraries.test(name)) needed.add(join(folder, name));
  for (const library of needed) copyInto(root, library);

  // npx is a script of npm's
  const npm = join(dirname(realpathSync(onPath('npx'))), '..');
  cpSync(npm, join(root, 'usr/local/lib/npm'), { recursive: true, dereference: true });
  writeFileSync(join(root, 'usr/local/bin/npx'), '#!/bin/sh\nexec node /usr/local/lib/npm/bin/npx-cli.js "$@"\n', { mode: 0o755 });

  const authorities = '/etc/ssl/certs/ca-certificates.crt';
  if (existsSync(authorities)) copyFileSync(realpathSync(authorities), join(root, authorities));
  writeFileSync(join(root, 'etc/passwd'), 'root:x:0:0::/root:/bin/sh\nnode:x:1000:1000::/home/node:/bin/sh\n');
  writeFileSync(join(root, 'etc/group'), 'root:x:0:\nnode:x:1000:\n');
}

function onPath(program: string): string {
  const found = (process.env.PATH ?? '').split(delimiter).find((directory) => directory !== '' && existsSync(join(directory, program)));
  if (found === undefined) throw new Error(`there is no ${program} on this machine`);
  return join(found, program);
}

function librariesOf(program: string): readonly string[] {
  const listed = execFileSync('ldd', [program], { encoding: 'utf8' });
  return listed.match(/\/\S+\.so\S*/g) ?? [];
}

function copyInto(root: string, path: string): void {
  const target = join(root, path);
  if (existsSync(target)) return;
  mkdirSync(dirname(target), { recursive: true });
  copyFileSync(realpathSync(path), target);
}
