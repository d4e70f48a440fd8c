import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import {
  createCertificateAuthority,
  type ManagedProcess,
  spiffeId,
  startProcess,
  startTokenExchange,
  trustDomain,
  writeWorkloadFiles,
} from '@tokenmesh/shop/demo';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findUndocumented } from './doc-comments.ts';
import { fencedFiles } from './fenced-files.ts';
import { packPublished, pnpm, published } from './pack.ts';
import { tokensIn } from './tokens-in.ts';

const run = promisify(execFile);
const root = fileURLToPath(new URL('..', import.meta.url));
const bin = (name: string) => join(root, 'node_modules/.bin', name);
const names = [...published.keys()];
/** Entry points that only the workspace has: support for our own tests, and the sample. */
const atHome = ['@tokenmesh/proto/otlp', '@tokenmesh/proto/shop', '@tokenmesh/token/test-certificate', '@tokenmesh/cli/test-mesh-nats'];

/** A program of its own, and not what a service imports: it brings what the libraries leave to their users. */
const command = '@tokenmesh/cli';

const directory = realpathSync(mkdtempSync(join(tmpdir(), 'tokenmesh-published-')));
/** A user's project: the files of docs/start.md, and the packages as they come out of their tarballs. */
const project = join(directory, 'project');
const start = fencedFiles(readFileSync(join(root, 'docs/start.md'), 'utf8'));
let tarballs: ReadonlyMap<string, string>;

beforeAll(async () => {
  tarballs = await packPublished(directory);
  await createProject();
}, 180_000);

afterAll(() => rmSync(directory, { recursive: true, force: true }));

async function createProject(): Promise<void> {
  const tarball = (name: string) => `file:${tarballs.get(name)}`;
  const third = (folder: string, ...packages: string[]) =>
    packages.map((name) => [name, manifestOf(join(root, folder, 'node_modules', name)).version]);
  mkdirSync(project);
  const manifest = {
    type: 'module',
    dependencies: Object.fromEntries([
      ...names.map((name) => [name, tarball(name)]),
      ...third('packages/interceptor', '@grpc/grpc-js', '@opentelemetry/api'),
      ...third('proto', '@grpc/proto-loader'),
    ]),
    devDependencies: Object.fromEntries(third('.', '@types/node')),
  };
  // the packages are in no registry, so that what one needs of another is said here
  const settings = { overrides: Object.fromEntries(names.map((name) => [name, tarball(name)])), allowBuilds: { protobufjs: false } };
  const compiler = { module: 'nodenext', target: 'esnext', types: ['node'], strict: true, noEmit: true, allowImportingTsExtensions: true };
  const files = {
    ...{ 'package.json': JSON.stringify(manifest), 'pnpm-workspace.yaml': JSON.stringify(settings) },
    ...{ 'tsconfig.json': JSON.stringify({ compilerOptions: compiler }), 'every-door.ts': importOfEveryDoor(), 'one-class.ts': oneClass },
    ...Object.fromEntries([...start, ...sketches()]),
    'mistakes.ts': mistakes,
  };
  for (const [name, text] of Object.entries(files)) writeFileSync(join(project, name), text);
  await pnpm(project, 'install', '--prefer-offline', '--no-frozen-lockfile');
  await run('sh', ['-euc', start.get('generate') ?? 'exit 1'], { cwd: project });
}

/** What the READMEs show, with the names that they leave to the reader. */
function sketches(): readonly (readonly [string, string])[] {
  const left = `import { Server } from '@grpc/grpc-js';
import type { ServerUnaryCall } from '@grpc/grpc-js';
import { Payments, paymentsPackage } from './contract.ts';
const shop = { Payments }, Orders = Payments, shopPackage = paymentsPackage;
declare const self: string, keyFile: string, ca: string, caFile: string, certificate: { cert: string; key: string };
declare const call: ServerUnaryCall<unknown, unknown>, request: { amount_cents: number };
`;
  return ['README.md', 'packages/interceptor/README.md', 'packages/token/README.md'].flatMap((readme) =>
    [...fencedFiles(readFileSync(join(root, readme), 'utf8'))].map(([name, text]) => [name, left + text] as const),
  );
}

/** Wrong, unless types were lost on the way: then the compiler says that no mistake is there. */
const mistakes = `import type { MeshOptions } from '@tokenmesh/interceptor';
import { tokenmesh } from '@tokenmesh/proto';
// @ts-expect-error: a text
export const self: MeshOptions['self'] = 5;
// @ts-expect-error: no service of ours
export const { Nobody } = tokenmesh;
`;

