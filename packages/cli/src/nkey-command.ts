import { writeFileSync } from 'node:fs';
import { createNkey } from '@tokenmesh/revocation/nats';
import { Command } from 'commander';
import type { CommandIo } from './command-io.ts';
import { UsageError } from './settings.ts';

/** `tokenmesh nkey`. */
export function nkeyCommand(io: CommandIo): Command {
  return new Command('nkey')
    .description('Make an nkey for a user of NATS: its seed goes into a new file, its public key to standard output.')
    .argument('<file>', 'where the seed goes, readable by its owner alone; must not exist')
    .action((file: string) => {
      const { publicKey, seed } = createNkey();
      try {
        writeFileSync(file, `${seed}\n`, { mode: 0o600, flag: 'wx' });
      } catch (error) {
        const { code = 'error' } = error as NodeJS.ErrnoException; // writeFileSync throws nothing else for a path and a text
        throw new UsageError(`${file} cannot be written (${code})`);
      }
      io.out.write(`${publicKey}\n`);
    });
}
