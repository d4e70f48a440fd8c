import { execFile } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createContainer } from './compose-container.ts';
import { type ComposeFile, root } from './compose-file.ts';

const run = promisify(execFile);

/** Makes the volumes in a directory, and runs the job that fills them. */
export async function runJob(
  name: string,
  { compose, directory }: { readonly compose: ComposeFile; readonly directory: string },
): Promise<void> {
  for (const volume of Object.keys(compose.volumes)) mkdirSync(join(directory, 'volumes', volume), { recursive: true });
  const { command, env } = createContainer(name, { compose, directory, portOf: (_, port) => port });
  const [file = '', ...args] = command;
  await run(file, args, { cwd: root, env: { PATH: process.env.PATH, ...env } });
}
