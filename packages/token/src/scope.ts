import { TokenError } from './token-error.ts';

// RFC 6749 section 3.3: visible ASCII without `"` and `\`, tokens separated by exactly one blank.
const grammar = /^[\x21\x23-\x5b\x5d-\x7e]+(?: [\x21\x23-\x5b\x5d-\x7e]+)*$/;

// A longer scope would not fit into a token.
const maxLength = 4096;

/**
 * Reads a scope: its tokens, each once, sorted by code unit, frozen.
 *
 * @param text Scope tokens separated by single blanks; the empty string is the empty scope. At most 4096 characters.
 * @throws {TokenError} `REQUEST_INVALID`
 * @see RFC 6749 section 3.3
 */
export function parseScope(text: string): readonly string[] {
  if (!isScope(text))
    throw new TokenError('REQUEST_INVALID', 'scope must be at most 4096 characters, scope tokens with single blanks between');
  const tokens = text === '' ? [] : text.split(' ');
  return Object.freeze(isAscending(tokens) ? tokens : [...new Set(tokens)].sort());
}

/** Whether {@link parseScope} would accept a text. */
export function isScope(text: string): boolean {
  return text === '' || (text.length <= maxLength && grammar.test(text));
}

function isAscending(tokens: readonly string[]): boolean {
  return tokens.every((token, index) => index === 0 || token > (tokens[index - 1] ?? ''));
}

/** The wire form of a scope, RFC 6749 section 3.3; the empty string for the empty scope. */
export function formatScope(scope: readonly string[]): string {
  return scope.join(' ');
}

/** What both scopes hold, in the order of the first. Scope tokens are opaque: `payments.charge` and `payments.*` have nothing in common. */
export function intersectScope(a: readonly string[], b: readonly string[]): readonly string[] {
  return a.filter((token) => b.includes(token));
}

/** Whether every token of `needed` was granted; true when nothing is needed. */
export function hasScope(granted: readonly string[], needed: readonly string[]): boolean {
  return needed.every((token) => granted.includes(token));
}
