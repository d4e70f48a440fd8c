import { isUtf8 } from 'node:buffer';
import { TokenError } from './token-error.ts';

/** A JSON object without a prototype: `payload['toString']` is undefined unless the sender wrote it. */
export type JsonObject = { readonly [name: string]: JsonValue };
/** What a JSON text holds (RFC 8259 section 3), not to be changed. */
export type JsonValue = string | number | boolean | null | readonly JsonValue[] | JsonObject;

const maxDepth = 8;
const maxMembers = 64;
const maxElements = 1024;
const forbiddenNames: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype']);

interface Cursor {
  readonly text: string;
  at: number;
}

/**
 * Reads the one JSON object that bytes hold, accepting only what every reader understands alike: well-formed UTF-8 without a byte order
 * mark or lone surrogates, each member name once in its object (compared after escapes are resolved), integers that a double holds
 * exactly and that are spelled without fraction or exponent, at most 8 levels, 64 members an object, 1024 elements an array, and no member
 * named `__proto__`, `constructor` or `prototype`.
 *
 * It is a reader of its own, because `JSON.parse` keeps the last of several members without telling.
 *
 * @throws {TokenError} `TOKEN_MALFORMED`, without any of the bytes in its message.
 * @see RFC 8259; RFC 7493 (I-JSON); RFC 8725 section 2.4
 */
export function parseJsonObject(bytes: Uint8Array): JsonObject {
  if (!isUtf8(bytes)) throw malformed('not UTF-8');
  const cursor = { text: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8'), at: 0 };
  skipBlanks(cursor);
  if (cursor.text.charCodeAt(cursor.at) !== 0x7b) throw malformed('not an object');
  const value = readObject(cursor, 1);
  skipBlanks(cursor);
  if (cursor.at !== cursor.text.length) throw malformed('something follows the object');
  return value;
}

function readValue(cursor: Cursor, depth: number): JsonValue {
  switch (cursor.text.charCodeAt(cursor.at)) {
    case 0x22:
      return readString(cursor);
    case 0x7b:
      return readObject(cursor, depth + 1);
    case 0x5b:
      return readArray(cursor, depth + 1);
    case 0x74:
      return readLiteral(cursor, 'true', true);
    case 0x66:
      return readLiteral(cursor, 'false', false);
    case 0x6e:
      return readLiteral(cursor, 'null', null);
    default:
      return readInteger(cursor);
  }
}

function readObject(cursor: Cursor, depth: number): JsonObject {
  if (depth > maxDepth) throw malformed('nested too deeply');
  const object: { [name: string]: JsonValue } = Object.create(null);
  cursor.at++;
  skipBlanks(cursor);
  if (skip(cursor, 0x7d)) return object;
  for (let members = 1; ; members++) {
    if (members > maxMembers) throw malformed('too many members');
    if (cursor.text.charCodeAt(cursor.at) !== 0x22) throw malformed('a member has no name');
    const name = readString(cursor);
    if (forbiddenNames.has(name)) throw malformed('a forbidden member name');
    if (name in object) throw malformed('a member occurs twice');
    skipBlanks(cursor);
    if (!skip(cursor, 0x3a)) throw malformed('a member has no value');
    skipBlanks(cursor);
    object[name] = readValue(cursor, depth);
    skipBlanks(cursor);
    if (skip(cursor, 0x7d)) return object;
    if (!skip(cursor, 0x2c)) throw malformed('an object does not end');
    skipBlanks(cursor);
  }
}

function readArray(cursor: Cursor, depth: number): readonly JsonValue[] {
  if (depth > maxDepth) throw malformed('nested too deeply');
  const array: JsonValue[] = [];
  cursor.at++;
  skipBlanks(cursor);
  if (skip(cursor, 0x5d)) return array;
  for (;;) {
    if (array.length === maxElements) throw malformed('too many elements');
    array.push(readValue(cursor, depth));
    skipBlanks(cursor);
    if (skip(cursor, 0x5d)) return array;
    if (!skip(cursor, 0x2c)) throw malformed('an array does not end');
    skipBlanks(cursor);
  }
}

function readString(cursor: Cursor): string {
  const { text, at: start } = cursor;
  let at = start + 1;
  let escaped = false;
  for (let code = text.charCodeAt(at); code !== 0x22; code = text.charCodeAt(at)) {
    // Past the end the code is NaN, which is not at least a blank either.
    if (!(code >= 0x20)) throw malformed('a string does not end, or holds a control character');
    if (code === 0x5c) escaped = true;
    at += code === 0x5c ? 2 : 1;
  }
  cursor.at = at + 1;
  return escaped ? resolveEscapes(text.slice(start, at + 1)) : text.slice(start + 1, at);
}

function resolveEscapes(quoted: string): string {
  let value: string;
  try {
    // True: the text begins with a quote and ends at the first one that is not escaped, so it is a string or a syntax error.
    value = JSON.parse(quoted) as string;
  } catch {
    // The engine's message quotes the text.
    throw malformed('a string holds an unknown escape');
  }
  if (!value.isWellFormed()) throw malformed('a string holds half of a surrogate pair');
  return value;
}

// What is left of a longer or fractional number does not end a member.
const integer = /-?[1-9][0-9]{0,15}|0/y;

function readInteger(cursor: Cursor): number {
  integer.lastIndex = cursor.at;
  const value = Number(integer.exec(cursor.text)?.[0]);
  if (!Number.isSafeInteger(value)) throw malformed('neither a JSON value nor an integer that a double holds exactly');
  cursor.at = integer.lastIndex;
  return value;
}

function readLiteral<T>(cursor: Cursor, literal: string, value: T): T {
  if (!cursor.text.startsWith(literal, cursor.at)) throw malformed('an unknown literal');
  cursor.at += literal.length;
  return value;
}

function skip(cursor: Cursor, code: number): boolean {
  const there = cursor.text.charCodeAt(cursor.at) === code;
  if (there) cursor.at++;
  return there;
}

function skipBlanks(cursor: Cursor): void {
  for (;;) {
    const code = cursor.text.charCodeAt(cursor.at);
    if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return;
    cursor.at++;
  }
}

function malformed(what: string): TokenError {
  return new TokenError('TOKEN_MALFORMED', `malformed JSON: ${what}`);
}
