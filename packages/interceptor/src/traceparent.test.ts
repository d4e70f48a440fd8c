import { describe, expect, it } from 'vitest';
import { formatTraceparent, parseTraceparent } from './traceparent.ts';

const traceId = '0af7651916cd43dd8448eb211c80319c';
const spanId = 'b7ad6b7169203331';

describe('a traceparent', () => {
  it('names a sampled span, to a reader on the other side', () => {
    const text = formatTraceparent({ traceId, spanId, traceFlags: 1 });
    expect(text).toBe(`00-${traceId}-${spanId}-01`);
    expect(parseTraceparent(text)).toEqual({ traceId, spanId, traceFlags: 1, isRemote: true });
  });

  it('is not made of a span that is not sampled, or of none', () => {
    expect(formatTraceparent({ traceId, spanId, traceFlags: 0 })).toBeUndefined();
    expect(formatTraceparent({ traceId: '0'.repeat(32), spanId: '0'.repeat(16), traceFlags: 1 })).toBeUndefined();
  });

  it.each([
    ['nothing', undefined],
    ['no text', ''],
    ['another version', `01-${traceId}-${spanId}-01`],
    ['capitals', `00-${traceId.toUpperCase()}-${spanId}-01`],
    ['one digit too few', `00-${traceId.slice(1)}-${spanId}-01`],
    ['one digit too many', `00-${traceId}-${spanId}0-01`],
    ['more behind it', `00-${traceId}-${spanId}-01-more`],
    ['a line behind it', `00-${traceId}-${spanId}-01\n`],
    ['a trace of zeros', `00-${'0'.repeat(32)}-${spanId}-01`],
    ['a span of zeros', `00-${traceId}-${'0'.repeat(16)}-01`],
    ['a MiB', `00-${traceId}-${spanId}-01${'0'.repeat(2 ** 20)}`],
  ])('is left out when it is %s', (_, text) => {
    expect(parseTraceparent(text)).toBeUndefined();
  });
});
