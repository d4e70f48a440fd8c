import { once } from 'node:events';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, expect, it } from 'vitest';
import { takeLeaked } from '../no-tokens-in-output.ts';
import { createFaultMesh } from './fault-mesh.ts';
import { lookThrough, takeLookedThrough } from './looked-through.ts';
import { spawnOwned } from './program.ts';
import { createHistory, historyText } from './revocation/history.ts';

const planted = `tm_${'4fzqYH2b'.repeat(6)}`;
const found = 'tm_4fzqYH2b4…';

afterEach(() => void takeLeaked()); // the suite's own watch has seen it as well

it.each(['stdout', 'stderr'] as const)('finds a token in what a process of a campaign writes to its %s', async (stream) => {
  const child = spawnOwned(process.execPath, ['-e', `process.${stream}.write('${planted}')`], { stdio: ['ignore', 'pipe', 'pipe'] });
  await once(child, 'close');
  const { characters, found: where } = takeLookedThrough();
  expect([characters, where]).toEqual([planted.length, [`${stream} of ${process.execPath}: ${found}`]]);
});

it('finds a token in a record before its mesh is removed', async () => {
  const mesh = await createFaultMesh();
  const record = new DatabaseSync(join(mesh.directory, 'record.db'));
  record.exec(`CREATE TABLE audit AS SELECT '${planted}' AS detail`);
  record.close();
  mesh.remove();
  expect(takeLookedThrough().found).toEqual([`record: record.db audit: ${found}`]);
});

it('finds a token in a history', () => {
  const history = createHistory('planted');
  history.note({ type: 'verifier', at: 0, verifier: 'a', what: 'alarm', detail: planted });
  lookThrough('history', historyText(history));
  expect(takeLookedThrough().found).toEqual([`history: ${found}`]);
});

it('begins anew after it was asked', () => {
  lookThrough('history', planted);
  takeLookedThrough();
  expect(takeLookedThrough()).toEqual({ characters: 0, found: [] });
});
