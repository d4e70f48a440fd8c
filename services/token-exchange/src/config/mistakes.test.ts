import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { exportJwk, generateSigningKey } from '@tokenmesh/token';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { createTestCertificate } from '../clients/test-certificate.ts';
import { temporaryDirectory } from '../testing.ts';
import { loadConfig } from './config.ts';
import { createConfigJsonSchema } from './config-json-schema.ts';
import { ConfigError } from './config-problem.ts';
import { checkShape } from './config-schema.ts';

const folder = new URL('./mistakes/', import.meta.url);
const fixtures = readdirSync(folder).sort();
/** The last line of each: `# expected 9:16: path: what, expected …, did you mean …?`. */
const textOf = (fixture: string) => readFileSync(new URL(fixture, folder), 'utf8');
const expectedOf = (text: string) => /\n# expected (.+)\n$/.exec(text)?.[1];

let directory: ReturnType<typeof temporaryDirectory>;
beforeAll(() => {
  directory = temporaryDirectory();
  const { cert, key } = createTestCertificate();
  writeFileSync(join(directory.path, 'cert.pem'), cert);
  writeFileSync(join(directory.path, 'key.pem'), key);
  writeFileSync(join(directory.path, 'jwks.json'), JSON.stringify({ keys: [exportJwk(generateSigningKey())] }));
});
afterAll(() => directory.remove());

function problemsOf(text: string): readonly string[] {
  const file = join(directory.path, 'tokenmesh.yaml');
  writeFileSync(file, text);
  try {
    loadConfig(file);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.problems.map((problem) => problem.replace(`${file}:`, ''));
  }
}

/** Without its mistake: the fixtures differ from it in nothing else. */
const good = `trust_domain: shop.test
tls: { cert: cert.pem, key: key.pem }
store: { sqlite: record.db }
limits: { per_workload: 1, queue: 100000 }
workloads:
  - { id: spiffe://shop.test/gateway, jwks_file: jwks.json }
audiences:
  - { id: spiffe://shop.test/orders, scopes: [orders.read] }
grants:
  - { from: spiffe://shop.test/gateway, to: spiffe://shop.test/orders, scopes: [orders.read], delegation: { scopes: [orders.read] } }
`;

describe('a mistake in tokenmesh.yaml', () => {
  it('has a fixture for each of at least 20 kinds', () => {
    expect(fixtures.length).toBeGreaterThanOrEqual(20);
  });

  it.each(fixtures)('%s is told in one line, at its place, with the way out', (fixture) => {
    const text = textOf(fixture);
    expect(problemsOf(text)).toEqual([expectedOf(text)]);
  });

  it('is none where there is none', () => {
    expect(problemsOf(good)).toEqual([]);
  });
});

describe('the published JSON Schema', () => {
  // as an editor sees it, through a reader of JSON Schema that knows nothing of ours
  const published: unknown = JSON.parse(readFileSync(new URL('../../../../docs/reference/tokenmesh.schema.json', import.meta.url), 'utf8'));
  const schema = z.fromJSONSchema(published as z.core.JSONSchema.JSONSchema); // the generator wrote it
  /** Of durations it knows the form, not the limits. */
  const beyond = ['out-of-range.yaml'];
  /** Not even YAML, or not before it is followed. */
  const unreadable = ['alias-of-nothing.yaml', 'name-twice.yaml', 'tab-for-indentation.yaml'];

  it('is what the configuration is checked with', () => {
    expect(published).toEqual(JSON.parse(JSON.stringify(createConfigJsonSchema())));
  });

  it('takes a configuration that is in order', () => {
    expect(schema.safeParse(parse(good)).success).toBe(true);
  });

  it.each(fixtures.filter((fixture) => !beyond.includes(fixture) && !unreadable.includes(fixture)))(
    'takes %s exactly when its shape is right',
    (fixture) => {
      const document: unknown = parse(textOf(fixture));
      expect(schema.safeParse(document).success).toBe(checkShape(document).file !== undefined);
    },
  );

  it('describes every member', () => {
    expect(undescribed(published, '')).toEqual([]);
  });
});

/** Members without a description. */
function undescribed(schema: unknown, path: string): string[] {
  if (typeof schema !== 'object' || schema === null) return [];
  const { properties = {}, items, anyOf = [] } = schema as { properties?: Record<string, object>; items?: unknown; anyOf?: unknown[] };
  return [
    ...Object.entries(properties).flatMap(([name, member]) => [
      ...('description' in member ? [] : [`${path}.${name}`]),
      ...undescribed(member, `${path}.${name}`),
    ]),
    ...[items, ...anyOf].flatMap((inner) => undescribed(inner, path)),
  ];
}
