import { readFileSync } from 'node:fs';

/** What is wrong with how the command was called, for people; the exit code is 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** @throws {UsageError} The file cannot be read. The message names the option and the file. */
export function readOptionFile(option: string, path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    const { code = 'error' } = error as NodeJS.ErrnoException; // readFileSync throws nothing else for a path
    throw new UsageError(`${option}: ${path} cannot be read (${code})`);
  }
}

/**
 * A secret: from the file that the option or its `*_FILE` variable names, else from the variable itself. Never from an argument, which every user of
 * the machine can see.
 *
 * @throws {UsageError} The file cannot be read.
 */
export function readSecret(option: string, path: string | undefined, value: string | undefined): string | undefined {
  const secret = path === undefined ? value : readOptionFile(option, path).toString('utf8');
  return secret?.trim() || undefined;
}
