import { createHash } from 'node:crypto';
import { tokenmesh } from '@tokenmesh/proto';
import { type SigningKey, signJws, TokenError, tokenTypes, type VerificationKey } from '@tokenmesh/token';
import { type Checkpoint, logHead } from './checkpoint.ts';
import type { Entry } from './revocation-set.ts';
import { type ExpectedOrigin, hashMember, openStatement } from './signed-statement.ts';
import { isTargetKind, isTargetValue } from './target.ts';

/** Where in the log a snapshot was taken, and what its entries are. */
export interface SnapshotHead extends Omit<Checkpoint, 'nonce'> {
  /** SHA-256 of all the chunks' bytes in order, base64url. */
  readonly digest: string;
}

const maxHeadBytes = 4_096;
/** Far below the 4 MiB that a gRPC client takes in one message, and large enough that a message's own cost does not count. */
const chunkBytes = 256 * 1024;
/** What an entry takes besides its value, rounded up. */
const entryOverhead = 48;

/**
 * Signs every target in force at one position of the log: a head (JWS of typ `snapshot+jwt`) and chunks, each a serialized
 * `tokenmesh.v1.SnapshotEntries` of about 256 KiB at most. No entries: no chunks.
 * @throws {TokenError} `TOKEN_MALFORMED` when the head or an entry breaks a rule.
 */
export function signSnapshot(
  head: Omit<SnapshotHead, 'digest'>,
  entries: readonly Entry[],
  key: SigningKey,
): { head: string; chunks: Uint8Array[] } {
  for (const entry of entries) checkEntry(entry, head.n);
  const chunks = splitEntries(entries).map((part) => tokenmesh.SnapshotEntries.serialize({ entries: [...part] }));
  const { iss, aud, epoch, n, h, t, s } = head;
  const compact = signJws({ iss, aud, epoch, n, h, t, s, digest: digestOf(chunks) }, { typ: tokenTypes.snapshot, key });
  openHead(compact, new Map([[key.kid, key]]), { issuer: iss, mesh: aud });
  return { head: compact, chunks };
}

/**
 * Opens a snapshot: signature and origin of the head, digest of the chunks, form of every entry. Does NOT say how old it is: one may have
 * been kept and played again.
 * @throws {TokenError} As `openEvent`; `TOKEN_SIGNATURE_INVALID` also when the chunks are not those that were signed.
 */
export function openSnapshot(
  snapshot: { readonly head: string; readonly chunks: readonly Uint8Array[] },
  keys: ReadonlyMap<string, VerificationKey>,
  expected: ExpectedOrigin,
): { head: SnapshotHead; entries: readonly Entry[] } {
  const head = openHead(snapshot.head, keys, expected);
  if (digestOf(snapshot.chunks) !== head.digest)
    throw new TokenError('TOKEN_SIGNATURE_INVALID', 'The entries are not those that were signed');
  const entries = snapshot.chunks.flatMap((chunk) => parseChunk(chunk, head.n));
  return { head, entries };
}

function openHead(compact: string, keys: ReadonlyMap<string, VerificationKey>, expected: ExpectedOrigin): SnapshotHead {
  const { payload } = openStatement(compact, keys, { ...expected, typ: tokenTypes.snapshot, maxBytes: maxHeadBytes });
  return { ...logHead(payload, expected), digest: hashMember(payload, 'digest') };
}

function digestOf(chunks: readonly Uint8Array[]): string {
  const hash = createHash('sha256');
  for (const chunk of chunks) hash.update(chunk);
  return hash.digest('base64url');
}

function splitEntries(entries: readonly Entry[]): readonly (readonly Entry[])[] {
  const parts: Entry[][] = [];
  let bytes = chunkBytes;
  for (const entry of entries) {
    const size = Buffer.byteLength(entry.value) + entryOverhead;
    if (bytes + size > chunkBytes) {
      parts.push([]);
      bytes = 0;
    }
    parts.at(-1)?.push(entry);
    bytes += size;
  }
  return parts;
}

function parseChunk(chunk: Uint8Array, n: number): readonly Entry[] {
  return decodeChunk(chunk).map((entry) => checkEntry(entry, n));
}

function decodeChunk(chunk: Uint8Array) {
  try {
    return tokenmesh.SnapshotEntries.deserialize(Buffer.from(chunk)).entries;
  } catch (cause) {
    throw new TokenError('TOKEN_MALFORMED', 'A chunk is not a SnapshotEntries message', { cause });
  }
}

function checkEntry({ kind, value, exp, n, t }: Omit<Entry, 'kind'> & { readonly kind: string }, headN: number): Entry {
  if (!isTargetKind(kind) || !isTargetValue(kind, value)) throw new TokenError('TOKEN_MALFORMED', 'An entry names no target');
  if (![exp, n, t].every((number) => Number.isSafeInteger(number) && number >= 0) || n < 1 || n > headN) {
    throw new TokenError('TOKEN_MALFORMED', 'An entry is not of this log');
  }
  return { kind, value, exp, n, t };
}
