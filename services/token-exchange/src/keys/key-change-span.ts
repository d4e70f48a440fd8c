import { ROOT_CONTEXT, trace } from '@opentelemetry/api';
import { spanAttributes as attribute, spanNames } from '@tokenmesh/interceptor';
import type { KeyChange } from './key-life.ts';

const tracer = trace.getTracer('@tokenmesh/token-exchange');

/** A span for a step in the life of a signing key, in a trace of its own: nobody asked for it. */
export function traceKeyChange(change: KeyChange, beganAtMs: number): void {
  const attributes = {
    [attribute.keyPurpose]: change.purpose,
    [attribute.keyState]: stateAfter(change),
    ...('kid' in change && { [attribute.keyId]: change.kid }),
    ...(change.type === 'move' && { [attribute.keyForced]: change.forcedPast !== undefined }),
  };
  tracer.startSpan(spanNames.keyChange, { startTime: beganAtMs, attributes }, ROOT_CONTEXT).end();
}

function stateAfter(change: KeyChange): string {
  switch (change.type) {
    case 'add':
      return change.state;
    case 'move':
      return change.to;
    case 'remove':
      return 'removed';
    default:
      return change satisfies never;
  }
}
