import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type ManagedProcess, type ProcessOptions, startProcess } from './managed-process.ts';

// Listens on the port that it is given, says so, and greets with its pid.
const serverSource = `
  import { createServer } from 'node:net';
  const server = createServer((socket) => socket.on('error', () => {}).write(String(process.pid)));
  server.listen(Number(process.argv[2]), '127.0.0.1', () => console.log('port ' + server.address().port));
  process.on('SIGTERM', () => { console.error('draining'); process.exit(); });
`;

let directory: string;
const running: ManagedProcess[] = [];
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'tokenmesh-process-'));
  writeFileSync(join(directory, 'server.mjs'), serverSource);
});
afterEach(async () => {
  await Promise.all(running.splice(0).map((process) => process.kill()));
  rmSync(directory, { recursive: true });
});

const read: ProcessOptions['read'] = (line) => {
  const port = /^port (\d+)$/.exec(line)?.[1];
  return port ? { port: Number(port), ready: true } : undefined;
};

function serverOptions(kind: ProcessOptions['kind'], source = join(directory, 'server.mjs')): ProcessOptions {
  const command = (port: number) =>
    kind === 'node' ? { file: source, args: [String(port)] } : { file: process.execPath, args: [source, String(port)] };
  return { name: 'server', kind, logFile: join(directory, 'server.log'), command, read };
}

async function start(options: ProcessOptions): Promise<ManagedProcess> {
  const started = await startProcess(options);
  running.push(started);
  return started;
}

async function dial(port: number): Promise<{ socket: Socket; pid: number }> {
  const socket = connect(port, '127.0.0.1').on('error', () => {});
  const [greeting] = await once(socket, 'data');
  return { socket, pid: Number(greeting) };
}

for (const kind of ['node', 'program'] as const) {
  test(`tells port and pid of a ${kind}, and keeps the port over a restart`, async () => {
    const server = await start(serverOptions(kind));
    const before = await dial(server.port);
    expect(server.pid).toBe(before.pid);
    const { port } = server;
    await server.restart();
    const after = await dial(port);
    expect(server.port).toBe(port);
    expect(after.pid).toBe(server.pid);
    expect(after.pid).not.toBe(before.pid);
    after.socket.destroy();
  });

  test(`stops a ${kind} by SIGTERM and kills it by SIGKILL, and reports neither as unexpected`, async () => {
    const unexpected: string[] = [];
    const server = await start({ ...serverOptions(kind), onUnexpectedExit: (_, how) => unexpected.push(how) });
    await server.stop();
    expect(server.running).toBe(false);
    expect(server.output.stderr).toBe('draining\n');
    await server.start();
    const { socket } = await dial(server.port);
    const closed = once(socket, 'close');
    await server.kill();
    await closed;
    expect(server.output.stderr).toBe('draining\n');
    expect(unexpected).toEqual([]);
  });

  test(`a ${kind} ends when the process that started it is killed`, async () => {
    const parent = spawn(process.execPath, [await parentScript(kind)], { stdio: ['ignore', 'pipe', 'inherit'] });
    const { socket } = await dial(await firstPort(parent));
    const closed = once(socket, 'close');
    parent.kill('SIGKILL');
    await closed;
  });
}

test.each(['node', 'program'] as const)('reports an end of a %s that nobody asked for', async (kind) => {
  const ended = Promise.withResolvers<string>();
  const server = await start({ ...serverOptions(kind), onUnexpectedExit: (_, how) => ended.resolve(how) });
  process.kill(server.pid, 'SIGKILL');
  expect(await ended.promise).toBe('ended (SIGKILL)');
  expect(server.running).toBe(false);
});

test('fails with the last lines when the process ends before it listens', async () => {
  const broken = join(directory, 'broken.mjs');
  writeFileSync(broken, `console.error('no such key'); process.exit(3);`);
  await expect(startProcess(serverOptions('node', broken))).rejects.toThrow('server ended (exit code 3)\n  no such key');
});

test('fails when there is no such program', async () => {
  const options = { ...serverOptions('program'), command: () => ({ file: join(directory, 'absent'), args: [] }) };
  await expect(startProcess(options)).rejects.toThrow(/ENOENT/);
});

async function parentScript(kind: ProcessOptions['kind']): Promise<string> {
  const script = join(directory, 'parent.ts');
  const { file, args } = serverOptions(kind).command(0);
  writeFileSync(
    script,
    `import { startProcess } from ${JSON.stringify(new URL('managed-process.ts', import.meta.url).href)};
     const started = await startProcess({
       name: 'server', kind: '${kind}', logFile: ${JSON.stringify(join(directory, 'server.log'))},
       command: () => (${JSON.stringify({ file, args })}),
       read: (line) => line.startsWith('port ') ? { port: Number(line.slice(5)), ready: true } : undefined,
     });
     console.log(started.port);`,
  );
  return script;
}

async function firstPort(parent: ChildProcess): Promise<number> {
  // The cast holds: stdout is a pipe.
  const [line] = await once(createInterface({ input: parent.stdout as NodeJS.ReadableStream }), 'line');
  return Number(line);
}
