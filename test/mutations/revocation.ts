import type { Mutation } from './mutation.ts';

const set = 'packages/revocation/src/revocation-set.ts';
const signedStatement = 'packages/revocation/src/signed-statement.ts';
const eventTest = 'packages/revocation/src/event.test.ts';
const setTest = 'packages/revocation/src/revocation-set.test.ts';
const snapshotTest = 'packages/revocation/src/snapshot.test.ts';

/** Defences of packages/revocation. */
export const revocationMutations: readonly Mutation[] = [
  {
    of: ['T-23'],
    file: 'packages/revocation/src/entry-table.ts',
    find: '    if (n <= held.n && t <= held.t && exp <= held.exp) return false;\n',
    put: '',
    also: [{ file: 'packages/revocation/src/entry-table.ts', find: 'Math.max(n, held.n)', put: 'n' }],
    fails: { file: setTest, title: 'T-23 of any two targets the stricter decides, whichever came first' },
  },
  {
    of: ['T-23'],
    file: set,
    find: "      watermark(table, 'all', '', claims) ??\n",
    put: "      (table.has(kindIndex.client) ? undefined : watermark(table, 'all', '', claims)) ??\n",
    fails: { file: setTest, title: 'T-23 of any two targets the stricter decides, whichever came first' },
  },
  {
    of: ['T-27'],
    file: set,
    find: 'first(actorChain({ act }), (actor)',
    put: 'first([act.sub], (actor)',
    fails: { file: setTest, title: 'T-27 a revoked actor anywhere in the chain takes the token back' },
  },
  {
    of: ['T-28'],
    file: signedStatement,
    find: '  checkSignature(jws, key);\n',
    put: '',
    fails: { file: eventTest, title: 'T-28 an event by %s is refused', case: 'another key of the same kid' },
  },
  {
    of: ['T-28'],
    file: signedStatement,
    find: 'if (jws.payload.iss !== issuer)',
    put: 'if (jws.payload.iss === undefined)',
    fails: { file: eventTest, title: 'T-28 an event by %s is refused', case: 'another issuer' },
  },
  {
    of: ['T-28'],
    file: signedStatement,
    find: 'if (jws.payload.aud !== mesh)',
    put: 'if (jws.payload.aud === undefined)',
    fails: { file: eventTest, title: 'T-28 an event by %s is refused', case: 'another mesh' },
  },
  {
    of: ['T-28'],
    file: 'packages/token/src/jws.ts',
    find: "event: 'secevent+jwt'",
    put: "event: 'checkpoint+jwt'",
    fails: { file: eventTest, title: 'T-28 an event by %s is refused', case: 'a checkpoint' },
  },
  {
    of: ['T-28'],
    file: 'packages/token/src/jws.ts',
    find: "snapshot: 'snapshot+jwt'",
    put: "snapshot: 'checkpoint+jwt'",
    fails: {
      file: snapshotTest,
      title: 'T-28 a checkpoint by another key, for another mesh, of another issuer or of another typ is refused',
    },
  },
  {
    of: ['T-32'],
    file: 'packages/revocation/src/entry-shard.ts',
    find: '      if (exp >= fromSeconds) columns',
    put: '      if (exp >= fromSeconds + (fromSeconds > 0 ? 30 : 0)) columns',
    fails: { file: setTest, title: 'T-32 expiry and a copy never give back a token that is revoked and alive' },
  },
  {
    of: ['T-32'],
    file: 'packages/revocation/src/entry-table.ts',
    find: 'Math.max(exp, held.exp)',
    put: 'Math.min(exp, held.exp)',
    fails: { file: setTest, title: 'T-32 expiry and a copy never give back a token that is revoked and alive' },
  },
];
