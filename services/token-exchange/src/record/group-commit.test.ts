import { DatabaseSync } from 'node:sqlite';
import { type Kysely, sql, type Transaction } from 'kysely';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Commit, groupCommits } from './group-commit.ts';
import type { Tables } from './migrations.ts';
import { createKysely } from './sqlite.ts';

let database: DatabaseSync;
let db: Kysely<Tables>;
/** How many commits there were. */
let commits: number;
/** What was noted, to be written with the commit. */
let noted: string[];
/** Makes commits fail after everything in them has run. */
let isDiskFull: boolean;

beforeEach(async () => {
  commits = 0;
  isDiskFull = false;
  noted = [];
  database = new DatabaseSync(':memory:');
  db = createKysely(database);
  await sql`create table notes (text text primary key)`.execute(db);
});

afterEach(() => db.destroy());

/** A commit that is counted, and fails when the test says so. */
const observed: Commit<Transaction<Tables>> = (work) =>
  db.transaction().execute(async (inside) => {
    const value = await work({
      inside,
      mark() {
        const { length } = noted;
        return () => void noted.splice(length);
      },
    });
    commits++;
    if (isDiskFull) throw new Error('disk full');
    return value;
  });

const grouped = () => {
  const execute = (sql: string) => () => database.exec(sql);
  return groupCommits(observed, {
    set: execute('savepoint member'),
    undo: execute('rollback to member'),
    release: execute('release member'),
  });
};

const note = (text: string, commit = grouped()) =>
  commit(async (transaction) => {
    await sql`insert into notes values (${text})`.execute(transaction);
    noted.push(text);
    return text;
  });

async function notes(): Promise<string[]> {
  const { rows } = await sql<{ text: string }>`select text from notes order by text`.execute(db);
  return rows.map(({ text }) => text);
}

describe('groupCommits', () => {
  it('commits transactions that come together once, and answers each with its own result', async () => {
    const commit = grouped();
    const texts = Array.from({ length: 50 }, (_, index) => `note ${index}`);
    expect(await Promise.all(texts.map((text) => note(text, commit)))).toEqual(texts);
    expect(await notes()).toHaveLength(50);
    expect(commits).toBe(1);
  });

  it('carries 64 transactions in one commit, and the next one in another', async () => {
    const commit = grouped();
    await Promise.all(Array.from({ length: 64 }, (_, index) => note(`a${index}`, commit)));
    expect(commits).toBe(1);
    await Promise.all(Array.from({ length: 65 }, (_, index) => note(`b${index}`, commit)));
    expect(commits).toBe(3);
  });

  it('undoes a transaction that throws, and none beside it', async () => {
    const commit = grouped();
    const failing = commit(async (transaction) => {
      await sql`insert into notes values ('undone')`.execute(transaction);
      noted.push('undone');
      throw new Error('refused');
    });
    const outcomes = await Promise.allSettled([note('before', commit), failing, note('before', commit), note('after', commit)]);
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected', 'fulfilled']);
    expect(outcomes[1]).toMatchObject({ reason: { message: 'refused' } });
    expect(await notes()).toEqual(['after', 'before']);
    expect(noted).toEqual(['before', 'after']); // the second of the same name broke the key
  });

  it('answers none of a group whose commit fails, and goes on with the next', async () => {
    const commit = grouped();
    isDiskFull = true;
    const outcomes = await Promise.allSettled([note('a', commit), note('b', commit)]);
    expect(outcomes).toMatchObject([{ reason: { message: 'disk full' } }, { reason: { message: 'disk full' } }]);
    expect(await notes()).toEqual([]);
    isDiskFull = false;
    expect(await note('c', commit)).toBe('c');
  });

  it('shows a transaction what those before it in the group have written', async () => {
    const commit = grouped();
    const [, seen] = await Promise.all([
      note('first', commit),
      commit(async (transaction) => (await sql`select text from notes`.execute(transaction)).rows),
    ]);
    expect(seen).toEqual([{ text: 'first' }]);
  });

  it('takes a transaction that comes while a group is being worked on into the next', async () => {
    const commit = grouped();
    let late: Promise<string> | undefined;
    await commit(async () => {
      late = note('late', commit);
    });
    expect(await late).toBe('late');
    expect(commits).toBe(2);
  });
});
