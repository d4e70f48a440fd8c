/**
 * The files that a document shows: fenced blocks whose first line names them, as in ```` ```ts title="orders.ts" ````.
 *
 * @returns Texts by name, in the document's order.
 * @throws {Error} Two blocks have one name.
 */
export function fencedFiles(markdown: string): ReadonlyMap<string, string> {
  const files = new Map<string, string>();
  for (const [, name = '', text = ''] of markdown.matchAll(/^```\w+ title="([^"]+)"\n(.*?)^```$/gms)) {
    if (files.has(name)) throw new Error(`two blocks are named ${name}`);
    files.set(name, text);
  }
  return files;
}
