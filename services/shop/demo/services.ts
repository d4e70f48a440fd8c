import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type ManagedProcess, type ProcessOptions, startProcess } from './managed-process.ts';

const run = promisify(execFile);
const tokenExchangeMain = fileURLToPath(new URL('../../token-exchange/src/main.ts', import.meta.url));
const shopMain = fileURLToPath(new URL('../src/main.ts', import.meta.url));

interface ServiceOptions {
  /** Where its log file goes. */
  readonly directory: string;
  /** Its whole environment, but for PATH. */
  readonly env: NodeJS.ProcessEnv;
  readonly onUnexpectedExit: NonNullable<ProcessOptions['onUnexpectedExit']>;
}

/** Where a process listens, for a gRPC channel: by name, because TLS has no server name for an IP address (RFC 6066 section 3). */
export const address = ({ port }: ManagedProcess): string => `localhost:${port}`;

/** The operator's command that makes the JetStream stream, in the NATS that the configuration names. */
export async function createStream(configFile: string): Promise<void> {
  await run(process.execPath, [tokenExchangeMain, 'nats-stream', '--config', configFile]);
}

/**
 * Starts token-exchange and resolves when it listens.
 *
 * @param options.configure Writes `configFile` with the port to listen on, before each start: any at first, then where others know it to be.
 */
export function startTokenExchange(
  options: ServiceOptions & { readonly configFile: string; readonly configure: (port: number) => void },
): Promise<ManagedProcess> {
  const { directory, configFile, configure, env, onUnexpectedExit } = options;
  return startProcess({
    name: 'token-exchange',
    kind: 'node',
    logFile: join(directory, 'token-exchange.log'),
    command: (port) => {
      configure(port);
      return { file: tokenExchangeMain, args: ['--config', configFile], env: { PATH: process.env.PATH, ...env } };
    },
    read: (line) => {
      const { event, port } = readLogLine(line);
      return event === 'listening' && port !== undefined ? { port, ready: true } : undefined;
    },
    onUnexpectedExit,
  });
}

/** Starts one of the shop's own services and resolves when it listens; it is ready when its mesh is. */
export function startShopService(name: string, { directory, env, onUnexpectedExit }: ServiceOptions): Promise<ManagedProcess> {
  return startProcess({
    name,
    kind: 'node',
    logFile: join(directory, `${name}.log`),
    command: (port) => ({ file: shopMain, args: [name], env: { PATH: process.env.PATH, ...env, SHOP_LISTEN: `127.0.0.1:${port}` } }),
    read: (line) => {
      const { event, port } = readLogLine(line);
      return { ready: event === 'serving', ...(port !== undefined && { port }) };
    },
    onUnexpectedExit,
  });
}

/** The members of a JSON log line that tell of a start; of any other line, none. */
function readLogLine(line: string): { readonly event?: string; readonly port?: number } {
  if (!line.startsWith('{')) return {};
  try {
    return JSON.parse(line);
  } catch {
    return {};
  }
}
