import type { Readable } from 'node:stream';
import { createTokenScanner } from '../tokens-in.ts';
import { tokensInDatabases, tokensInRecord } from '../tokens-in-records.ts';

/** What of a campaign was looked through for tokens and private keys, and where one was. */
export interface LookedThrough {
  readonly characters: number;
  /** `where: first letters…`, each once. */
  readonly found: readonly string[];
}

let characters = 0;
const found = new Set<string>();

/** Looks through what is about to be written, or was: a history, a dump of a record. */
export function lookThrough(where: string, text: string): void {
  characters += text.length;
  for (const one of tokensInRecord(text)) found.add(`${where}: ${one}`);
}

/** Looks through the SQLite databases in a directory. */
export function lookThroughDatabases(directory: string): void {
  for (const one of tokensInDatabases(directory)) found.add(`record: ${one}`);
}

/** Looks through what a process writes, as it comes. */
export function lookThroughStream(where: string, stream: Readable | null): void {
  const scan = createTokenScanner();
  stream?.on('data', (chunk: Buffer | string) => {
    const text = String(chunk);
    characters += text.length;
    for (const one of scan(text)) found.add(`${where}: ${one}`);
  });
}

/** Everything since this was asked last. */
export function takeLookedThrough(): LookedThrough {
  const taken = { characters, found: [...found] };
  characters = 0;
  found.clear();
  return taken;
}
