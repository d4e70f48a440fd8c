import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** A program under measurement, in a process of its own on one processor, that answers one question at a time. */
export interface MeasuredProcess<Question, Answer> extends AsyncDisposable {
  /** What it listens on, or calls. */
  readonly port: number;
  ask(question: Question): Promise<Answer>;
}

/** What the program does: answers on the channel to its parent, and ends with it, however that ended. */
export function answer<Question, Answer>(port: number, reply: (question: Question) => Answer | Promise<Answer>): void {
  process.once('disconnect', () => process.exit());
  // the casts hold: what started the program speaks of its questions alone, and over a channel
  process.on('message', async (question) => process.send?.(await reply(question as Question)));
  process.send?.({ port });
}

/**
 * Starts a program beside this file, and waits until it is ready.
 *
 * @param settings Its one argument, as JSON.
 */
export async function startMeasured<Question extends object, Answer>(
  program: string,
  settings: object,
  cpu: number,
): Promise<MeasuredProcess<Question, Answer>> {
  const file = fileURLToPath(new URL(program, import.meta.url));
  const args = ['-c', String(cpu), process.execPath, file, JSON.stringify(settings)];
  const child = spawn('taskset', args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  const { port } = await nextAnswer<{ readonly port: number }>(child, program);
  return {
    port,
    async ask(question) {
      const answered = nextAnswer<Answer>(child, program);
      child.send(question);
      return await answered;
    },
    async [Symbol.asyncDispose]() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const ended = once(child, 'exit');
      child.kill();
      await ended;
    },
  };
}

async function nextAnswer<Answer>(child: ChildProcess, program: string): Promise<Answer> {
  const answered = new AbortController();
  const ended = once(child, 'exit', { signal: answered.signal }).then(([code, signal]) => {
    throw new Error(`${program} ended with ${code ?? signal}`);
  });
  try {
    // the cast holds: the program answers with nothing else
    return (await Promise.race([once(child, 'message', { signal: answered.signal }), ended]))[0] as Answer;
  } finally {
    answered.abort();
    ended.catch(() => undefined);
  }
}
