// Calls a guarded service at a steady rate, or as fast as it goes.
import { createMesh } from '@tokenmesh/interceptor';
import { shop } from '@tokenmesh/proto/shop';
import { type MeshPlace, meshOptions, spiffeId } from './bench-mesh.ts';
import { answer } from './measured-process.ts';

export interface SteadySettings extends MeshPlace {
  /** Of the service. */
  readonly port: number;
}

export interface SteadyQuestion {
  readonly seconds: number;
  /** Absent: 64 in flight, as fast as it goes. */
  readonly perSecond?: number;
}

export interface SteadyAnswer {
  /** Answered; every one of them with success. */
  readonly calls: number;
}

// the cast holds: the suite passes these settings
const settings = JSON.parse(process.argv[2] ?? '{}') as SteadySettings;
const mesh = await createMesh(meshOptions(settings, 'gateway'));
const options = mesh.client(spiffeId('orders'));
await mesh.ready();
const orders = new shop.Orders(`localhost:${settings.port}`, mesh.channelCredentials(), options);
const tickMs = 5;
const inFlight = 64;

const call = () =>
  new Promise<void>((resolve, reject) => orders.get({ order_id: 'order-1' }, (error) => (error ? reject(error) : resolve())));

/** What is due is begun at each tick, whatever is still under way. */
async function callSteadily(perSecond: number, seconds: number): Promise<number> {
  const from = performance.now();
  const calls: Promise<void>[] = [];
  while (performance.now() - from < seconds * 1_000) {
    const due = Math.floor(((performance.now() - from) / 1_000) * perSecond);
    while (calls.length < due) calls.push(call());
    await new Promise((resolve) => setTimeout(resolve, tickMs));
  }
  await Promise.all(calls);
  return calls.length;
}

async function callAlways(seconds: number): Promise<number> {
  const until = performance.now() + seconds * 1_000;
  let calls = 0;
  const worker = async () => {
    while (performance.now() < until) {
      await call();
      calls++;
    }
  };
  await Promise.all(Array.from({ length: inFlight }, worker));
  return calls;
}

answer<SteadyQuestion, SteadyAnswer>(settings.port, async ({ perSecond, seconds }) => {
  return { calls: perSecond === undefined ? await callAlways(seconds) : await callSteadily(perSecond, seconds) };
});
