import { expect, test } from 'vitest';
import type { Span } from './otlp-receiver.ts';
import { isConnected, traceTree } from './trace-tree.ts';

const span = (spanId: string, parentSpanId: string, startMs: number, endMs: number, more: Partial<Span> = {}): Span => ({
  traceId: 'a1',
  spanId,
  parentSpanId,
  service: 'orders',
  name: spanId,
  kind: 'internal',
  startMs,
  endMs,
  status: 'unset',
  statusMessage: '',
  attributes: {},
  events: [],
  links: [],
  ...more,
});

test('draws children under their parents in the order of their starts, with services and durations', () => {
  const spans = [
    span('shop.v1.Payments/Charge', 'c', 6, 7.25, { service: 'payments', kind: 'server' }),
    span('c', 'a', 5, 8),
    span('b', 'a', 2, 4),
    span('a', '', 0, 20, { service: 'gateway' }),
    span('d', 'b', 3, 3.5),
  ];
  expect(traceTree(spans)).toEqual([
    'gateway   a                                     20.0 ms',
    'orders    ├ b                                   2.00 ms',
    'orders    │ └ d                                 0.50 ms',
    'orders    └ c                                   3.00 ms',
    'payments    └ server shop.v1.Payments/Charge    1.25 ms',
  ]);
});

test('shows why a call failed, also where the span counts it as no error: the reason, else the status code, else the message', () => {
  const spans = [
    span('a', '', 0, 1, { attributes: { 'tokenmesh.reason': 'TOKEN_EXPIRED', 'rpc.status_code': 'UNAUTHENTICATED' } }),
    span('b', '', 1, 2, { status: 'error', attributes: { 'rpc.status_code': 'UNAVAILABLE' } }),
    span('c', '', 2, 3, { status: 'error', statusMessage: 'said' }),
    span('d', '', 3, 4, { attributes: { 'rpc.status_code': 'OK' } }),
  ];
  expect(traceTree(spans).map((line) => line.split(' ms')[1])).toEqual(['  ✗ TOKEN_EXPIRED', '  ✗ UNAVAILABLE', '  ✗ said', '']);
});

test('cuts a long name, so that no line is longer than the width', () => {
  const [line] = traceTree([span('x'.repeat(80), '', 0, 1)], { width: 50 });
  expect(line).toHaveLength(50);
  expect(line).toContain('x…');
});

test('keeps a span whose parent is missing, as a root of its own', () => {
  const spans = [span('a', '', 0, 3), span('b', 'lost', 1, 2)];
  expect(traceTree(spans)).toHaveLength(2);
  expect(isConnected(spans)).toBe(false);
  expect(isConnected([...spans, span('lost', 'a', 0, 2)])).toBe(true);
  expect(isConnected([span('b', 'lost', 1, 2)])).toBe(false);
});

test('draws nothing for nothing', () => {
  expect(traceTree([])).toEqual([]);
  expect(isConnected([])).toBe(false);
});
