import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/**
 * What an entry point of a package exports without saying what it is.
 *
 * Reads declarations as `tsc` writes them: one per line, `/** … *\/` above. Looks at every export, and at every optional member of exported options, for
 * what may be left out has a default. What is generated has its text in the .proto file, and what another package exports is that package's.
 *
 * @param file The entry point's `.d.ts`.
 * @returns `name` or `name.member`; empty when all is told.
 */
export function findUndocumented(file: string): string[] {
  return exportsOf(file).flatMap(({ name, declaredIn }) => {
    const lines = readFileSync(declaredIn, 'utf8').split('\n');
    const at = lines.findIndex((line) => declares(line, name));
    if (at === -1) return [`${name}: no declaration in ${declaredIn}`];
    const members = optionsOf(lines, at).flatMap(({ member, documented }) => (documented ? [] : [`${name}.${member}`]));
    return [...(isDocumented(lines, at) ? [] : [name]), ...members];
  });
}

interface Exported {
  readonly name: string;
  readonly declaredIn: string;
}

function exportsOf(file: string): readonly Exported[] {
  const text = readFileSync(file, 'utf8');
  const own = [...text.matchAll(/^export (?:declare )?(?:const|function|class|interface|type) (\w+)/gm)];
  const passedOn = [...text.matchAll(/^export (?:type )?\{([^}]*)\} from '(\.[^']*)\.ts';$/gm)];
  return [
    ...own.map(([, name = '']) => ({ name, declaredIn: file })),
    ...passedOn
      .filter(([, , from = '']) => !from.startsWith('./gen/'))
      .flatMap(([, names = '', from = '']) => {
        const target = join(dirname(file), `${from}.d.ts`);
        const wanted = names
          .split(',')
          .map(
            (one) =>
              one
                .trim()
                .replace(/^type /, '')
                .split(' as ')[0] ?? '',
          )
          .filter((name) => name !== '');
        const known = exportsOf(target);
        return wanted.map((name) => known.find((one) => one.name === name) ?? { name, declaredIn: target });
      }),
  ];
}

function declares(line: string, name: string): boolean {
  return new RegExp(`^export (?:declare )?(?:const|function|class|interface|type) ${name}\\b`).test(line);
}

function isDocumented(lines: readonly string[], at: number): boolean {
  if (!lines[at - 1]?.endsWith('*/')) return false;
  const begin = lines.slice(0, at).findLast((line) => line.trimStart().startsWith('/*'));
  return begin?.trimStart().startsWith('/**') ?? false;
}

/** The optional members of the options that are declared on a line. */
function optionsOf(lines: readonly string[], at: number): { readonly member: string; readonly documented: boolean }[] {
  if (!/^export interface \w+Options\b/.test(lines[at] ?? '')) return [];
  return lines.slice(at + 1, lines.indexOf('}', at)).flatMap((line, index) => {
    const member = /^ {4}(?:readonly )?(\w+)\?[:(]/.exec(line)?.[1];
    return member === undefined ? [] : [{ member, documented: isDocumented(lines, at + 1 + index) }];
  });
}
