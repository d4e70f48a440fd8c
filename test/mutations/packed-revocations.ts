import type { Mutation } from './mutation.ts';

const src = 'packages/revocation/src';
const table = `${src}/entry-table.ts`;
const shard = `${src}/entry-shard.ts`;
const set = `${src}/revocation-set.ts`;
const entries = `${src}/snapshot-entries.ts`;
const tableTest = `${src}/entry-table.test.ts`;
const shardTest = `${src}/entry-shard.test.ts`;
const setTest = `${src}/revocation-set.test.ts`;
const modelTest = `${src}/revocation-set-model.test.ts`;
const snapshotTest = `${src}/snapshot.test.ts`;
const hashTest = `${src}/half-sip-hash.test.ts`;
const log = 'services/token-exchange/src/revocation';
const refused = 'a snapshot with %s is refused although its head is signed';
const agrees = 'agrees with a plain Map over any sequence of events, loads, merges, expiries, copies and snapshots';

/** What keeps packed revocations and their snapshots as exact as a list of all of them. */
export const packedRevocationMutations: readonly Mutation[] = [
  {
    of: ['packed revocations'],
    file: `${src}/half-sip-hash.ts`,
    find: '    let rounds = 2;\n',
    put: '    let rounds = 1;\n',
    fails: { file: hashTest, title: 'gives what the reference implementation gives, for messages of 0 to 63 bytes' },
  },
  {
    of: ['packed revocations'],
    file: `${src}/half-sip-hash.ts`,
    find: '  if (seen > 0x7f) hashCodes(',
    put: '  if (seen > 0xffff) hashCodes(',
    fails: { file: hashTest, title: 'hashes the UTF-8 bytes of a text, with its length in bytes' },
  },
  {
    of: ['packed revocations'],
    file: `${src}/fingerprints.ts`,
    find: 'keyOf(epoch, kind),',
    put: "keyOf(epoch, 'token'),",
    fails: { file: modelTest, title: agrees },
  },
  {
    of: ['packed revocations'],
    file: `${src}/fingerprints.ts`,
    find: 'update(`tokenmesh fingerprint',
    put: 'update(`tokenmesh fingerprints',
    fails: { file: snapshotTest, title: 'a snapshot is written as its form says, byte for byte' },
  },
  {
    of: ['packed revocations'],
    file: table,
    find: '    this.#filter.add(high); // last: it may be another filter now\n    return changed;\n',
    put: '    return changed;\n',
    fails: { file: tableTest, title: 'finds what was added when the filter is made anew, at every size around it' },
  },
  {
    of: ['packed revocations'],
    file: `${src}/presence-filter.ts`,
    find: 'this.#words.length / 2 ** 32',
    put: '(this.#words.length * 0.999) / 2 ** 32',
    fails: {
      file: `${src}/presence-filter.test.ts`,
      title: 'forgets one shard and nothing of those beside it, of %i words each',
      case: 'of 3 words',
    },
  },
  {
    of: ['packed revocations'],
    file: set,
    find: '(1 << kindIndex.key) | (1 << kindIndex.token);',
    put: '(1 << kindIndex.key) | (1 << kindIndex.token) | (1 << kindIndex.grant);',
    fails: { file: modelTest, title: agrees },
  },
  {
    of: ['packed revocations'],
    file: table,
    find: '    this.#isOwn.fill(0);\n',
    put: '',
    fails: { file: tableTest, title: 'a table and those captured from it change apart from one another' },
  },
  {
    of: ['packed revocations'],
    file: table,
    find: '    this.#isOwn[index] = held === undefined ? 0 : 1;\n',
    put: '    this.#isOwn[index] = 1;\n',
    fails: { file: tableTest, title: 'what was merged into a table does not change with it' },
  },
  {
    of: ['packed revocations'],
    file: table,
    find: 'if (exp < nowSeconds) this.#until[kind] = -1;',
    put: 'if (exp <= nowSeconds + 60) this.#until[kind] = -1;',
    fails: { file: tableTest, title: 'a kind counts as absent once all of its targets have expired, and only then' },
  },
  {
    of: ['packed revocations'],
    file: shard,
    find: ' && isWithin(exp - t, lifeRange)',
    put: '',
    fails: { file: shardTest, title: 'holds what was put into it, in order, whether it is narrow or wide' },
  },
  {
    of: ['packed revocations'],
    file: shard,
    find: ' && isWithin(t - this.#lowestT, timeRange)',
    put: '',
    fails: { file: shardTest, title: 'holds what was put into it, in order, whether it is narrow or wide' },
  },
  {
    of: ['packed revocations'],
    file: shard,
    find: 'above >= 0 && above < range',
    put: 'above < range',
    fails: { file: shardTest, title: 'holds what was put into it, in order, whether it is narrow or wide' },
  },
  {
    of: ['packed revocations'],
    file: shard,
    find: '      if (exp >= fromSeconds) columns',
    put: '      if (exp > fromSeconds) columns',
    fails: { file: shardTest, title: 'forgets what expired before and nothing else, and goes on from there' },
  },
  {
    of: ['packed revocations'],
    file: shard,
    find: '        merged.raiseLast(b, j++);\n',
    put: '        j++;\n',
    fails: { file: shardTest, title: 'merges with another into what both hold, with the highest of each number' },
  },
  {
    of: ['packed revocations'],
    file: set,
    find: 'Math.floor(iat) <= t',
    put: 'Math.floor(iat) < t',
    fails: { file: setTest, title: 'a %s target covers a foreign token that was issued no later than the event' },
  },
  {
    of: ['packed revocations'],
    file: set,
    find: "    if (entries.epoch !== table.epoch) throw new TypeError('entries of another epoch cannot be merged');\n",
    put: '',
    fails: { file: modelTest, title: 'entries of another epoch are not merged' },
  },
  {
    of: ['packed revocations'],
    file: `${src}/feed.ts`,
    find: '      if (head.epoch === positionOf(this.#state).epoch) await this.set.merge(entries);\n',
    put: '',
    fails: { file: `${src}/feed.test.ts`, title: 'takes the snapshot when the missing events are not kept any more' },
  },
  {
    of: ['packed revocations'],
    file: `${src}/feed.ts`,
    find: 'if (effect.replace && loaded !== undefined)',
    put: 'if (loaded !== undefined)',
    fails: { file: `${src}/feed.test.ts`, title: 'keeps in force what it heard of beyond the position of a snapshot' },
  },
  {
    of: ['packed revocations'],
    file: `${src}/snapshot.ts`,
    find: "  if (hash.digest('base64url') !== head.digest)",
    put: "  if (hash.digest('base64url') === '')",
    fails: { file: snapshotTest, title: 'a snapshot with a chunk that is missing, changed, added or moved is refused' },
  },
  {
    of: ['packed revocations'],
    file: `${src}/snapshot.ts`,
    find: '  if (form !== entriesForm) {',
    put: '  if (form === null) {',
    fails: { file: snapshotTest, title: 'entries of a form that is not known are refused, and the message says so' },
  },
  {
    of: ['packed revocations'],
    file: entries,
    find: 'byteLength === 0 || byteLength > chunkBytes || byteLength % entryBytes !== 0',
    put: 'byteLength > chunkBytes',
    fails: { file: snapshotTest, title: refused, case: 'an empty chunk' },
  },
  {
    of: ['packed revocations'],
    file: entries,
    find: 'byteLength > chunkBytes || ',
    put: '',
    fails: { file: snapshotTest, title: 'a chunk above 256 KiB is refused although its head is signed' },
  },
  {
    of: ['packed revocations'],
    file: entries,
    find: 'if (this.#builder.size + byteLength / entryBytes > this.#summary.count)',
    put: 'if (this.#summary.count < 0)',
    fails: { file: snapshotTest, title: 'a snapshot is not read on once there are more entries than its head says' },
  },
  {
    of: ['packed revocations'],
    file: entries,
    find: 'if (this.#builder.size !== this.#summary.count)',
    put: 'if (this.#summary.count < 0)',
    fails: { file: snapshotTest, title: refused, case: 'fewer entries than its head says' },
  },
  {
    of: ['packed revocations'],
    file: entries,
    find: 'if (n < 1 || n > this.#headN)',
    put: 'if (n < 1)',
    fails: { file: snapshotTest, title: refused, case: 'an entry beyond its head' },
  },
  {
    of: ['packed revocations'],
    file: entries,
    find: 'if (exp > this.#latestExp)',
    put: 'if (exp < 0)',
    fails: { file: snapshotTest, title: refused, case: 'an entry that lives longer than its head says' },
  },
  {
    of: ['packed revocations'],
    file: `${src}/packed-entries.ts`,
    find: 'if (high < this.#high || (high === this.#high && low <= this.#low)) return false;',
    put: 'if (high < this.#high) return false;',
    fails: { file: snapshotTest, title: refused, case: 'an entry twice' },
  },
  {
    of: ['packed revocations'],
    file: `${log}/shared-snapshot.ts`,
    find: 'if (shared?.kid === kid)',
    put: 'if (shared)',
    fails: {
      file: `${log}/shared-snapshot.test.ts`,
      title: 'hands out none that a key signed which signs no more, also while it is being made',
    },
  },
  {
    of: ['packed revocations'],
    file: `${log}/applied-log.ts`,
    find: '      while (highest > n);\n',
    put: '      while (highest < 0);\n',
    fails: {
      file: `${log}/applied-log.test.ts`,
      title: 'captures everything up to one position, also when it knows a later event than those in between',
    },
  },
  {
    of: ['packed revocations'],
    file: 'packages/revocation/src/fingerprints.ts',
    find: 'if (last.value === value) return;',
    put: 'if (last.value !== undefined) return;',
    fails: {
      file: 'packages/revocation/src/fingerprints.test.ts',
      title: 'gives a value of a kind the same fingerprint, whatever was taken before',
    },
  },
];
