import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { credentials, Server, ServerCredentials } from '@grpc/grpc-js';
import { type RevocationFeedClient, tokenmesh, type VerifierReport } from '@tokenmesh/proto';
import { type MemoryRecord, serveMemoryRecord } from './testing.ts';

const natsServer = process.env.TOKENMESH_NATS_SERVER || 'nats-server';

/** Whether there is a nats-server to test with: `TOKENMESH_NATS_SERVER`, else `nats-server` on the PATH. */
export function hasNatsServer(): boolean {
  return spawnSync(natsServer, ['--version']).status === 0;
}

export interface TestNatsServer {
  readonly url: string;
  /** SIGKILL. */
  kill(): Promise<void>;
  /** On the same port, with what is on disk. */
  start(): Promise<void>;
  /** Takes away what is on disk, as a lost volume does. */
  wipe(): Promise<void>;
  close(): Promise<void>;
}

/** A real nats-server with JetStream on a free port of 127.0.0.1. `config` is text of its configuration file. */
export async function startNatsServer(config = ''): Promise<TestNatsServer> {
  const directory = await mkdtemp(join(tmpdir(), 'tokenmesh-nats-'));
  const store = join(directory, 'store');
  await writeFile(join(directory, 'nats.conf'), config);
  let port = -1;
  let server: ChildProcess | undefined;

  const start = async () => {
    const options = ['-a', '127.0.0.1', '-p', String(port), '-js', '-sd', store, '-c', join(directory, 'nats.conf')];
    const started = spawn(natsServer, options, { stdio: ['ignore', 'ignore', 'pipe'] });
    server = started;
    const lines: string[] = [];
    for await (const line of createInterface({ input: started.stderr })) {
      lines.push(line);
      port = Number(/Listening for client connections on 127\.0\.0\.1:(\d+)/.exec(line)?.[1] ?? port);
      if (line.includes('Server is ready')) break;
    }
    if (!lines.some((line) => line.includes('Server is ready'))) throw new Error(`nats-server did not start: ${lines.join('\n')}`);
    started.stderr.resume();
  };
  const kill = async () => {
    if (server === undefined || server.exitCode !== null || server.signalCode !== null) return;
    const exited = once(server, 'exit');
    server.kill('SIGKILL');
    await exited;
  };

  await start();
  return {
    url: `127.0.0.1:${port}`,
    kill,
    start,
    wipe: () => rm(store, { recursive: true, force: true }),
    async close() {
      await kill();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

export interface TestGrpcServer {
  readonly client: RevocationFeedClient;
  readonly reports: readonly VerifierReport[];
  /** Ends every connection and listens no more. */
  kill(): void;
  /** On the same port. */
  start(): Promise<void>;
  close(): void;
}

/** A real gRPC server on a free port of 127.0.0.1 that serves `RevocationFeed` from a memory record, and a client of it. */
export async function startGrpcServer(
  record: MemoryRecord,
  onReport: (report: VerifierReport) => void = () => {},
): Promise<TestGrpcServer> {
  const reports: VerifierReport[] = [];
  const handlers = serveMemoryRecord(record, (report) => {
    reports.push(report);
    onReport(report);
  });
  let port = 0;
  let server: Server;
  const start = async () => {
    server = new Server();
    server.addService(tokenmesh.RevocationFeed.service, handlers);
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    server.bindAsync(`127.0.0.1:${port}`, ServerCredentials.createInsecure(), (error, bound) => (error ? reject(error) : resolve(bound)));
    port = await promise;
  };
  const kill = () => server.forceShutdown();
  await start();
  const client = new tokenmesh.RevocationFeed(`127.0.0.1:${port}`, credentials.createInsecure(), {
    'grpc.enable_http_proxy': 0,
    'grpc.initial_reconnect_backoff_ms': 100,
    'grpc.max_reconnect_backoff_ms': 200,
  });
  return {
    client,
    reports,
    kill,
    start,
    close() {
      client.close();
      kill();
    },
  };
}
