// For tests: a token-exchange with both of its doors open, and its record to look into.
import { Agent, request } from 'node:https';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { credentials, type Metadata } from '@grpc/grpc-js';
import { tokenmesh } from '@tokenmesh/proto';
import { createTestCertificate } from '../clients/test-certificate.ts';
import type { Config } from '../config/config.ts';
import { openSqliteStore } from '../record/sqlite.ts';
import type { Store } from '../record/store.ts';
import { startTokenExchange } from '../server.ts';
import { bearerOf } from '../test-bearer.ts';
import { createTestLog, encryption, issuerUrl, newId, temporaryDirectory, testConfig } from '../testing.ts';

/** What came back over HTTP. */
export interface HttpAnswer {
  readonly status: number;
  readonly body: string;
}

export interface TestDoors {
  readonly store: Store;
  /** Where gRPC is served, and what a client trusts there. */
  readonly address: string;
  readonly tls: ReturnType<typeof credentials.createSsl>;
  readonly exchange: InstanceType<typeof tokenmesh.TokenExchange>;
  readonly admin: InstanceType<typeof tokenmesh.Admin>;
  readonly feed: InstanceType<typeof tokenmesh.RevocationFeed>;
  /** @param form Its parameters, or a whole body. */
  http(method: string, path: string, form?: Record<string, string> | string, headers?: Record<string, string>): Promise<HttpAnswer>;
  /** A bearer token of a workload for token-exchange itself. */
  bearer(clientId: string, scope?: string): Promise<{ readonly metadata: Metadata }>;
  /** Every row of the record by table, but for refusals in the audit and what the service writes of its own accord. */
  record(): Readonly<Record<string, readonly string[]>>;
  close(): Promise<void>;
}

/** @param changes Of a configuration with the workloads and grants of the tests. */
export async function openTestDoors(changes: Partial<Config> = {}): Promise<TestDoors> {
  const { cert, key } = changes.tls ?? createTestCertificate();
  const directory = temporaryDirectory();
  const file = join(directory.path, 'record.db');
  const store = await openSqliteStore(file, { newId });
  const server = await startTokenExchange({
    config: testConfig({
      facade: { listen: { host: '127.0.0.1', port: 0 }, url: issuerUrl },
      tls: { cert, key },
      store: { sqlite: file },
      ...changes,
    }),
    store,
    encryption,
    log: createTestLog(),
  });
  const address = `localhost:${server.port}`;
  const tls = credentials.createSsl(cert);
  const exchange = new tokenmesh.TokenExchange(address, tls);
  const admin = new tokenmesh.Admin(address, tls);
  const feed = new tokenmesh.RevocationFeed(address, tls);
  const agent = new Agent({ keepAlive: true, ca: cert });
  return {
    ...{ store, address, tls, exchange, admin, feed },
    http(method, path, form, others = {}) {
      const body = typeof form === 'object' ? new URLSearchParams(form).toString() : form;
      // without its length Node would leave the body of a DELETE on the connection
      const described = { 'content-type': 'application/x-www-form-urlencoded', 'content-length': Buffer.byteLength(body ?? '') };
      const headers = { ...(body !== undefined && described), ...others };
      return new Promise((resolve, reject) => {
        const sent = request({ host: 'localhost', port: server.facadePort, path, method, headers, agent }, (response) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.on('end', () => resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString() }));
        });
        sent.on('error', reject);
        sent.end(body);
      });
    },
    bearer: (clientId, scope) => bearerOf(exchange, clientId, scope),
    record() {
      const database = new DatabaseSync(file, { readOnly: true });
      try {
        const tables = database.prepare("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name").all();
        return Object.fromEntries(tables.map(({ name }) => [String(name), rowsOf(database, String(name))]));
      } finally {
        database.close();
      }
    },
    async close() {
      agent.destroy();
      for (const client of [exchange, admin, feed]) client.close();
      await server.close();
      await store.close();
      directory.remove();
    },
  };
}

/** How far the refusals have come, and a sign of life. */
const ownTables: ReadonlySet<string> = new Set(['audit_chains', 'audit_chain_count', 'signing_key_readiness']);

function rowsOf(database: DatabaseSync, table: string): readonly string[] {
  if (ownTables.has(table)) return [];
  const where = table === 'audit_events' ? "WHERE decision <> 'refused'" : '';
  return database
    .prepare(`SELECT * FROM "${table}" ${where}`)
    .all()
    .map((row) => JSON.stringify(row))
    .sort();
}
