import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { problemWithTest, readConformance, testFileOf } from '../conformance.ts';
import { allMutations } from './all-mutations.ts';
import { editsOf, type Mutation, problemWithEdit } from './mutation.ts';
import { isFinding, outcomesOf, type TestRun } from './run-tests.ts';

const root = new URL('../../', import.meta.url);
/** T-39 is the same test as T-38; T-46 is about Node, and T-49 about what is not there. */
const attacks = Array.from({ length: 52 }, (_, index) => `T-${String(index + 1).padStart(2, '0')}`).filter(
  (name) => !['T-39', 'T-46', 'T-49'].includes(name),
);
const rows = readConformance().filter(({ file }) => file !== 'none yet');

describe('the mutations', () => {
  it('can be made: what is replaced occurs once', () => {
    const edits = allMutations.flatMap(editsOf);
    expect(edits.flatMap((edit) => problemWithEdit(readFileSync(new URL(edit.file, root), 'utf8'), edit) ?? [])).toEqual([]);
  });

  it('name tests that are there', () => {
    expect(allMutations.flatMap(({ fails }) => problemWithTest(fails.file, fails.title) ?? [])).toEqual([]);
  });

  it('stand for what there is: rows of docs/reference/conformance.md, and attacks', () => {
    const known = new Set([...attacks, ...rows.map(rowName)]);
    const named = allMutations.flatMap(({ of }) => (of.length === 0 ? ['RFC of no number'] : of));
    expect(named.filter((name) => /^(?:RFC|T-)/.test(name) && !known.has(name))).toEqual([]);
  });

  it('leave out no row of docs/reference/conformance.md', () => {
    const uncovered = rows.filter((row) => !allMutations.some((mutation) => isFor(mutation, row)));
    expect(uncovered.map((row) => `${rowName(row)}: ${row.title} ${row.kind}`.trim())).toEqual([]);
  });

  it('leave out no attack', () => {
    expect(attacks.filter((name) => !allMutations.some(({ of }) => of.includes(name)))).toEqual([]);
  });

  it('are each another one', () => {
    const keys = allMutations.map(({ fails, ...mutation }) => JSON.stringify([...editsOf(mutation as Mutation), fails]));
    expect(keys.filter((key, index) => keys.indexOf(key) !== index)).toEqual([]);
  });
});

describe('what a run came to', () => {
  const file = 'packages/a/src/b.test.ts';
  const run: TestRun = {
    outcomes: ['rules refuses a token that is old', 'rules refuses a token that is (new)', 'rules refuses a token'].map((fullName) => ({
      file,
      fullName,
      passed: true,
      failures: [],
    })),
    brokenFiles: [],
  };
  const named = (title: string, kind?: string) =>
    outcomesOf(run, { file, title, ...(kind !== undefined && { case: kind }) }).map(({ fullName }) => fullName);

  it('is told of the test that was named, all of its cases or one', () => {
    expect(named('refuses a token')).toEqual(['rules refuses a token']);
    expect(named('refuses a token that is %s')).toHaveLength(2);
    expect(named('refuses a token that is %s', '(new)')).toEqual(['rules refuses a token that is (new)']);
    expect(named('refuses a token that is $name', 'old')).toEqual(['rules refuses a token that is old']);
    expect(named('token that was %s')).toEqual([]);
    expect(outcomesOf(run, { file: 'packages/a/src/c.test.ts', title: 'refuses a token' })).toEqual([]);
  });

  it('counts an expectation that did not hold, and not a program that broke', () => {
    expect(isFinding('AssertionError: expected 1 to be 2')).toBe(true);
    expect(isFinding('Error: expected a refusal')).toBe(true);
    for (const name of ['SyntaxError', 'ReferenceError', 'TypeError']) expect(isFinding(`${name}: x is not what it was`)).toBe(false);
  });
});

/** `RFC 9449 4.3`: how a mutation names the rows of one section. */
function rowName({ standard, section }: (typeof rows)[number]): string {
  return `${/^RFC \d+/.exec(standard)?.[0]} ${section}`;
}

function isFor({ of, fails }: Mutation, row: (typeof rows)[number]): boolean {
  const isItsTest = fails.file === testFileOf(row) && fails.title === row.title && (row.kind === '' || fails.case === row.kind);
  return isItsTest && of.includes(rowName(row));
}
