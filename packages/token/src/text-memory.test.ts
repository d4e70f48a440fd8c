import { expect, test } from 'vitest';
import { ownText, remembering } from './text-memory.ts';

test('own text is the same text, in any script', () => {
  for (const text of ['', 'a', 'spiffe://shop.test/orders', 'Zoë 小林 😀']) expect(ownText(text)).toBe(text);
});

test('what was made of a text is made once, and made again when too many others came in between', () => {
  let made = 0;
  const upper = remembering(2, (text) => ({ upper: text.toUpperCase(), number: ++made }));
  expect(upper('a')).toStrictEqual({ upper: 'A', number: 1 });
  upper('b');
  expect(upper('a')).toBe(upper('a'));
  expect(made).toBe(2);
  upper('c');
  expect(upper('a')).toStrictEqual({ upper: 'A', number: 4 });
});

test('a text of which nothing could be made is tried again', () => {
  let tries = 0;
  const failing = remembering(2, () => {
    throw new Error(`try ${++tries}`);
  });
  expect(() => failing('a')).toThrow('try 1');
  expect(() => failing('a')).toThrow('try 2');
});