/** Errors that are thrown behind one door and looked at behind another. Writes for each whether it is known there. */
const oneClass = `import { status } from '@grpc/grpc-js';
import { openEvent, PositionGoneError } from '@tokenmesh/revocation';
import { grpcRecord } from '@tokenmesh/revocation/grpc';
import { createMemoryRecord } from '@tokenmesh/revocation/testing';
import { TokenError } from '@tokenmesh/token';
type Refuse = (error: object) => void;
const refuse = (_request: object, _options: object, callback: Refuse) => void queueMicrotask(() => callback({ code: status.OUT_OF_RANGE }));
const record = grpcRecord({ ListEvents: refuse } as never);
const causes = [
  [PositionGoneError, () => record.listEvents({ epoch: 'e1', n: 1 })],
  [PositionGoneError, () => createMemoryRecord().listEvents({ epoch: 'e0', n: 1 })],
  [TokenError, async () => openEvent('', new Map(), { issuer: '', mesh: '' })],
] as const;
for (const [known, cause] of causes) await cause().catch((error: unknown) => console.log(error instanceof known));
`;

/** A file that uses every entry point, but for package.json. */
function importOfEveryDoor(): string {
  return names
    .flatMap(doorsOf)
    .map(
      (door, index) =>
        `import * as door${index} from '${door}';\nconsole.log(Object.keys(door${index}).length > 0, import.meta.resolve('${door}'));\n`,
    )
    .join('');
}

/** What the package can be imported by, as its package.json in the repository says it for the tarball. */
function doorsOf(name: string): string[] {
  const { publishConfig } = manifestOf(join(root, published.get(name) ?? ''));
  return Object.keys(publishConfig.exports)
    .filter((door) => door !== './package.json')
    .map((door) => name + door.slice(1));
}

/** Its modules, `src/….ts`, but for those of its tests. */
function modulesOf(name: string): string[] {
  const files = filesIn(join(root, published.get(name) ?? '', 'src'));
  return files.filter((file) => /(?<!\.test)\.ts$/.test(file) && !file.startsWith('test-')).map((file) => `src/${file}`);
}

/** What the JavaScript of the package may be in: what its doors and its command open, and what they share. */
function scriptsOf(name: string): string[] {
  const { exports, bin } = manifestOf(installed(name));
  const opened = [...Object.values(exports).flatMap((door) => door.default ?? []), ...Object.values(bin ?? {})];
  return [...opened.map((script) => script.slice('./'.length)), 'dist/shared.js'];
}

interface SourceMap {
  /** Relative to the map. */
  readonly sources: readonly string[];
  readonly sourcesContent: readonly string[];
}

interface Manifest {
  readonly version: string;
  readonly private?: boolean;
  readonly license: string;
  readonly engines: { readonly node: string };
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly bin?: Readonly<Record<string, string>>;
  readonly exports: Readonly<Record<string, { readonly types: string; readonly default: string }>>;
  readonly publishConfig: { readonly exports: Readonly<Record<string, unknown>> };
}

function manifestOf(folder: string): Manifest {
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest;
}

const installed = (name: string) => realpathSync(join(project, 'node_modules', name));

