import { expect, test } from 'vitest';
import { audiences, formatYaml, grants } from './configuration.ts';

test('writes nested settings in block style and list items as JSON on lines of their own', () => {
  const settings = {
    listen: '127.0.0.1:0',
    tls: { cert: 'a b.crt', deep: { n: 1 } },
    nats: undefined,
    grants: [{ from: 'a', delegation: false }],
  };
  expect(formatYaml(settings)).toBe(
    [
      'listen: "127.0.0.1:0"',
      'tls:',
      '  cert: "a b.crt"',
      '  deep:',
      '    n: 1',
      'grants:',
      '  - {"from":"a","delegation":false}',
      '',
    ].join('\n'),
  );
});

test('grants no scope that its audience does not have', () => {
  const known = new Map(audiences.map(({ id, scopes }) => [id, scopes]));
  for (const { to, scopes } of grants) {
    if (to.endsWith('/token-exchange')) continue;
    expect(known.get(to)).toEqual(expect.arrayContaining([...scopes]));
  }
});
