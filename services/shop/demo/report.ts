import { styleText } from 'node:util';

/** What the demo says, and the count of what held. Coloured on a terminal only; no line is longer than 100 columns. */
export interface Report {
  heading(text: string): void;
  line(text: string): void;
  /** One claim, and whether it held; `outcome` is what was seen, set apart. */
  check(holds: boolean, claim: string, outcome?: string): void;
  /** Claims so far. */
  readonly held: number;
  readonly failed: number;
}

const width = 100;
const claimWidth = 54; // leaves room for the longest outcome, `PERMISSION_DENIED DELEGATION_NOT_ALLOWED`

export function createReport(write: (text: string) => void): Report {
  let held = 0;
  let failed = 0;
  let headings = 0;
  const print = (text: string) => write(`${text.length > width ? `${text.slice(0, width - 1)}…` : text}\n`);
  return {
    heading: (text) => {
      headings += 1;
      write(`\n${styleText('bold', `${headings}. ${text}`)}\n`);
    },
    line: (text) => print(`     ${text}`),
    check: (holds, claim, outcome) => {
      if (holds) held += 1;
      else failed += 1;
      const [first = '', ...more] = wrap(claim, outcome === undefined ? width - 5 : claimWidth);
      const mark = holds ? styleText('green', '✓') : styleText('red', '✗');
      write(`   ${mark} ${outcome === undefined ? first : `${first.padEnd(claimWidth)} ${outcome}`}\n`);
      for (const line of more) print(`     ${line}`);
    },
    get held() {
      return held;
    },
    get failed() {
      return failed;
    },
  };
}

function wrap(text: string, columns: number): readonly string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= columns) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}
