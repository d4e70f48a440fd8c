// Writes the generated types of proto/src/gen, or with --check fails when they are not what the .proto files say.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadOptions, protoRoot } from './src/options.ts';

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
}

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
    .filter((file) => file.endsWith('.ts'))
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
