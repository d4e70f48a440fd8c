import type { Mutation } from './mutation.ts';

const src = 'packages/interceptor/src';
const bearer = `${src}/incoming/bearer.ts`;
const bearerTest = `${src}/incoming/bearer.test.ts`;
const source = `${src}/outgoing/token-source.ts`;
const compactTest = `${src}/mesh/compact-metadata.test.ts`;
const issuerTest = 'services/token-exchange/src/grants/compact-metadata.test.ts';
const takingPart = 'has a token carried under the compact key where both its audience and this workload take part, and nowhere else';

/** What keeps `tokenmesh-token` as good, and as secret, as `authorization`. */
export const compactMetadataMutations: readonly Mutation[] = [
  {
    of: ['T-40'],
    file: bearer,
    find: 'usual.length + compact.length > 1',
    put: 'usual.length > 1',
    fails: {
      file: 'test/attacks-on-the-wire.test.ts',
      title: 'under two keys or twice under the compact one neither is taken, however they are sent',
    },
  },
  {
    of: ['T-40'],
    file: bearer,
    find: 'const value = usual[0] ?? compact[0];',
    put: 'const value = usual[0] || compact[0];',
    also: [
      { file: bearer, find: 'usual.length + compact.length > 1', put: 'usual.filter(Boolean).length + compact.filter(Boolean).length > 1' },
    ],
    fails: { file: bearerTest, title: 'T-40: refuses a value under each key, also where one is empty, and two under the compact one' },
  },
  {
    of: ['compact metadata'],
    file: bearer,
    find: '  for (const key of credentialKeys) metadata.remove(key);\n',
    put: "  metadata.remove('authorization');\n",
    fails: { file: compactTest, title: 'carries its token %s, and nothing of it reaches the handler', case: 'under the compact key' },
  },
  {
    of: ['compact metadata'],
    file: bearer,
    find: 'credentialKeys.some((key) => metadata.get(key).length > 0)',
    put: "metadata.get('authorization').length > 0",
    fails: { file: compactTest, title: 'a call may not bring one of its own' },
  },
  ...(
    [
      ['compactMetadata && issued.compactMetadata &&', 'compactMetadata &&'],
      ['compactMetadata && issued.compactMetadata &&', 'issued.compactMetadata &&'],
    ] as const
  ).map(
    ([find, put]): Mutation => ({
      ...{ of: ['compact metadata'], file: source, find, put },
      fails: { file: `${src}/outgoing/token-source.test.ts`, title: takingPart },
    }),
  ),
  {
    of: ['compact metadata'],
    file: `${src}/outgoing/bearer-credentials.ts`,
    find: "token.metadataKey ?? 'authorization'",
    put: "'authorization'",
    fails: { file: compactTest, title: 'sends a token whole on every call, and under the compact key a byte or two instead' },
  },
  {
    of: ['compact metadata'],
    file: 'services/token-exchange/src/grants/access-token.ts',
    find: 'audience.compactMetadata ?? false',
    put: 'true',
    fails: { file: issuerTest, title: 'is announced with each of its tokens, and no other audience is' },
  },
  {
    of: ['compact metadata'],
    file: 'services/token-exchange/src/doors/facade.ts',
    find: '{ ...response, compact_metadata: undefined }',
    put: 'response',
    fails: { file: issuerTest, title: 'is not announced over HTTP, whose answer is as it was' },
  },
];
