// Writes what is generated in proto/src/gen, types and descriptions, or with --check fails when it is not what the .proto files say.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadOptions, memberFiles, protoRoot, tokenmeshFiles } from './src/options.ts';

function generate(outDir: string): void {
  const flags = [
    ...(loadOptions.keepCase ? ['--keepCase'] : []),
    `--longs=${loadOptions.longs.name}`,
    `--enums=${loadOptions.enums.name}`,
    ...(loadOptions.defaults ? ['--defaults'] : []),
    ...(loadOptions.oneofs ? ['--oneofs'] : []),
    '--includeComments',
    '--grpcLib=@grpc/grpc-js',
    '--importFileExtension=.ts',
    `--includeDirs=${protoRoot}`,
  ];
  const generator = join(protoRoot, 'node_modules/.bin/proto-loader-gen-types');
  execFileSync(generator, [...flags, `--outDir=${outDir}`, ...protoFiles()], { cwd: protoRoot, stdio: 'pipe' });
  for (const file of filesUnder(outDir)) {
    const path = join(outDir, file);
    writeFileSync(
      path,
      readFileSync(path, 'utf8')
        .replaceAll(protoRoot, '')
        .replace(/[ \t]+$/gm, ''),
    );
  }
  for (const [name, files] of Object.entries({ tokenmesh: tokenmeshFiles, members: memberFiles })) {
    writeFileSync(join(outDir, `${name}.json`), `${JSON.stringify(parseFiles(files), null, 1)}\n`);
  }
}

/** What this script needs of protobufjs, the parser that proto-loader uses. */
interface Protobuf {
  readonly Root: new () => {
    resolvePath: (origin: string, target: string) => string;
    loadSync(files: readonly string[], options: { readonly keepCase: boolean }): unknown;
    resolveAll(): { toJSON(): Namespace };
  };
}

interface Namespace {
  nested?: Record<string, Namespace>;
}

/**
 * The files parsed, as proto-loader's `fromJSON` takes them. Without the definition of descriptors, and of the option that extends them: options are
 * there as they were read, and the rest is a third of what a start would take.
 */
function parseFiles(files: readonly string[]): Namespace {
  const loader = createRequire(realpathSync(createRequire(import.meta.url).resolve('@grpc/proto-loader')));
  loader('.'); // teaches protobufjs the well-known files
  // the cast holds: proto-loader depends on it
  const { Root } = loader('protobufjs') as Protobuf;
  const root = new Root();
  root.resolvePath = (_, target) => (target.startsWith('google/protobuf/') ? target : join(protoRoot, target));
  root.loadSync(files, { keepCase: loadOptions.keepCase });
  const parsed = root.resolveAll().toJSON();
  const wellKnown = parsed.nested?.google?.nested?.protobuf?.nested ?? {};
  for (const name of Object.keys(wellKnown)) if (!usedWellKnown.has(name)) delete wellKnown[name];
  delete parsed.nested?.tokenmesh?.nested?.v1?.nested?.access;
  return parsed;
}

/** Of google.protobuf; a message that has another one as a field would not load. */
const usedWellKnown = new Set(['Any', 'Duration']);

function protoFiles(): string[] {
  return ['tokenmesh', 'shop', 'google', 'opentelemetry'].flatMap((dir) =>
    readdirSync(join(protoRoot, dir), { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.proto'))
      .map((file) => join(dir, file))
      .sort(),
  );
}

function filesUnder(dir: string): string[] {
  return readdirSync(dir, { recursive: true, encoding: 'utf8' })
    .filter((file) => /\.(?:ts|json)$/.test(file))
    .sort();
}

function differences(expected: string, actual: string): string[] {
  const files = new Set([...filesUnder(expected), ...filesUnder(actual)]);
  const read = (dir: string, file: string) => (filesUnder(dir).includes(file) ? readFileSync(join(dir, file), 'utf8') : undefined);
  return [...files].filter((file) => read(expected, file) !== read(actual, file));
}

const target = join(protoRoot, 'src/gen');
if (process.argv.includes('--check')) {
  const fresh = mkdtempSync(join(tmpdir(), 'tokenmesh-gen-'));
  generate(fresh);
  const stale = differences(fresh, target);
  rmSync(fresh, { recursive: true });
  if (stale.length > 0) {
    console.error(`proto/src/gen is not what the .proto files say; run \`pnpm gen\` and commit the result:\n  ${stale.join('\n  ')}`);
    process.exit(1);
  }
  console.log('proto/src/gen is current');
} else {
  rmSync(target, { recursive: true, force: true });
  generate(target);
}