describe.each(names)('%s', (name) => {
  it('has nothing that publint would change', async () => {
    const { stdout } = await run(bin('publint'), ['run', '--strict', tarballs.get(name) ?? '']);
    expect(stdout).toContain('All good!');
  });

  it('has types where ESM looks for them', async () => {
    const { stdout } = await run(bin('attw'), ['--profile', 'esm-only', '--format', 'json', tarballs.get(name) ?? '']);
    const { analysis } = JSON.parse(stdout) as { readonly analysis: { readonly entrypoints: object; readonly types: object | false } };
    expect(analysis.types).toEqual({ kind: 'included' });
    expect(Object.keys(analysis.entrypoints).map((door) => name + door.slice(1))).toEqual([...doorsOf(name), `${name}/package.json`]);
  });

  it('opens the doors that the workspace has, but for those to our own tests', () => {
    const { exports } = manifestOf(join(root, published.get(name) ?? ''));
    const inWorkspace = Object.keys(exports).map((door) => name + door.slice(1));
    expect(doorsOf(name).sort()).toEqual(inWorkspace.filter((door) => !atHome.includes(door)).sort());
  });

  it('holds a script for each door and one that they share, declarations, the contract and a licence, and nothing of this machine', () => {
    const folder = installed(name);
    const sources = modulesOf(name).map((file) => file.slice('src/'.length).replace(/\.ts$/, ''));
    const files = filesIn(folder).filter((file) => !file.startsWith('node_modules/'));
    const strangers = files.filter((file) => {
      if (['package.json', 'README.md', 'LICENSE'].includes(file)) return false;
      if (name === '@tokenmesh/proto' && /^(?:tokenmesh|google)\/.*\.proto$/.test(file)) return false;
      const script = /^dist\/.*?\.js(?=(?:\.map)?$)/.exec(file)?.[0];
      if (script !== undefined) return !scriptsOf(name).includes(script);
      const declared = /^dist\/(.*?)\.d\.ts$/.exec(file)?.[1];
      return declared === undefined || !sources.includes(declared);
    });
    expect(strangers).toEqual([]);
    expect(files).toEqual(expect.arrayContaining(['package.json', 'README.md', 'LICENSE', 'dist/index.js', 'dist/index.d.ts']));
    const texts = files.map((file) => [file, readFileSync(join(folder, file), 'utf8')] as const);
    expect(texts.flatMap(([file, text]) => (text.includes(root) || text.includes(directory) ? [file] : []))).toEqual([]);
  });

  it('has each of its modules in one script, so that all doors lead to the same classes, with its source, and no module of others', () => {
    const folder = installed(name);
    const maps = filesIn(folder).filter((file) => /^dist\/.*\.js\.map$/.test(file));
    const modules = maps.flatMap((file) => {
      const { sources, sourcesContent } = JSON.parse(readFileSync(join(folder, file), 'utf8')) as SourceMap;
      return sources.map((source, index) => [join(dirname(file), source), sourcesContent[index]] as const);
    });
    const paths = modules.map(([path]) => path);
    const ours = modules.filter(([path]) => modulesOf(name).includes(path));
    expect(paths.toSorted()).toEqual([...new Set(paths)].toSorted());
    expect(
      paths.filter((path) => ![...modulesOf(name), 'package.json', 'src/gen/members.json', 'src/gen/tokenmesh.json'].includes(path)),
    ).toEqual([]);
    expect(ours).toEqual(ours.map(([path]) => [path, readFileSync(join(root, published.get(name) ?? '', path), 'utf8')]));
    expect(ours).not.toEqual([]);
  });

  it('imports nothing but its own scripts, what it says it needs, and Node', () => {
    const folder = installed(name);
    const { dependencies, peerDependencies } = manifestOf(folder);
    const needs = Object.keys({ ...dependencies, ...peerDependencies });
    const scripts = filesIn(folder).filter((file) => scriptsOf(name).includes(file));
    const imported = scripts.flatMap((file) => {
      const lines = readFileSync(join(folder, file), 'utf8').matchAll(/^(?:import|export)\b.*?"(.+)";$|\bimport\("(.+?)"\)/gm);
      const names = [...lines].map(([, statically, dynamically]) => statically ?? dynamically ?? '');
      return names.map((from) => (from.startsWith('.') ? join(dirname(file), from) : from));
    });
    expect(imported).not.toEqual([]);
    const known = (from: string) =>
      from.startsWith('node:') || scripts.includes(from) || needs.some((need) => `${from}/`.startsWith(`${need}/`));
    expect(imported.filter((from) => !known(from))).toEqual([]);
  });

  it('says what it needs, in versions that a registry knows', () => {
    const manifest = manifestOf(installed(name));
    expect(manifest).toMatchObject({ license: 'Apache-2.0', engines: { node: '>=24.14.1' } });
    expect(manifest.private).toBeUndefined();
    const needs = { ...manifest.dependencies, ...manifest.peerDependencies };
    expect(Object.entries(needs).filter(([, version]) => !/^\^?\d+\.\d+\.\d+$/.test(version))).toEqual([]);
    if (name === command) return;
    expect(Object.keys(manifest.dependencies ?? {}).length).toBeLessThanOrEqual(4);
    expect(Object.keys(manifest.dependencies ?? {})).not.toContain('@grpc/grpc-js');
  });

  it('says of everything that it exports what it is', () => {
    const folder = installed(name);
    const entries = Object.values(manifestOf(folder).exports).flatMap(({ types }) => types ?? []);
    expect(entries).not.toEqual([]);
    expect(entries.flatMap((entry) => findUndocumented(join(folder, entry)))).toEqual([]);
  });
});

/** Paths of all files below a folder, relative to it. */
function filesIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1));
}

