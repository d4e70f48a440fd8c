import type { Span } from './otlp-receiver.ts';

/** Where a span sits in the picture of its trace. */
interface Row {
  readonly branch: string;
  readonly span: Span;
}

const callKinds: readonly Span['kind'][] = ['client', 'server'];

/**
 * Draws the spans of one trace as an indented tree, one line a span: service, kind, name, duration, and why it failed when it did.
 *
 * Siblings come in the order of their starts. A span whose parent is not among `spans` is drawn as a root of its own.
 *
 * @param options.width Longest line, in characters; the names give way first. Default 95.
 */
export function traceTree(spans: readonly Span[], { width = 95 } = {}): readonly string[] {
  const rows = roots(spans).flatMap((span) => branch(span, spans, '', ''));
  const serviceWidth = longest(rows.map(({ span }) => span.service));
  const lines = rows.map(({ branch, span }) => ({
    left: `${span.service.padEnd(serviceWidth)}  ${branch}${callKinds.includes(span.kind) ? `${span.kind} ` : ''}${span.name}`,
    right: `${`${formatMs(span.endMs - span.startMs)} ms`.padStart(11)}${failure(span)}`,
  }));
  const room = Math.min(longest(lines.map(({ left }) => left)), width - longest(lines.map(({ right }) => right)));
  return lines.map(({ left, right }) => (left.length > room ? `${left.slice(0, room - 1)}…` : left.padEnd(room)) + right);
}

/** Whether the trace has its first span, and every other span its parent: as far as one can tell, nothing is on its way any more. */
export function isConnected(spans: readonly Span[]): boolean {
  const [root, ...others] = roots(spans);
  return root?.parentSpanId === '' && others.length === 0;
}

function roots(spans: readonly Span[]): readonly Span[] {
  const ids = new Set(spans.map(({ spanId }) => spanId));
  return byStart(spans.filter(({ parentSpanId }) => !ids.has(parentSpanId)));
}

function branch(span: Span, spans: readonly Span[], own: string, below: string): readonly Row[] {
  const children = byStart(spans.filter(({ parentSpanId }) => parentSpanId === span.spanId));
  const rows = children.flatMap((child, index) => {
    const last = index === children.length - 1;
    return branch(child, spans, `${below}${last ? '└ ' : '├ '}`, `${below}${last ? '  ' : '│ '}`);
  });
  return [{ branch: own, span }, ...rows];
}

const byStart = (spans: readonly Span[]): readonly Span[] => spans.toSorted((a, b) => a.startMs - b.startMs);

const longest = (texts: readonly string[]): number => Math.max(0, ...texts.map(({ length }) => length));

const formatMs = (ms: number): string => ms.toFixed(ms < 10 ? 2 : 1);

function failure({ status, statusMessage, attributes }: Span): string {
  const code = attributes['rpc.status_code'];
  const failed = code === undefined ? status === 'error' : code !== 'OK';
  return failed ? `  ✗ ${attributes['tokenmesh.reason'] ?? code ?? (statusMessage || 'error')}` : '';
}
