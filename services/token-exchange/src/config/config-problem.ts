import { type Document, isAlias, isMap, isScalar, isSeq, type LineCounter, type Node, type Range } from 'yaml';

/** One thing that is wrong with a configuration, and the way out. */
export interface Problem {
  /** Members and indices from the document's root. */
  readonly path: readonly (string | number)[];
  /** `what, expected …, did you mean …?` */
  readonly text: string;
  /** Points at the member's name instead of its value. */
  readonly atName?: boolean;
}

/** The configuration cannot be used. `problems` names every one found, in the order of the file: `file:line:column: path: what, expected, did you mean`. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly problems: readonly string[];
  constructor(problems: readonly string[]) {
    super(problems.join('\n'));
    this.problems = problems;
  }
}

/** Puts file, line and column before each problem and sorts them by place. */
export function formatProblems(file: string, document: Document, lines: LineCounter, problems: readonly Problem[]): readonly string[] {
  return problems
    .map((problem) => ({ problem, offset: offsetOf(document, problem) }))
    .sort((a, b) => a.offset - b.offset)
    .map(({ problem, offset }) => {
      const { line, col } = lines.linePos(offset);
      return `${file}:${line}:${col}: ${formatPath(problem.path)}: ${problem.text}`;
    });
}

function formatPath(path: Problem['path']): string {
  const text = path.map((part) => (typeof part === 'number' ? `[${part}]` : `.${part}`)).join('');
  return text === '' ? '(document)' : text.replace(/^\./, '');
}

// a member that is missing is shown at the mapping it is missing from
function offsetOf(document: Document, { path, atName = false }: Problem): number {
  let node: unknown = document.contents;
  let offset = startOf(node) ?? 0;
  for (const [depth, part] of path.entries()) {
    if (isAlias(node)) node = node.resolve(document);
    if (isMap(node)) {
      const pair = node.items.find((item) => isScalar(item.key) && item.key.value === part);
      if (!pair) return offset;
      const isNamed = atName && depth === path.length - 1;
      offset = (isNamed ? startOf(pair.key) : startOf(pair.value)) ?? startOf(pair.key) ?? offset;
      node = pair.value;
    } else if (isSeq(node) && typeof part === 'number') {
      node = node.items[part];
      offset = startOf(node) ?? offset;
    } else return offset;
  }
  return offset;
}

function startOf(node: unknown): number | undefined {
  return (node as ({ range?: Range | null } & Partial<Node>) | null | undefined)?.range?.[0];
}

/** `, did you mean "…"?` when one of the candidates is close enough to be meant, else nothing. */
export function didYouMean(text: string, candidates: Iterable<string>): string {
  let best: string | undefined;
  let bestDistance = Math.min(3, Math.ceil(text.length / 3)) + 1;
  for (const candidate of candidates) {
    const distance = editDistance(text, candidate);
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance];
  }
  return best === undefined ? '' : `, did you mean "${best}"?`;
}

/** Levenshtein, one row at a time. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(substitution, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
