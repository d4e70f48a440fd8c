/**
 * The same text in memory of its own. What was read from a longer text is a slice of it, which keeps all of it in memory for as long as it lives itself.
 */
export function ownText(text: string): string {
  return Buffer.from(text).toString();
}

/**
 * Remembers what was made of a text: for what tokens have in common, such as headers, names and scopes. What is made must follow from the text alone, and nobody
 * may change it.
 *
 * @param max At that many texts all of them are forgotten; what was handed out stays as it is.
 * @param make Gets the text in memory of its own.
 * @returns What `make` makes; what it throws is thrown, and not remembered.
 */
export function remembering<Made>(max: number, make: (text: string) => Made): (text: string) => Made {
  const known = new Map<string, Made>();
  return (text) => {
    const before = known.get(text);
    if (before !== undefined) return before;
    const own = ownText(text);
    const made = make(own);
    if (known.size === max) known.clear();
    known.set(own, made);
    return made;
  };
}
