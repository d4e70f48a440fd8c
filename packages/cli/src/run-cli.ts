import { setLogger } from '@grpc/grpc-js';
import { CommanderError } from 'commander';
import type { CommandIo } from './command-io.ts';
import { createProgram } from './program.ts';
import { UsageError } from './settings.ts';

/**
 * Runs one command.
 *
 * @param args Without the program's own name.
 * @returns What to end the process with: 0, what the command says, or 2 when it was called wrongly.
 */
export async function runCli(args: readonly string[], io: Omit<CommandIo, 'exit'>): Promise<number> {
  // grpc-js prints header values that it cannot use, tokens among them
  setLogger({ error: () => {}, info: () => {}, debug: () => {} });
  let exitCode = 0;
  const exit = (code: number) => {
    exitCode = code;
  };
  try {
    await createProgram({ ...io, exit }).parseAsync(args, { from: 'user' });
    return exitCode;
  } catch (error) {
    // commander has told the user already
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    if (!(error instanceof UsageError)) throw error;
    io.err.write(`error: ${error.message}\n`);
    return 2;
  }
}
