// Writes docs/reference/tokenmesh.schema.json, or with --check fails when it is not what the configuration's schema says.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { createConfigJsonSchema } from './src/config/config-json-schema.ts';

const target = fileURLToPath(new URL('../../docs/reference/tokenmesh.schema.json', import.meta.url));
const content = `${JSON.stringify(createConfigJsonSchema(), null, 2)}\n`;
if (!process.argv.includes('--check')) {
  writeFileSync(target, content);
} else if (!existsSync(target) || readFileSync(target, 'utf8') !== content) {
  console.error('docs/reference/tokenmesh.schema.json is not what the configuration says; run `pnpm gen` and commit the result');
  process.exit(1);
} else {
  console.log('docs/reference/tokenmesh.schema.json is current');
}
