import type { Mutation } from './mutation.ts';

const announcements = 'packages/revocation/src/key-announcements.ts';
const announcementsTest = 'packages/revocation/src/key-announcements.test.ts';
const log = 'services/token-exchange/src/revocation';

/** What makes verifiers ask for keys when a checkpoint says that they changed, and what keeps that from becoming a storm. */
export const announcedKeyMutations: readonly Mutation[] = [
  {
    of: ['announced keys'],
    file: 'packages/revocation/src/feed.ts',
    find: ' || freshness.freshAtMs !== t',
    put: '',
    fails: {
      file: 'packages/revocation/src/feed-keys.test.ts',
      title: 'tells which version a checkpoint names only when that counts: not of one that was played again, forged or is from the future',
    },
  },
  {
    of: ['announced keys'],
    file: announcements,
    find: 'if (version <= held || closed) return;',
    put: 'if (version === held || closed) return;',
    also: [{ file: announcements, find: 'if (wanted <= held) return;', put: 'if (wanted === held) return;' }],
    fails: { file: announcementsTest, title: 'are not asked for when the answer had them, or later ones, as while a replica lags' },
  },
  {
    of: ['announced keys'],
    file: announcements,
    find: ' + spreadMs * random()',
    put: '',
    fails: { file: announcementsTest, title: 'are asked for at a moment of their own within half a second' },
  },
  {
    of: ['announced keys'],
    file: announcements,
    find: 'pauseMs = Math.min(maxPauseMs, 2 * pauseMs);',
    put: 'pauseMs = minPauseMs;',
    fails: {
      file: announcementsTest,
      title: 'are asked for more and more seldom while the answer is %s, once a minute in the end, and again at once after they came',
      case: 'older ones',
    },
  },
  {
    of: ['announced keys', 'F14'],
    file: announcements,
    find: 'if (monotonicNow() < notBeforeMs) plan();\n    else ask();',
    put: 'ask();',
    fails: {
      file: 'packages/interceptor/src/incoming/remote-key-set.test.ts',
      title: 'F14 asks at once for keys of a later version that are announced, once a second together with unknown kids',
    },
  },
  {
    of: ['announced keys'],
    file: 'packages/revocation/src/feed.ts',
    find: '    this.#announcements.announced(keysVersion);\n',
    put: '',
    fails: {
      file: 'packages/revocation/src/feed-keys.test.ts',
      title: 'asks for the feed’s keys as soon as a checkpoint names a later version, and forgets the one that was withdrawn',
    },
  },
  {
    of: ['announced keys'],
    file: 'packages/interceptor/src/mesh/issuer-connection.ts',
    find: '    onKeysVersion: keys.announced,\n',
    put: '',
    fails: {
      file: 'services/token-exchange/src/keys/announced-keys.test.ts',
      title: 'verifiers learn new keys, and forget withdrawn ones, from the next checkpoint, not when max-age is half over',
    },
  },
  {
    of: ['announced keys'],
    file: `${log}/revocation-log.ts`,
    find: 'announcing.then(broadcastCheckpoint)',
    put: 'announcing',
    fails: {
      file: 'services/token-exchange/src/keys/announced-keys.test.ts',
      title: 'a checkpoint names the version of the keys, and one goes out as soon as they changed, before the next second',
    },
  },
  {
    of: ['announced keys'],
    file: `${log}/begin-epoch.ts`,
    find: 'transaction.lockKeys(epochDistance)',
    put: 'transaction.lockKeys()',
    fails: {
      file: `${log}/begin-epoch.test.ts`,
      title: 'gives the keys a version above every one that the lost part of the record can have announced',
    },
  },
];
