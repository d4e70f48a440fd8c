import type { Mutation } from './mutation.ts';

const log = 'services/token-exchange/src/revocation';
const logTest = `${log}/revocation-log.test.ts`;
const clockTest = `${log}/expiry-clock.test.ts`;
const epochTest = `${log}/begin-epoch.test.ts`;
const knownTime = 'packages/interceptor/src/mesh/known-time.ts';
const knownTimeTest = 'packages/interceptor/src/mesh/known-time.test.ts';

/** Defences against wall clocks that are set, and against what a restored record brings back. */
export const clockMutations: readonly Mutation[] = [
  {
    of: ['clocks'],
    file: 'packages/revocation/src/feed.ts',
    find: 'Math.min(wallMs, freshness.freshAtMs)',
    put: 'wallMs',
    fails: {
      file: 'packages/revocation/src/feed.test.ts',
      title: 'forgets nothing while its clock is ahead, for what is revoked has to stay so when the clock is set right',
    },
  },
  {
    of: ['clocks'],
    file: `${log}/revocation-log.ts`,
    find: 'const nowSeconds = Math.floor(clock.earliest() / 1000);',
    put: 'const nowSeconds = Math.floor(now() / 1000);',
    fails: { file: logTest, title: 'outlives a clock that is ahead for a while, in force here, in the record and in snapshots' },
  },
  {
    of: ['clocks'],
    file: `${log}/log-statements.ts`,
    find: 'clock.earliest()',
    put: 'now()',
    fails: { file: logTest, title: 'outlives a clock that is ahead for a while, in force here, in the record and in snapshots' },
  },
  {
    of: ['clocks'],
    file: `${log}/event-writer.ts`,
    find: 'clock.latest()',
    put: 'now()',
    fails: {
      file: logTest,
      title: 'counts from the latest time that tokens were dated with, also after a restart with a clock that is behind',
    },
  },
  {
    of: ['clocks'],
    file: `${log}/expiry-clock.ts`,
    find: '    latest = Math.max(latest, wallMs);\n',
    put: '',
    fails: { file: clockTest, title: 'after it was ahead, what is revoked is remembered for as long as tokens that were issued then live' },
  },
  {
    of: ['clocks'],
    file: knownTime,
    find: 'return knownMs - wallMs > toleranceMs ? knownMs : wallMs;',
    put: 'return wallMs;',
    fails: {
      file: knownTimeTest,
      title: 'is the wall clock’s as long as it is no more than 5 s behind what is known, and then what is known',
    },
  },
  {
    of: ['clocks'],
    file: 'packages/interceptor/src/mesh/compose-mesh.ts',
    find: '        timeAt: knownTime(feed),\n',
    put: '',
    fails: {
      file: knownTimeTest,
      title: 'is what a mesh judges calls by, so that an expired token stays so when the wall clock is set back',
    },
  },
  {
    of: ['restored records'],
    file: `${log}/begin-epoch.ts`,
    find: '    await keys.withdraw(transaction, kids);\n',
    put: '',
    fails: { file: epochTest, title: 'withdraws every key of the backup, for one of them may have been withdrawn since' },
  },
];
