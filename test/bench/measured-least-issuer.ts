// The least that broadcasts revocations which are signed and durable: it signs an event, commits it, and publishes it. Nobody asks who may, there is no log
// that must not have gaps, and no audit.
import { createPrivateKey, type JsonWebKey, sign } from 'node:crypto';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { revocationStreamName, revocationSubjects } from '@tokenmesh/revocation/nats';
import { connect } from 'nats';
import { forge } from './bench-mesh.ts';
import { answer } from './measured-process.ts';

export interface LeastIssuerSettings {
  /** Where its database is made. */
  readonly directory: string;
  /** Address of the nats-server, and the mesh whose stream is there. */
  readonly nats: string;
  readonly mesh: string;
  readonly key: JsonWebKey;
  /** Text before the signature of an event, and the `jti` that it revokes, in whose place comes another. */
  readonly example: { readonly signingInput: string; readonly jti: string };
}

/** `revoke`: answered once the stream has the event, as by token-exchange; when it is `forged` no key made its signature. */
export type LeastIssuerQuestion = { readonly type: 'revoke'; readonly jti: string; readonly forged?: boolean } | { readonly type: 'count' };

export interface LeastIssuerAnswer {
  /** When the last `COMMIT` had returned, in nanoseconds of `process.hrtime`. */
  readonly committedNs: number;
  /** Events in the database; of `count` alone. */
  readonly events: number;
  /** Events that the stream has acknowledged. */
  readonly published: number;
}

// the cast holds: the suite passes these settings
const { directory, nats, mesh, key: jwk, example } = JSON.parse(process.argv[2] ?? '{}') as LeastIssuerSettings;
const key = createPrivateKey({ key: jwk, format: 'jwk' });
const [header = '', payload = ''] = example.signingInput.split('.');
const [before = '', after = ''] = Buffer.from(payload, 'base64url').toString().split(example.jti);

const database = new DatabaseSync(join(directory, 'least.db'));
database.exec(
  'PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE events (n INTEGER PRIMARY KEY, compact TEXT NOT NULL) STRICT',
);
const begin = database.prepare('BEGIN IMMEDIATE');
const insert = database.prepare('INSERT INTO events (n, compact) VALUES (?, ?)');
const commit = database.prepare('COMMIT');
const count = database.prepare('SELECT count(*) AS events FROM events');

const stream = (await connect({ servers: nats, noAsyncTraces: true })).jetstream();
const { events: subject } = revocationSubjects(mesh);
const streamName = revocationStreamName(mesh);
let n = 0;
let published = 0;
let committedNs = 0;

async function revoke(jti: string, forged: boolean): Promise<void> {
  const signingInput = `${header}.${Buffer.from(`${before}${jti}${after}`).toString('base64url')}`;
  const signed = `${signingInput}.${sign('sha256', Buffer.from(signingInput, 'latin1'), key).toString('base64url')}`;
  const compact = forged ? forge(signed) : signed;
  begin.run();
  insert.run(++n, compact);
  commit.run();
  committedNs = Number(process.hrtime.bigint());
  await stream.publish(subject, Buffer.from(compact, 'latin1'), { msgID: `least:${n}`, expect: { streamName } });
  published++;
}

answer<LeastIssuerQuestion, LeastIssuerAnswer>(0, async (question) => {
  if (question.type === 'revoke') await revoke(question.jti, question.forged ?? false);
  return { committedNs, published, events: question.type === 'count' ? Number(count.get()?.events) : 0 };
});
