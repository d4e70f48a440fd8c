import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createTestCertificate } from '../clients/test-certificate.ts';
import { temporaryDirectory } from '../testing.ts';
import { loadConfig } from './config.ts';

let directory: ReturnType<typeof temporaryDirectory>;
beforeEach(() => {
  directory = temporaryDirectory();
});
afterEach(() => directory.remove());

const url = 'postgres://tokens:the-password@localhost/record';
const local = `store: { postgres: { url: "${url}" } }`;

function load(store: string, file = url) {
  const { cert, key } = createTestCertificate();
  const path = (name: string) => join(directory.path, name);
  writeFileSync(path('cert.pem'), cert);
  writeFileSync(path('key.pem'), key);
  writeFileSync(path('url'), `${file}\n`);
  writeFileSync(
    path('tokenmesh.yaml'),
    `trust_domain: shop.test
tls: { cert: cert.pem, key: key.pem }
${store}
audiences: [{ id: "spiffe://shop.test/orders", scopes: [orders.read] }]
`,
  );
  return loadConfig(path('tokenmesh.yaml')).store;
}

it('takes a PostgreSQL by its URL, written there or alone in a file', () => {
  expect(load(local)).toEqual({ postgres: url });
  expect(load('store: { postgres: { url_file: url } }')).toEqual({ postgres: url });
  expect(load('store: { sqlite: record.db }')).toEqual({ sqlite: join(directory.path, 'record.db') });
});

it.each([
  ['store: {}', '3:8: store: neither sqlite nor postgres, expected one of them'],
  [`store: { sqlite: a.db, postgres: { url: "${url}" } }`, '3:8: store: both sqlite and postgres, expected one of them'],
  ['store: { postgres: {} }', '3:20: store.postgres: neither url nor url_file, expected one of them'],
  [`store: { postgres: { url: "${url}", url_file: url } }`, '3:20: store.postgres: both url and url_file, expected one of them'],
  ['store: { postgres: { url_file: none } }', 'store.postgres.url_file: "none" cannot be read (ENOENT)'],
  ['store: { postgres: { url: "the-password" } }', 'store.postgres.url: not a URL, expected one such as postgres://'],
  ['store: { postgres: { uri: x } }', 'store.postgres.uri: unknown member, expected one of url, url_file, did you mean "url"?'],
  ['store: { postgres: "the-password" }', 'store.postgres: not a mapping, expected one with url or url_file'],
  ['store: { postgres: { url: 1234 } }', 'store.postgres.url: not a URL'],
])('says what is wrong with %s', (store, problem) => {
  expect(() => load(store)).toThrow(problem);
  expect(() => load(store)).not.toThrow('the-password');
});

it('says what is wrong with a URL in a file, and never what stands in it', () => {
  const faulty = 'postgres://tokens:the-password@db.example.test/record';
  expect(() => load('store: { postgres: { url_file: url } }', faulty)).toThrow('store.postgres.url_file: says nothing of TLS');
  expect(() => load('store: { postgres: { url_file: url } }', faulty)).not.toThrow('the-password');
  expect(() => load(local.replace('localhost', 'db.example.test'))).not.toThrow('the-password');
});
