/**
 * `node main.ts`: the job of docker-compose.yml that runs before everything else. See `--help`.
 */
import { parseArgs } from 'node:util';
import { writeCredentials } from './write-credentials.ts';

const help = `Makes what the containers of docker-compose.yml authenticate with: keys, passwords and certificates, each container's in a directory of its own.

Usage: main.ts --credentials DIRECTORY --data DIRECTORY --nats DIRECTORY [--renew]

  --credentials   where they go; what is there already stays as it is
  --data          where the directories of those go that keep something
  --nats          configuration of nats-server, which is copied to each server's credentials
  --renew         makes the certificates anew, under a new authority: restart everything afterwards
  --help          this text
`;

const { values } = parseArgs({
  options: {
    credentials: { type: 'string' },
    data: { type: 'string' },
    nats: { type: 'string' },
    renew: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
const { credentials, data, nats, renew } = values;
if (values.help) process.stdout.write(help);
else if (!credentials || !data || !nats) {
  process.stderr.write(help);
  process.exitCode = 2;
} else {
  const { validTo } = await writeCredentials({ directory: credentials, data, natsConfiguration: nats, renew });
  process.stdout.write(`credentials are there; the certificates are valid until ${validTo.toISOString()}\n`);
}
