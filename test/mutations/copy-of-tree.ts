import { execFileSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type Edit, problemWithEdit } from './mutation.ts';

/** A copy of the repository's files that can be changed without anybody noticing. */
export interface CopyOfTree {
  readonly root: string;
  /**
   * Makes the edits.
   *
   * @returns The way to undo them.
   * @throws {Error} An edit's text does not occur exactly once.
   */
  edit(edits: readonly Edit[]): () => void;
  remove(): void;
}

/**
 * Copies all files that git does not ignore, into a new directory under the system's temporary one. Packages of the workspace resolve into the
 * copy, also for processes that tests start; packages of others are the ones that are installed.
 */
export function copyTree(root: string): CopyOfTree {
  const copy = realpathSync(mkdtempSync(join(tmpdir(), 'tokenmesh-mutations-')));
  const list = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], { cwd: root, encoding: 'utf8' });
  const files = [...new Set(list.split('\0'))].filter((file) => file !== '' && existsSync(join(root, file)));
  for (const file of files) {
    mkdirSync(dirname(join(copy, file)), { recursive: true });
    cpSync(join(root, file), join(copy, file));
  }
  for (const file of files.filter((name) => name.endsWith('package.json')))
    linkModules(join(root, dirname(file)), join(copy, dirname(file)));

  return {
    root: copy,
    edit(edits) {
      const originals = new Map<string, string>();
      const undo = () => {
        for (const [path, text] of originals) writeFileSync(path, text);
      };
      for (const edit of edits) {
        const path = join(copy, edit.file);
        const source = readFileSync(path, 'utf8');
        const problem = problemWithEdit(source, edit);
        if (problem !== undefined) {
          undo();
          throw new Error(problem);
        }
        if (!originals.has(path)) originals.set(path, source);
        // a function, for `$&` in a replacement text would mean something
        writeFileSync(
          path,
          source.replace(edit.find, () => edit.put),
        );
      }
      return undo;
    },
    remove: () => rmSync(copy, { recursive: true, force: true }),
  };
}

/** Links what is installed for one package. pnpm's links are relative, so that those to packages of the workspace lead into the copy. */
function linkModules(from: string, to: string): void {
  const modules = join(from, 'node_modules');
  if (!existsSync(modules)) return;
  mkdirSync(join(to, 'node_modules'));
  for (const name of readdirSync(modules)) {
    if (existsSync(join(modules, '.pnpm')) && (name === '.pnpm' || name === '.bin'))
      symlinkSync(join(modules, name), join(to, 'node_modules', name));
    else if (!name.startsWith('.')) {
      cpSync(join(modules, name), join(to, 'node_modules', name), { recursive: true, verbatimSymlinks: true });
    }
  }
}
