import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

/** Prints the address of each module that is loaded. */
const listing = `import { registerHooks } from 'node:module';
registerHooks({ load(url, context, next) { process.stdout.write(url + '\\n'); return next(url, context); } });`;

it('loads nothing for its start that only some configurations use', async () => {
  const main = fileURLToPath(new URL('./main.ts', import.meta.url));
  const args = ['--import', `data:text/javascript,${encodeURIComponent(listing)}`, main, '--help'];
  const { stdout } = await promisify(execFile)(process.execPath, args, { env: { PATH: process.env.PATH } });
  const loaded = new Set([...stdout.matchAll(/node_modules\/((?:@[^/\n]+\/)?[^/\n]+)(?!.*node_modules\/)/g)].map(([, name]) => name));
  expect(loaded).toContain('kysely');
  expect(loaded).toContain('@opentelemetry/api');
  for (const unused of ['pg', 'nats', 'hono', '@opentelemetry/sdk-node', '@opentelemetry/sdk-metrics']) {
    expect(loaded).not.toContain(unused);
  }
});