describe('a project outside the workspace', () => {
  it('type-checks docs/start.md, what the READMEs show, and every entry point: strictly, with all typings, and noticing mistakes', async () => {
    const { stdout } = await run(bin('tsc'), ['-p', project]).catch((error: { readonly stdout: string }) => error);
    expect(stdout).toBe('');
  });

  it('gets JavaScript out of node_modules through every entry point', async () => {
    const { stdout, stderr } = await run(process.execPath, ['every-door.ts'], { cwd: project });
    expect(stderr).toBe('');
    const lines = stdout.trimEnd().split('\n');
    expect(lines).toHaveLength(names.flatMap(doorsOf).length);
    for (const line of lines) expect(line).toMatch(/^true file:\/\/.*\/node_modules\/.*\/dist\/[\w/]+\.js$/);
    expect(lines.filter((line) => !line.includes(project))).toEqual([]);
  });

  it('knows what is thrown behind another entry point, and in another package', async () => {
    const { stdout } = await run(process.execPath, ['one-class.ts'], { cwd: project });
    expect(stdout).toBe('true\n'.repeat(3));
  });

  it('gets a command that looks for what it is told to', async () => {
    const tokenmesh = join(project, 'node_modules/.bin/tokenmesh');
    const { stdout } = await run(tokenmesh, ['--version']);
    expect(stdout.trimEnd()).toBe(manifestOf(installed(command)).version);
    const doctor = run(tokenmesh, ['doctor', '--nats', '127.0.0.1:1', '--mesh', trustDomain, '-o', 'json']);
    const refused = await doctor.catch((error: { readonly code: number; readonly stdout: string }) => error);
    expect(refused).toMatchObject({ code: 1, stdout: expect.stringContaining('ECONNREFUSED') });
  });

  it('passes the test of docs/start.md under node --test', async () => {
    const args = ['--test', '--test-isolation=none', '--test-reporter=tap'];
    const told = run(process.execPath, args, { cwd: project, env: { PATH: process.env.PATH }, timeout: 25_000 });
    const { stdout } = await told.catch((error: { readonly stdout: string }) => error);
    expect(stdout).toMatch(/^# pass 1$/m);
    expect(stdout).toMatch(/^# fail 0$/m);
    expect(tokensIn(stdout)).toEqual([]);
  });

  it('runs docs/start.md: a call over TLS, verified, and refused once its workload is suspended', async () => {
    await using stack = new AsyncDisposableStack();
    const tokenExchange = await startExchange(stack);
    const TOKEN_EXCHANGE = `localhost:${tokenExchange.port}`;
    const payments = await startPayments(stack, TOKEN_EXCHANGE);
    const env = { PATH: process.env.PATH, TOKEN_EXCHANGE, PAYMENTS: `localhost:${payments.port}` };
    const program = (file: string) => run(process.execPath, [file], { cwd: project, env });

    expect((await program('orders.ts')).stdout).toBe('charged by spiffe://shop.test/orders\n');
    expect(payments.output.stdout).toMatch(/^spiffe:\/\/shop\.test\/orders charges 1200 with payments\.charge in \S+$/m);
    expect((await program('operator.ts')).stdout).toMatch(/^orders is suspended, at position [1-9]\d* of the log$/m);
    const refused = await program('orders.ts').catch((error: { readonly code: number; readonly stderr: string }) => error);
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringMatching(/UNAUTHENTICATED|PERMISSION_DENIED/) });
    expect(payments.output.stdout.match(/ charges /g)).toHaveLength(1);
    expect(tokensIn([tokenExchange, payments].map(({ output }) => output.stdout + output.stderr).join('') + refused.stderr)).toEqual([]);
  }, 60_000);
});

/** token-exchange of the workspace, with the configuration of the document and identities such as the document makes. */
async function startExchange(stack: AsyncDisposableStack): Promise<ManagedProcess> {
  const authority = await createCertificateAuthority(trustDomain);
  writeFileSync(join(project, 'ca.crt'), authority.cert);
  for (const name of ['token-exchange', 'payments', 'orders', 'operator']) {
    await writeWorkloadFiles(join(project, name), spiffeId(name), authority);
  }
  const configFile = join(project, 'tokenmesh.yaml');
  const tokenExchange = await startTokenExchange({
    directory,
    configFile,
    configure: (port) => writeFileSync(configFile, `${start.get('tokenmesh.yaml')}listen: 127.0.0.1:${port}\n`),
    env: { TOKENMESH_KEY_ENCRYPTION_KEY: Buffer.alloc(32, 7).toString('base64') },
    onUnexpectedExit: () => {},
  });
  stack.defer(() => tokenExchange.stop());
  return tokenExchange;
}

async function startPayments(stack: AsyncDisposableStack, TOKEN_EXCHANGE: string): Promise<ManagedProcess> {
  const payments = await startProcess({
    name: 'payments',
    kind: 'node',
    logFile: join(directory, 'payments.log'),
    command: (port) => ({
      file: join(project, 'payments.ts'),
      args: [],
      cwd: project,
      env: { PATH: process.env.PATH, TOKEN_EXCHANGE, LISTEN: `127.0.0.1:${port}` },
    }),
    read: (line) => {
      const port = /^payments serves on port (\d+)$/.exec(line)?.[1];
      return port === undefined ? undefined : { port: Number(port), ready: true };
    },
  });
  stack.defer(() => payments.stop());
  return payments;
}
