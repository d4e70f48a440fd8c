import { createHash } from 'node:crypto';
import { setImmediate as turn } from 'node:timers/promises';
import { type JsonObject, type SigningKey, signJws, TokenError, tokenTypes, type VerificationKey } from '@tokenmesh/token';
import { type Checkpoint, logHead } from './checkpoint.ts';
import type { PackedEntries } from './packed-entries.ts';
import { type ExpectedOrigin, hashMember, integerMember, openStatement } from './signed-statement.ts';
import { EntriesReader, type EntriesSummary, entriesForm, writeEntries } from './snapshot-entries.ts';
import { isTargetKind } from './target.ts';

/** Where in the log a snapshot was taken, and which entries it has. */
export interface SnapshotHead extends Omit<Checkpoint, 'keysVersion' | 'nonce'> {
  /** SHA-256 of all the chunks' bytes in order, base64url. */
  readonly digest: string;
}

const maxHeadBytes = 4_096;

/**
 * Signs every target in force at one position of the log: a head (JWS of typ `snapshot+jwt`) and chunks of packed entries, 256 KiB each at most. No
 * entries: no chunks. Others get turns of the event loop meanwhile.
 *
 * @param entries As they stand at `head.n`: what `RevocationSet.capture` gives.
 * @throws {TokenError} `TOKEN_MALFORMED` when the head or an entry breaks a rule.
 * @throws {TypeError} When the entries are of another epoch than the head.
 */
export async function signSnapshot(
  head: Omit<SnapshotHead, 'digest'>,
  entries: PackedEntries,
  key: SigningKey,
): Promise<{ head: string; chunks: Uint8Array[] }> {
  const { iss, aud, epoch, n, h, t, s } = head;
  if (entries.epoch !== epoch) throw new TypeError('the entries are of another epoch than the head');
  const hash = createHash('sha256');
  const chunks: Uint8Array[] = [];
  const writer = writeEntries(entries, n);
  let written = writer.next();
  for (; !written.done; written = writer.next()) {
    hash.update(written.value);
    chunks.push(written.value);
    await turn();
  }
  const { count, until } = written.value;
  const digest = hash.digest('base64url');
  const payload = { iss, aud, epoch, n, h, t, s, digest, form: entriesForm, count, until };
  const compact = signJws(payload, { typ: tokenTypes.snapshot, key });
  openHead(compact, new Map([[key.kid, key]]), { issuer: iss, mesh: aud });
  return { head: compact, chunks };
}

/**
 * Opens a snapshot: signature and origin of the head, then form of every entry as the chunks come, and at the end the digest. Others get turns of
 * the event loop between chunks. Takes no more memory than the number of entries that the head signs. Does NOT say how old it is: one may have been
 * kept and played again.
 *
 * @returns Entries for `RevocationSet.load` or `merge`.
 * @throws {TokenError} As `openEvent`; `TOKEN_SIGNATURE_INVALID` also when the chunks are not those that were signed. What `chunks` throws.
 */
export async function openSnapshot(
  snapshot: { readonly head: string; readonly chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array> },
  keys: ReadonlyMap<string, VerificationKey>,
  expected: ExpectedOrigin,
): Promise<{ head: SnapshotHead; entries: PackedEntries }> {
  const { head, summary } = openHead(snapshot.head, keys, expected);
  const hash = createHash('sha256');
  const reader = new EntriesReader(head.epoch, summary, head.n);
  for await (const chunk of snapshot.chunks) {
    hash.update(chunk);
    reader.read(chunk);
    await turn();
  }
  if (hash.digest('base64url') !== head.digest)
    throw new TokenError('TOKEN_SIGNATURE_INVALID', 'The entries are not those that were signed');
  return { head, entries: reader.finish() };
}

function openHead(compact: string, keys: ReadonlyMap<string, VerificationKey>, expected: ExpectedOrigin) {
  const { payload } = openStatement(compact, keys, { ...expected, typ: tokenTypes.snapshot, maxBytes: maxHeadBytes });
  const head: SnapshotHead = { ...logHead(payload, expected), digest: hashMember(payload, 'digest') };
  return { head, summary: readSummary(payload) };
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function readSummary(payload: JsonObject): EntriesSummary {
  const { form, until } = payload;
  if (form !== entriesForm) {
    throw new TokenError(
      'TOKEN_MALFORMED',
      `The entries are not of the form ${entriesForm}: the snapshot is of another version of token-exchange`,
    );
  }
  if (!isObject(until)) throw new TokenError('TOKEN_MALFORMED', '"until" is not an object');
  const kinds = Object.keys(until).map((kind) => {
    if (!isTargetKind(kind)) throw new TokenError('TOKEN_MALFORMED', '"until" names a kind that is not known');
    return [kind, integerMember(until, kind)] as const;
  });
  return { count: integerMember(payload, 'count'), until: Object.fromEntries(kinds) };
}
