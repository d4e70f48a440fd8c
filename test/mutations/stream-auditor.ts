import type { Mutation } from './mutation.ts';

const revocation = 'services/token-exchange/src/revocation';
const auditor = `${revocation}/stream-auditor.ts`;
const keptEvents = `${revocation}/kept-events.ts`;
const courierStream = 'packages/revocation/src/nats/courier-stream.ts';
const failsIn = (title: string) => ({ file: `${revocation}/stream-auditor.test.ts`, title });

/** Defences of the record against its courier: what the auditor finds and puts right. */
export const streamAuditorMutations: readonly Mutation[] = [
  {
    of: ['auditor'],
    file: auditor,
    find: 'if (state.created !== created) return',
    put: "if (state.created === '') return",
    fails: failsIn('is refilled when it was deleted and is created again, and both are told and audited'),
  },
  {
    of: ['auditor'],
    file: auditor,
    find: 'return message && message.storedAt !== storedAt ? rewound : undefined;',
    put: 'return message === undefined ? rewound : undefined;',
    fails: failsIn('notices an older copy of it that has grown since by another message under the last number'),
  },
  {
    of: ['auditor'],
    file: auditor,
    find: "return [seq, isPast && isSignedHere(compact) ? 'own' : 'foreign'];",
    put: "return [seq, isPast || isSignedHere(compact) ? 'own' : 'foreign'];",
    fails: failsIn('is told to hold what the record did not publish, once'),
  },
  {
    of: ['auditor'],
    file: auditor,
    find: 'for (const { n, t, sent } of deliveries) if (sent) kept.expect(n, t);',
    put: 'for (const { n, t } of deliveries) kept.expect(n, t);',
    fails: failsIn('does not miss what the courier has not taken yet, and does as soon as it took it'),
  },
  {
    of: ['auditor'],
    file: auditor,
    find: '    await recheck(courier, state);\n',
    put: '',
    fails: failsIn('finds what a disk forgot or changed without a word, and puts it right'),
  },
  {
    of: ['auditor'],
    file: auditor,
    find: '    if (!isWhole) kept.expectFromFirstFound();\n',
    put: '',
    fails: failsIn('misses nothing that lies before the part of a long stream that it read'),
  },
  {
    of: ['auditor'],
    file: keptEvents,
    find: 'seq >= firstSeq && !deleted.has(seq)',
    put: '!deleted.has(seq)',
    fails: failsIn('is refilled when it was purged, though the server remembers every id'),
  },
  {
    of: ['auditor'],
    file: courierStream,
    find: 'if (!duplicate || (await read(seq))?.compact === compact) return seq;',
    put: 'return seq;',
    fails: failsIn('is refilled when it was purged, though the server remembers every id'),
  },
  {
    of: ['auditor'],
    file: courierStream,
    find: `msgID = \`\${epoch}:\${n}:\${seq}\`;`,
    put: `msgID = \`\${epoch}:\${n}:\${Math.random()}\`;`,
    fails: failsIn('gets back the one message that was removed from it, once, however many replicas miss it'),
  },
  {
    of: ['fence'],
    file: 'services/token-exchange/src/record/sqlite.ts',
    find: '      assertOurs(); // or its checkpoints would call fresh what another process may have moved on\n',
    put: '',
    fails: {
      file: 'services/token-exchange/src/record/sqlite.test.ts',
      title: 'takes no transaction, and tells no position, once another process has opened it all the same',
    },
  },
  {
    of: ['T-32'],
    file: `${revocation}/event-writer.ts`,
    find: 'Math.max((await transaction.latestFamilyExp()) - latest, begunSessionSeconds())',
    put: '(await transaction.latestFamilyExp()) - latest',
    fails: {
      file: `${revocation}/revocation-log.test.ts`,
      title: 'T-32 counts the sessions that may be beginning beside it, where transactions can be',
    },
  },
  {
    of: ['T-32'],
    file: `${revocation}/event-writer.ts`,
    find: 'Math.max(longestLifeSeconds, sessionSeconds)',
    put: 'Math.max(ceilingSeconds, sessionSeconds)',
    fails: { file: `${revocation}/revocation-log.test.ts`, title: 'counts the longest life that was ever configured' },
  },
  {
    of: ['T-32'],
    file: `${revocation}/event-writer.ts`,
    find: "(kind === 'key' ? keyMemorySeconds : 0)",
    put: '0',
    fails: {
      file: `${revocation}/compaction.test.ts`,
      title: 'T-32 compaction forgets nothing that still matters: tokens, sessions and keys, under changing lives and restarts',
    },
  },
];
