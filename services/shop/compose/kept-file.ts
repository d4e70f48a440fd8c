import { readFile, rename, writeFile } from 'node:fs/promises';

/** The text of a file that is there; otherwise of the one that `make` makes, written now. Readable by its owner alone. */
export async function keptFile(path: string, make: () => string): Promise<string> {
  const [text] = await keptFiles([path], () => [make()]);
  return text;
}

/**
 * The same for files that belong together, such as the halves of a key pair: all of them are made when the last one is missing.
 *
 * @throws {Error} One cannot be read or written.
 */
export async function keptFiles<const Paths extends readonly [string, ...string[]]>(
  paths: Paths,
  make: () => { readonly [Index in keyof Paths]: string },
): Promise<{ readonly [Index in keyof Paths]: string }> {
  const last = String(paths.at(-1));
  if (!(await exists(last))) {
    const texts = make();
    for (const [index, path] of paths.entries()) await writeWhole(path, texts[index] ?? '');
  }
  const texts = await Promise.all(paths.map((path) => readFile(path, 'utf8')));
  return texts as unknown as { readonly [Index in keyof Paths]: string }; // one text for each path
}

/** Writes a file that is there whole or not at all, whenever the process ends. */
export async function writeWhole(path: string, text: string): Promise<void> {
  await writeFile(`${path}.new`, text, { mode: 0o600 });
  await rename(`${path}.new`, path);
}

async function exists(path: string): Promise<boolean> {
  try {
    await readFile(path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false; // readFile throws nothing else for a path
    throw error;
  }
}
