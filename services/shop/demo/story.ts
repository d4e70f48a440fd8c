import { setTimeout as pause } from 'node:timers/promises';
import { trace } from '@opentelemetry/api';
import { type Mesh, unary } from '@tokenmesh/interceptor';
import { shop as services } from '@tokenmesh/proto/shop';
import { spiffeId } from './configuration.ts';
import { type CopiedToken, copyToken } from './copied-token.ts';
import type { Shop } from './launch.ts';
import { median } from './median.ts';
import type { Span } from './otlp-receiver.ts';
import type { Report } from './report.ts';
import { address } from './services.ts';
import { suspendAndResume } from './suspension.ts';
import { isConnected, traceTree } from './trace-tree.ts';
import { verdict } from './verdict.ts';

const warmCalls = 50;
const clockToleranceMs = 5_100; // verifiers allow 5 s by default; timers may be early
const deadline = () => Date.now() + 5_000;

/** Tells the story of the mesh on a running shop: every step is done, timed and checked while it is told. */
export async function tellStory(shop: Shop, report: Report): Promise<void> {
  await startUp(shop, report);
  const customer = await shop.mesh('customer');
  const orderId = await threeHops(shop, customer, report);
  const shortLived = await copyToken(shop, 'customer', 'orders');
  const look = () => lookWith(shortLived, shop, customer, orderId);
  const inTime = await look();
  const backoffice = await shop.mesh('backoffice');
  await refusals(shop, customer, backoffice, report);
  await suspendAndResume(shop, { customer, backoffice, operator: await shop.mesh('operator'), orderId }, report);
  report.heading('A token past its life');
  report.check(inTime === 'OK', 'the customer’s two-second token for orders, in time', inTime);
  await expire(shortLived, look, report);
}

async function startUp({ processes, natsServer, nats }: Shop, report: Report): Promise<void> {
  report.heading('Start-up: each service exchanges its key for tokens');
  if (natsServer.path === undefined) {
    report.check(true, `revocations come over gRPC from token-exchange itself, without NATS: ${natsServer.reason}`);
  } else {
    report.check(nats?.running === true, `revocations travel over NATS: nats-server ${natsServer.version} with JetStream`);
  }
  for (const process of processes) {
    const ms = Math.round(await process.ready());
    const what = process.name in tokenless ? '' : '   from start to first token, keys and revocations in';
    report.line(`${process.name.padEnd(14)} port ${String(process.port).padEnd(5)} ${String(ms).padStart(6)} ms${what}`);
  }
}

const tokenless: Readonly<Record<string, true>> = { 'nats-server': true, 'token-exchange': true };

async function threeHops(shop: Shop, customer: Mesh, report: Report): Promise<string> {
  report.heading('One call, three hops: customer → gateway → orders → payments');
  const gateway = new services.Gateway(address(shop.gateway), customer.channelCredentials(), customer.client(spiffeId('gateway')));
  const place = () => unary(gateway, 'placeOrder', { item: 'tea', quantity: 2 }, { deadline: deadline() });

  const first = await trace.getTracer('demo').startActiveSpan('place an order', async (span) => {
    const startedAt = performance.now();
    const { order_id, chain } = await place().finally(() => span.end());
    return { order_id, chain, ms: performance.now() - startedAt, traceId: span.spanContext().traceId };
  });
  const expected = ['customer', 'orders', 'gateway'].map(spiffeId);
  report.check(String(first.chain) === String(expected), `payments charged ${first.chain[0]}`);
  report.line(`acting: ${first.chain.slice(1).join(', for ')}`);
  const warm: number[] = [];
  for (let call = 0; call < warmCalls; call++) {
    const startedAt = performance.now();
    await place();
    warm.push(performance.now() - startedAt);
  }
  report.line(
    `first call ${first.ms.toFixed(0)} ms, exchanges included; then ${warmCalls} calls with the tokens held, median ${median(warm).toFixed(1)} ms`,
  );
  report.line(`trace ${first.traceId}${shop.otlp ? ':' : `, sent to ${shop.otlpEndpoint}`}`);
  if (shop.otlp) {
    const spans = await shop.otlp.trace(first.traceId, isWhole);
    for (const line of traceTree(spans)) report.line(line);
    report.check(
      servers.every((name) => spans.some(({ service }) => service === name)),
      `one trace holds all ${spans.length} spans of it`,
    );
  }
  return first.order_id;
}

const servers = ['gateway', 'orders', 'payments', 'token-exchange'];

/** Whether a trace has reached payments and nothing of it is missing: each call has both its ends. */
function isWhole(spans: readonly Span[]): boolean {
  const answered = new Set(spans.filter(({ kind }) => kind === 'server').map(({ parentSpanId }) => parentSpanId));
  const calls = spans.filter(({ kind }) => kind === 'client');
  return isConnected(spans) && spans.some(({ service }) => service === 'payments') && calls.every(({ spanId }) => answered.has(spanId));
}

async function refusals(shop: Shop, customer: Mesh, backoffice: Mesh, report: Report): Promise<void> {
  report.heading('Refused, each for its own reason');
  const paymentsWith = (mesh: Mesh, audience: string) =>
    new services.Payments(address(shop.payments), mesh.channelCredentials(), mesh.client(spiffeId(audience)));
  const bare = new services.Payments(address(shop.payments), customer.channelCredentials());
  const charge = { order_id: 'none', amount_cents: 1 };
  const check = async (claim: string, call: Promise<unknown>, expected: string) => {
    const said = await verdict(call);
    report.check(said === expected, claim, said);
  };
  await check('no token: a certificate of the mesh, and nothing else', unary(bare, 'charge', charge), 'UNAUTHENTICATED CREDENTIAL_MISSING');
  await check(
    'missing scope: the back office, which may watch charges, tries to refund one',
    unary(paymentsWith(backoffice, 'payments'), 'refund', { charge_id: 'none' }),
    'PERMISSION_DENIED SCOPE_INSUFFICIENT',
  );
  await check(
    'no grant: the customer wants a token for payments',
    unary(paymentsWith(customer, 'payments'), 'charge', charge),
    'PERMISSION_DENIED TARGET_REFUSED',
  );
  const traceId = await trace.getTracer('demo').startActiveSpan('use the wrong token', async (span) => {
    const call = unary(paymentsWith(customer, 'gateway'), 'charge', charge);
    await check('wrong audience: a token for gateway, shown to payments', call, 'UNAUTHENTICATED AUDIENCE_MISMATCH');
    span.end();
    return span.spanContext().traceId;
  });
  if (shop.otlp) for (const line of traceTree(await shop.otlp.trace(traceId, isWhole))) report.line(line);
}

function lookWith(token: CopiedToken, shop: Shop, customer: Mesh, orderId: string): Promise<string> {
  const orders = new services.Orders(address(shop.orders), customer.channelCredentials());
  return verdict(unary(orders, 'get', { order_id: orderId }, { metadata: token.present(), deadline: deadline() }));
}

async function expire(token: CopiedToken, look: () => Promise<string>, report: Report): Promise<void> {
  await pause(Math.max(0, token.exp * 1000 + clockToleranceMs - Date.now()));
  const said = await look();
  const past = (Date.now() / 1000 - token.exp).toFixed(1);
  report.check(said === 'UNAUTHENTICATED TOKEN_EXPIRED', `the same token, ${past} s past its exp`, said);
}
