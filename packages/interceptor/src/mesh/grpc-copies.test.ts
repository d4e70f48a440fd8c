import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const index = new URL('../index.ts', import.meta.url).href;
const installed = dirname(createRequire(import.meta.url).resolve('@grpc/grpc-js/package.json'));

let directory: string;
let modules: string;

beforeEach(() => {
  directory = realpathSync(mkdtempSync(join(tmpdir(), 'tokenmesh-grpc-copies-')));
  modules = join(directory, 'node_modules/@grpc');
  mkdirSync(modules, { recursive: true });
});

afterEach(() => rmSync(directory, { recursive: true, force: true }));

/** A package of this name in the program's node_modules: what the check sees of a second copy. */
function installAnotherCopy(): string {
  const copy = join(modules, 'grpc-js');
  mkdirSync(copy);
  writeFileSync(join(copy, 'package.json'), JSON.stringify({ name: '@grpc/grpc-js', version: '1.14.7', main: 'index.js' }));
  writeFileSync(join(copy, 'index.js'), 'exports.Server = class {};');
  return join(copy, 'index.js');
}

/** What `createMesh` says in a program of its own, whose options get as far as the check and no further. */
function createMeshIn(imports: string): string {
  const program = join(directory, 'program.mjs');
  writeFileSync(
    program,
    `${imports}
import { createMesh } from '${index}';
await createMesh({ self: 'nobody' }).catch((error) => console.log(error.message));`,
  );
  const { stdout, stderr } = spawnSync(process.execPath, [program], { encoding: 'utf8' });
  expect(stderr).toBe('');
  return stdout;
}

describe('createMesh', () => {
  it('names both copies of grpc-js when the program loaded one of its own', () => {
    const theirs = installAnotherCopy();
    const said = createMeshIn(`import '@grpc/grpc-js';`);
    expect(said).toContain('two copies of @grpc/grpc-js');
    expect(said).toContain(theirs);
    expect(said).toContain(join(installed, 'build/src/index.js'));
  });

  it('starts when the program loaded the same copy', () => {
    symlinkSync(installed, join(modules, 'grpc-js'));
    expect(createMeshIn(`import '@grpc/grpc-js';`)).toMatch(/^not a SPIFFE ID/);
  });

  it('starts when another copy lies there and is not used', () => {
    installAnotherCopy();
    expect(createMeshIn('')).toMatch(/^not a SPIFFE ID/);
  });

  it('starts when the program has no grpc-js of its own', () => {
    expect(createMeshIn('')).toMatch(/^not a SPIFFE ID/);
  });
});
