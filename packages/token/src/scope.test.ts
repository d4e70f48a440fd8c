import { describe, expect, test } from 'vitest';
import { formatScope, hasScope, intersectScope, isScope, parseScope } from './scope.ts';
import { reasonOf } from './testing.ts';

describe('a scope', () => {
  test('is read as its tokens, each once and sorted', () => {
    expect(parseScope('b a b c a')).toEqual(['a', 'b', 'c']);
    expect(parseScope('a b')).toEqual(['a', 'b']);
    expect(parseScope('a a')).toEqual(['a']);
    expect(parseScope('payments.charge')).toEqual(['payments.charge']);
  });

  test('sorts by code unit, so that every instance agrees', () => {
    expect(parseScope('a Z _')).toEqual(['Z', '_', 'a']);
  });

  test('is empty for the empty text', () => {
    expect(parseScope('')).toEqual([]);
    expect(formatScope([])).toBe('');
  });

  test('is frozen', () => {
    expect(Object.isFrozen(parseScope(''))).toBe(true);
    expect(Object.isFrozen(parseScope('a'))).toBe(true);
    expect(Object.isFrozen(parseScope('b a'))).toBe(true);
  });

  test.each([' ', ' a', 'a ', 'a  b', 'a\tb', 'a\nb', 'a\n', 'a"b', 'a\\b', 'a\u007f', 'ä', 'a\u00a0b'])('%j is refused', (text) => {
    expect(isScope(text)).toBe(false);
    expect(reasonOf(() => parseScope(text))).toBe('REQUEST_INVALID');
  });

  test('accepts every character of the grammar', () => {
    const all = Array.from({ length: 0x7e - 0x20 }, (_, index) => String.fromCharCode(0x21 + index)).filter((c) => c !== '"' && c !== '\\');
    expect(parseScope(all.join('')).length).toBe(1);
  });

  test('T-44 may have 4096 characters, and not 4097', () => {
    expect(isScope('a'.repeat(4096))).toBe(true);
    expect(reasonOf(() => parseScope('a'.repeat(4097)))).toBe('REQUEST_INVALID');
  });

  test('is written with single blanks, and reads back as the same', () => {
    expect(formatScope(['a', 'b'])).toBe('a b');
    expect(parseScope(formatScope(['a', 'b']))).toEqual(['a', 'b']);
  });

  test('intersects to what both hold, as whole tokens', () => {
    expect(intersectScope(['a', 'b', 'c'], ['c', 'a', 'd'])).toEqual(['a', 'c']);
    expect(intersectScope(['payments.charge'], ['payments', 'payments.*', 'PAYMENTS.CHARGE'])).toEqual([]);
    expect(intersectScope(['payments'], ['payments.charge'])).toEqual([]);
    expect(intersectScope([], ['a'])).toEqual([]);
  });

  test('holds what is needed only when it holds all of it', () => {
    expect(hasScope(['a', 'b'], ['a', 'b'])).toBe(true);
    expect(hasScope(['a', 'b'], ['b'])).toBe(true);
    expect(hasScope(['a', 'b'], ['a', 'c'])).toBe(false);
    expect(hasScope(['a'], [])).toBe(true);
    expect(hasScope([], ['a'])).toBe(false);
  });
});
