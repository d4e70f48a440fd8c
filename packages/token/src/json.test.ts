import { describe, expect, test } from 'vitest';
import { parseJsonObject } from './json.ts';
import { reasonOf, seededRandom } from './testing.ts';

const parse = (text: string) => parseJsonObject(Buffer.from(text));

function refused(text: string | Buffer): boolean {
  return reasonOf(() => parseJsonObject(Buffer.from(text))) === 'TOKEN_MALFORMED';
}

describe('strict JSON', () => {
  test('reads every kind of value', () => {
    expect(parse(' {"a" : [1, -2, 0, true, false, null, "x", {}, []],\r\n\t"b":{"c":"d"}} ')).toEqual({
      a: [1, -2, 0, true, false, null, 'x', {}, []],
      b: { c: 'd' },
    });
  });

  test('reads blanks wherever the grammar has them', () => {
    expect(parse(' { "a" : [ 1 , [ ] ] , "b" : { } } ')).toEqual({ a: [1, []], b: {} });
  });

  test('resolves every escape of the grammar', () => {
    expect(parse('{"a":"\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\ud83d\\ude00é😀"}')).toEqual({ a: '"\\/\b\f\n\r\té😀é😀' });
  });

  test('makes objects without a prototype, at each level', () => {
    const object = parse('{"a":{"b":1},"toString":"mine"}');
    expect(Object.getPrototypeOf(object)).toBeNull();
    expect(Object.getPrototypeOf(object.a)).toBeNull();
    expect(object.hasOwnProperty).toBeUndefined();
    expect(object.toString).toBe('mine');
  });

  test.each(['', ' ', '[]', '"a"', '1', 'null', 'true', '{', '{"a":1', '{"a":1}}', '{"a":1}{', '{"a":1} x', '{"a":1}\u0000'])(
    'refuses %j, which is not one object',
    (text) => {
      expect(refused(text)).toBe(true);
    },
  );

  test.each([
    '{"a":1,}',
    '{,"a":1}',
    '{"a"}',
    '{"a":}',
    '{"a" 1}',
    '{"a":1 "b":2}',
    '{"a":1;"b":2}',
    "{'a':1}",
    '{a:1}',
    '{1:1}',
    '{"a":[1,]}',
    '{"a":[,1]}',
    '{"a":[1 2]}',
    '{"a":[1}',
    '{"a":/**/1}',
    '{"a":1}//',
    '{"a":undefined}',
    '{"a":NaN}',
    '{"a":Infinity}',
    '{"a":-Infinity}',
    '{"a":tru}',
    '{"a":TRUE}',
    '{"a":nul}',
    '{"a":"x}',
    '{"a":"\\"}',
    '{"a":"\\x41"}',
    '{"a":"\\u12"}',
    '{"a":"\\u{41}"}',
    '{"a":"\n"}',
    '{"a":"\u0000"}',
    '{"a":"\u001f"}',
    '{"a":"\\\n"}',
    '\u00a0{"a":1}',
    '\u000b{"a":1}',
    '{"a":\u20281}',
  ])('refuses %j, which is not JSON', (text) => {
    expect(refused(text)).toBe(true);
  });

  test.each(['1.0', '1.5', '1e3', '1E3', '-0', '-', '+1', '01', '-01', '.5', '5.', '0x10', '1_000', '9007199254740992', '1e400', '--1'])(
    'refuses the number %s, which readers may take for another',
    (number) => {
      expect(refused(`{"a":${number}}`)).toBe(true);
    },
  );

  test('reads integers up to what a double holds exactly, and none beyond', () => {
    expect(parse('{"a":9007199254740991,"b":-9007199254740991}')).toEqual({ a: 9007199254740991, b: -9007199254740991 });
    expect(refused('{"a":-9007199254740992}')).toBe(true);
    expect(refused('{"a":10000000000000000000000000}')).toBe(true);
  });

  test.each(['{"a":1,"a":1}', '{"a":1,"\\u0061":2}', '{"b":{"a":1,"a":2}}', '{"b":[{"a":1,"a":2}]}', '{"\\u00e9":1,"é":2}', '{"":1,"":2}'])(
    'refuses %j, where a member occurs twice',
    (text) => {
      expect(refused(text)).toBe(true);
    },
  );

  test('accepts one name in different objects, and names that differ in case or normalisation', () => {
    expect(Object.keys(parse('{"a":{"a":1},"A":1,"\u00e9":1,"e\u0301":1}'))).toHaveLength(4);
  });

  test.each(['__proto__', 'constructor', 'prototype', '\\u005f_proto__', 'con\\u0073tructor'])(
    'refuses a member %s at any depth',
    (name) => {
      expect(refused(`{"${name}":1}`)).toBe(true);
      expect(refused(`{"a":[{"${name}":{}}]}`)).toBe(true);
    },
  );

  test.each([
    ['a byte order mark', Buffer.from('\ufeff{"a":1}')],
    ['an overlong form', Buffer.from([0x7b, 0x22, 0xc0, 0xaf, 0x22, 0x3a, 0x31, 0x7d])],
    ['a surrogate in UTF-8', Buffer.from([0x7b, 0x22, 0xed, 0xa0, 0x80, 0x22, 0x3a, 0x31, 0x7d])],
    ['a truncated sequence', Buffer.from([0x7b, 0x22, 0xe2, 0x82, 0x22, 0x3a, 0x31, 0x7d])],
    ['Latin-1', Buffer.from('{"é":1}', 'latin1')],
    ['UTF-16', Buffer.from('{"a":1}', 'utf16le')],
    ['half of an escaped surrogate pair', Buffer.from('{"a":"\\ud800"}')],
    ['an escaped pair in the wrong order', Buffer.from('{"a":"\\ude00\\ud83d"}')],
  ])('refuses %s', (_, bytes) => {
    expect(refused(bytes)).toBe(true);
  });

  test('T-44 goes 8 levels deep, and not 9', () => {
    const nested = (levels: number) => `${'{"a":'.repeat(levels - 1)}{}${'}'.repeat(levels - 1)}`;
    expect(parse(nested(8))).toBeDefined();
    expect(refused(nested(9))).toBe(true);
    expect(parse(`{"a":${'['.repeat(7)}${']'.repeat(7)}}`)).toBeDefined();
    expect(refused(`{"a":${'['.repeat(8)}${']'.repeat(8)}}`)).toBe(true);
  });

  test('refuses a hundred thousand levels without exhausting the stack', () => {
    expect(refused(`{"a":${'['.repeat(100_000)}`)).toBe(true);
    expect(refused('{"a":'.repeat(100_000))).toBe(true);
  });

  test('T-44 takes 64 members, and not 65', () => {
    const members = (count: number) => `{${Array.from({ length: count }, (_, index) => `"m${index}":1`).join()}}`;
    expect(Object.keys(parse(members(64)))).toHaveLength(64);
    expect(refused(members(65))).toBe(true);
  });

  test('T-44 takes 1024 elements, and not 1025', () => {
    expect(parse(`{"a":[${Array(1024).fill(1).join()}]}`).a).toHaveLength(1024);
    expect(refused(`{"a":[${Array(1025).fill(1).join()}]}`)).toBe(true);
  });

  test('reads a view into a larger buffer, and no byte beyond it', () => {
    const bytes = Buffer.from('xx{"a":1}yy');
    expect(parseJsonObject(bytes.subarray(2, 9))).toEqual({ a: 1 });
  });

  test('never quotes the bytes in its message', () => {
    for (const text of ['{"secretname":1,"secretname":2}', '{"a":"secretvalue\\q"}', '{"a":secretvalue}']) {
      expect(() => parse(text)).toThrow(expect.objectContaining({ message: expect.not.stringContaining('secret') }));
    }
  });

  test('agrees with JSON.parse on whatever both accept, for 20 000 mutations of JSON', () => {
    const random = seededRandom(8259);
    const alphabet = [
      '"',
      '\\',
      '{',
      '}',
      '[',
      ']',
      ':',
      ',',
      '0',
      '1',
      '-',
      '.',
      'e',
      'a',
      ' ',
      '\n',
      'u',
      't',
      'é',
      '\u0000',
      'null',
      'true',
    ];
    const seed = '{"iss":"https://a.test","n":[1,-20,{"b":"\\u00e9\\n"},true,null],"o":{"p":"q","r":0},"é":""}';
    let accepted = 0;
    for (let round = 0; round < 20_000; round++) {
      let text = seed;
      for (let edits = random(3); edits >= 0; edits--) {
        const at = random(text.length + 1);
        text = text.slice(0, at) + (random(3) === 0 ? '' : alphabet[random(alphabet.length)]) + text.slice(at + random(3));
      }
      let ours: unknown;
      try {
        ours = parse(text);
      } catch {
        continue;
      }
      accepted++;
      expect(ours).toEqual(JSON.parse(text));
    }
    expect(accepted).toBeGreaterThan(1000);
  });

  test('reads back 2 000 random objects as they were', () => {
    const random = seededRandom(7493);
    const value = (depth: number): unknown => {
      switch (random(depth > 5 ? 4 : 6)) {
        case 0:
          return random(2 ** 31) - 2 ** 30;
        case 1:
          return random(2) === 0;
        case 2:
          return null;
        case 3:
          return String.fromCodePoint(...Array.from({ length: random(12) }, () => random(0xd800)));
        case 4:
          return Array.from({ length: random(4) }, () => value(depth + 1));
        default:
          return object(depth + 1);
      }
    };
    const object = (depth: number) =>
      Object.fromEntries(Array.from({ length: random(5) }, (_, index) => [`${index}\u2028"`, value(depth)]));
    for (let round = 0; round < 2_000; round++) {
      const original = object(1);
      expect(parse(JSON.stringify(original, null, random(3)))).toEqual(original);
    }
  });
});
