import type { StartOptions } from '../fault-mesh.ts';
import type { Program } from '../program.ts';

/** A program that can be ended and started again. Nothing here minds being told twice. */
export interface Restartable {
  /** The one that runs, or ran last. */
  readonly program: Program;
  /** SIGKILL; resolves when it is gone. */
  kill(): Promise<void>;
  /** Starts it after `kill`, by other means where options are given, and resolves when it listens. */
  start(options?: StartOptions): Promise<void>;
  /** SIGSTOP. */
  pause(): void;
  resume(): void;
}

/**
 * Starts a program.
 *
 * @param start Starts it, each time.
 * @param onListening Told the port that it listens on, each time.
 */
export async function startRestartable(
  start: (options: StartOptions | undefined) => Promise<Program>,
  onListening: (port: number) => void,
): Promise<Restartable> {
  let program = await start(undefined);
  onListening(program.port);
  return {
    get program() {
      return program;
    },
    kill: () => program.kill(),
    async start(options) {
      if (program.isRunning) return;
      program = await start(options);
      onListening(program.port);
    },
    pause: () => program.signal('SIGSTOP'),
    resume: () => program.signal('SIGCONT'),
  };
}
