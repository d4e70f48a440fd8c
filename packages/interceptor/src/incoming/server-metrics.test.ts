import type { Attributes } from '@opentelemetry/api';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createTestIssuer, gateway, type TestIssuer } from '../test-issuer.ts';
import { startTestMetrics, type TestMetrics } from '../test-metrics.ts';
import { createTestShop, type TestShop, until } from '../test-shop.ts';

let shown: TestMetrics;
let issuer: TestIssuer;
let shop: TestShop;

beforeEach(async () => {
  shown = startTestMetrics();
  issuer = createTestIssuer();
  shop = await createTestShop(issuer);
});

afterEach(async () => {
  shop.close();
  await shown.close();
});

const scope = 'payments.watch';
const reason = (name: string) => ({ 'tokenmesh.reason': name });
const refused = (name: string) => ({ 'tokenmesh.outcome': 'refused', ...reason(name) });
const read = async (name: string, attributes: Attributes) => (await shown.valueOf(name, attributes)) ?? 0;

it('counts a call that is refused, and not among the streams that end', async () => {
  const before = await read('tokenmesh.calls.decided', refused('CREDENTIAL_MISSING'));
  await shop.open('WatchCharges', undefined).ended;
  expect(await read('tokenmesh.calls.decided', refused('CREDENTIAL_MISSING'))).toBe(before + 1);
  expect(await shown.valueOf('tokenmesh.streams.ended', reason('CREDENTIAL_MISSING'))).toBeUndefined();
});

it('counts a stream while it is live, and its end by revocation, which is no refused call', async () => {
  const live = await read('tokenmesh.streams.live', {});
  const ended = await read('tokenmesh.streams.ended', reason('TOKEN_REVOKED'));
  const refusals = await read('tokenmesh.calls.decided', refused('TOKEN_REVOKED'));
  const stream = shop.open('WatchCharges', issuer.token({ scope }));
  await until(() => shop.entered.length === 1);
  expect(await read('tokenmesh.streams.live', {})).toBe(live + 1);
  issuer.revoke({ kind: 'subject', value: gateway });
  await stream.ended;
  expect(await read('tokenmesh.streams.live', {})).toBe(live);
  expect(await read('tokenmesh.streams.ended', reason('TOKEN_REVOKED'))).toBe(ended + 1);
  expect(await read('tokenmesh.calls.decided', refused('TOKEN_REVOKED'))).toBe(refusals);
});
