/** One line that the model printed: an input of the verifier, its state afterwards, or what somebody did. */
export interface TraceLine {
  readonly what: string;
  /** `n=2` as `n: 2`. */
  readonly values: Readonly<Record<string, number>>;
  /** What follows and is no `name=number`. */
  readonly word: string;
}

/** The lines that begin with `@`, in order. */
export function parseTrace(output: string): readonly TraceLine[] {
  return output.split('\n').flatMap((line) => {
    const [mark, what, ...rest] = line.trim().split(' ');
    if (mark !== '@' || what === undefined) return [];
    const pairs = rest.flatMap((part) => {
      const [, name, value] = /^(\w+)=(-?\d+)$/.exec(part) ?? [];
      return name === undefined ? [] : [[name, Number(value)] as const];
    });
    const word = rest.find((part) => !part.includes('=')) ?? '';
    return [{ what, values: Object.fromEntries(pairs), word }];
  });
}
