import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { spanAttributes, spanEvents, spanNames } from '@tokenmesh/interceptor';
import { describe, expect, it } from 'vitest';

const repository = fileURLToPath(new URL('..', import.meta.url));
const page = readFileSync(join(repository, 'docs/reference/semantic-conventions.md'), 'utf8');

/** What makes spans: the sources of the packages and services, without their tests and without the list of names. */
const code = ['packages/interceptor/src', 'packages/revocation/src', 'services/token-exchange/src'].flatMap((room) =>
  readdirSync(join(repository, room), { recursive: true, encoding: 'utf8' })
    .filter((file) => /(?<!\.test)\.ts$/.test(file) && !file.startsWith('testing') && !file.endsWith('semantic-conventions.ts'))
    .map((file) => readFileSync(join(repository, room, file), 'utf8')),
);

/** By the names that the list is imported as. */
const isWritten = (list: string, member: string) =>
  code.some((text) => {
    const alias = new RegExp(`\\b${list}(?: as (\\w+))?\\b`).exec(text)?.[1] ?? list;
    return new RegExp(`\\b${alias}\\.${member}\\b`).test(text);
  });

describe('docs/reference/semantic-conventions.md', () => {
  it.each(Object.entries({ spanAttributes, spanEvents, spanNames }))('has no name that nothing in the code writes: %s', (list, names) => {
    expect(Object.keys(names).filter((member) => !isWritten(list, member))).toEqual([]);
  });

  it("names each attribute of OpenTelemetry's that spans have, and no other", () => {
    const used = code
      .filter((text) => /\.startSpan\(|\.setAttributes?\(/.test(text))
      .flatMap((text) => [...text.matchAll(/'((?:rpc|http|url|server|error)\.[a-z_.]+)'/g)].map(([, name = '']) => name));
    const named = [...page.matchAll(/`((?:rpc|http|url|server|error)\.[a-z_.]+)`/g)].map(([, name = '']) => name);
    expect([...new Set(named)].sort()).toEqual([...new Set(used)].sort());
  });
});
