import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

const run = promisify(execFile);
const fixture = fileURLToPath(new URL('node-test.fixture.ts', import.meta.url));
// the runner's own variable would make the inner one report to an outer one that is not there
const { NODE_TEST_CONTEXT: _, ...env } = process.env;
const runTests = (expected: string) =>
  run(process.execPath, ['--test', '--test-reporter=tap', fixture], { env: { ...env, EXPECTED_REASON: expected }, timeout: 60_000 });

it('serves tests of node --test, which end by themselves', async () => {
  const { stdout } = await runTests('right');
  expect(stdout).toMatch(/^# pass 4$/m);
  expect(stdout).toMatch(/^# fail 0$/m);
});

it('fails a test of node --test that expects another reason, and says which it was', async () => {
  const failed = await runTests('wrong').catch((error: { code: number; stdout: string }) => error);
  expect(failed).toMatchObject({ code: 1 });
  expect(failed.stdout).toMatch(/^# fail 1$/m);
  expect(failed.stdout).toContain('expected the call to be refused for TOKEN_EXPIRED, but it was for SCOPE_INSUFFICIENT');
});
