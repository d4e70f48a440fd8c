import { credentials, type ServiceError } from '@grpc/grpc-js';
import { Command, Option } from 'commander';
import { askHealth, HealthClient } from './ask-health.ts';
import type { CommandIo } from './command-io.ts';
import { readOptionFile } from './settings.ts';

const limitMs = 3_000;

/** `tokenmesh health`. */
export function healthCommand(io: CommandIo): Command {
  return new Command('health')
    .description(
      'Ask a gRPC server for its health over TLS. Ends with 0 when it is SERVING, otherwise with 1: for healthchecks of containers.',
    )
    .argument('<host:port>', 'the server')
    .addOption(new Option('--ca <file>', 'authorities of its certificate (PEM); default: the ones of the system').env('TOKENMESH_CA_FILE'))
    .addOption(new Option('--cert <file>', 'certificate to present (PEM)').env('TOKENMESH_TLS_CERT_FILE'))
    .addOption(new Option('--key <file>', 'its private key (PEM)').env('TOKENMESH_TLS_KEY_FILE'))
    .action(async (address: string, options: { readonly ca?: string; readonly cert?: string; readonly key?: string }) => {
      const read = (name: 'ca' | 'cert' | 'key') => (options[name] === undefined ? null : readOptionFile(`--${name}`, options[name]));
      const channel = credentials.createSsl(read('ca'), read('key'), read('cert'));
      const client = new HealthClient(address, channel, { 'grpc.enable_http_proxy': 0 });
      try {
        const status = await askHealth(client, limitMs);
        io.out.write(`${status}\n`);
        if (status !== 'SERVING') io.exit(1);
      } catch (error) {
        io.err.write(`${(error as ServiceError).details}\n`); // askHealth rejects with nothing else
        io.exit(1);
      } finally {
        client.close();
      }
    });
}
