/**
 * `node leash.ts PROGRAM ARGUMENT…`: runs a program that knows nothing of the demo, ends with it, and ends it when the demo ends, however
 * that ended. Over IPC it tells the program's pid, and passes on signals (also SIGKILL, which would leave the program behind if it were
 * sent to this process).
 */
import { spawn } from 'node:child_process';

const [program = '', ...args] = process.argv.slice(2);
const child = spawn(program, args, { stdio: ['ignore', 'inherit', 'inherit'] });
child.once('spawn', () => process.send?.({ pid: child.pid }));
child.once('error', (error) => {
  console.error(error.message);
  process.exit(1);
});
child.once('exit', (code, signal) => {
  if (signal === 'SIGKILL') process.kill(process.pid, signal); // ends as the program did
  process.exit(code ?? 1);
});

process.on('message', (message: { signal: NodeJS.Signals }) => child.kill(message.signal));
process.once('disconnect', () => child.kill('SIGKILL'));
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => child.kill(signal));
