import { Command } from 'commander';
import packageJson from '../package.json' with { type: 'json' };
import type { CommandIo } from './command-io.ts';
import { doctorCommand } from './doctor/doctor-command.ts';
import { healthCommand } from './health-command.ts';
import { nkeyCommand } from './nkey-command.ts';

/** Columns of `--help`, on every terminal the same, so that docs/reference/cli.md can hold it. */
const helpWidth = 120;

/** The `tokenmesh` command with all its commands. Throws commander's errors instead of ending the process. */
export function createProgram(io: CommandIo): Command {
  const program = new Command('tokenmesh').description('What operators ask of a mesh.').version(packageJson.version);
  for (const command of [doctorCommand(io), healthCommand(io), nkeyCommand(io)]) program.addCommand(command);
  for (const command of [program, ...program.commands]) {
    command
      .exitOverride()
      .configureHelp({ helpWidth })
      .configureOutput({ writeOut: (text) => io.out.write(text), writeErr: (text) => io.err.write(text) });
  }
  return program;
}
