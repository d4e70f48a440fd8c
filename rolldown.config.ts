// The JavaScript of the package in whose folder it runs: a file for each entry point, and one for what several of them need.
import { readFileSync } from 'node:fs';
import { defineConfig } from 'rolldown';

// the cast holds for the manifest of every published package
const { publishConfig } = JSON.parse(readFileSync('package.json', 'utf8')) as {
  readonly publishConfig: { readonly bin?: Readonly<Record<string, string>>; readonly exports: object };
};
const entries = JSON.stringify([publishConfig.bin, publishConfig.exports]).matchAll(/"\.\/dist\/([^"]+)\.js"/g);

export default defineConfig({
  input: Object.fromEntries([...entries].map(([, name]) => [name, `./src/${name}.ts`])),
  external: /^[^./]/,
  platform: 'node',
  output: { dir: 'dist', chunkFileNames: '[name].js', codeSplitting: { groups: [{ name: 'shared', minShareCount: 2 }] }, sourcemap: true },
});
