/** One place of the source, and what stands there instead. */
export interface Edit {
  /** Path from the root. */
  readonly file: string;
  /** Exact text, which occurs once in the file. */
  readonly find: string;
  readonly put: string;
}

/** A defence taken out of the source, and the test that notices. */
export interface Mutation extends Edit {
  /**
   * What it stands for: an attack (`T-05`), or a row of docs/reference/conformance.md by standard and section as they are spelled there
   * (`RFC 9449 4.3`); which row of the section, the test says. Another word names a defence of our own (`admission`).
   */
  readonly of: readonly string[];
  /** Where the same defence stands in another layer as well, which would hold alone. */
  readonly also?: readonly Edit[];
  /** The test that must fail: as a row of docs/reference/conformance.md names it. */
  readonly fails: {
    /** Path from the root. */
    readonly file: string;
    /** As the file spells it, so `%s` (or another placeholder) stands for any case of a table. */
    readonly title: string;
    /** A text that the title of the one case holds. */
    readonly case?: string;
  };
}

/** The edits of a mutation, first its own. */
export function editsOf(mutation: Mutation): readonly Edit[] {
  return [mutation, ...(mutation.also ?? [])];
}

/** What is wrong with an edit of this text, in words; undefined when it can be made. */
export function problemWithEdit(source: string, { file, find, put }: Edit): string | undefined {
  const occurrences = source.split(find).length - 1;
  if (find === put) return `${file}: nothing would change`;
  return occurrences === 1 ? undefined : `${file} holds ${occurrences} times, not once: ${find}`;
}
