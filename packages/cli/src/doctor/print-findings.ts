import { styleText } from 'node:util';
import type { Output } from '../command-io.ts';
import type { Finding, FindingStatus } from './finding.ts';

/** How many findings of each kind there are. */
export type Counts = Readonly<Record<FindingStatus, number>>;

const colours = { ok: 'green', warning: 'yellow', failed: 'red', skipped: 'gray' } as const satisfies Record<FindingStatus, string>;
const statusWidth = 'skipped'.length;
const checkWidth = 'token-exchange.checkpoints'.length;

export function countsOf(findings: readonly Finding[]): Counts {
  const count = (status: FindingStatus) => findings.filter((finding) => finding.status === status).length;
  return { ok: count('ok'), warning: count('warning'), failed: count('failed'), skipped: count('skipped') };
}

/** One line: status, name of the check, what was looked at where there are several, and the sentence. */
export function printFinding({ status, check, of, says }: Finding, out: Output): void {
  const subject = of === undefined ? '' : `${of}: `;
  out.write(`${coloured(status, status.padEnd(statusWidth), out)}  ${check.padEnd(checkWidth)}  ${subject}${says}\n`);
}

export function printSummary({ ok, warning, failed, skipped }: Counts, err: Output): void {
  const warnings = warning === 1 ? '1 warning' : `${warning} warnings`;
  err.write(`${ok} ok, ${warnings}, ${failed} failed, ${skipped} skipped\n`);
}

/** Colours are for terminals whose user did not say NO_COLOR. */
function coloured(status: FindingStatus, text: string, out: Output): string {
  return out.isTTY && !process.env.NO_COLOR ? styleText(colours[status], text, { validateStream: false }) : text;
}
