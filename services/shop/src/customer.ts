/**
 * `node customer.ts`: a workload that calls and serves nobody. Orders tea at the gateway (`SHOP_GATEWAY`, `host:port`) every `SHOP_ORDER_EVERY_MS`
 * milliseconds until SIGTERM; the rest of its environment is in environment.ts. Writes one JSON line for each order.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { ServiceError } from '@grpc/grpc-js';
import { createMesh, refusalOf, unary } from '@tokenmesh/interceptor';
import { shop } from '@tokenmesh/proto/shop';
import { meshOptions, setting } from './environment.ts';
import { createLog } from './log.ts';
import { startTelemetry } from './telemetry.ts';

const orderLimitMs = 2_000;

const everyMs = Number(setting(process.env, 'SHOP_ORDER_EVERY_MS'));
if (!Number.isSafeInteger(everyMs) || everyMs < 1) throw new TypeError('SHOP_ORDER_EVERY_MS is not a number of milliseconds');
const log = createLog('customer');
const telemetry = await startTelemetry('customer');
const mesh = await createMesh(meshOptions(process.env));
const gateway = new shop.Gateway(
  setting(process.env, 'SHOP_GATEWAY'),
  mesh.channelCredentials(),
  mesh.client('spiffe://shop.test/gateway'),
);

const stopping = new AbortController();
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => stopping.abort());

while (!stopping.signal.aborted) {
  await order();
  await delay(everyMs, undefined, { signal: stopping.signal }).catch(() => {});
}
gateway.close();
await mesh.close();
await telemetry.shutdown();

async function order(): Promise<void> {
  try {
    const { order_id, chain } = await unary(gateway, 'placeOrder', { item: 'tea', quantity: 1 }, { deadline: Date.now() + orderLimitMs });
    log.info({ event: 'ordered', order_id, chain });
  } catch (error) {
    const failed = error as ServiceError; // unary rejects with nothing else
    log.warn({ event: 'not_ordered', reason: refusalOf(failed)?.reason ?? failed.code });
  }
}
