import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { type Mesh, unary } from '@tokenmesh/interceptor';
import { tokenmesh } from '@tokenmesh/proto';
import { shop as services } from '@tokenmesh/proto/shop';
import { spiffeId } from './configuration.ts';
import { copyToken } from './copied-token.ts';
import type { Shop } from './launch.ts';
import type { Report } from './report.ts';
import { address } from './services.ts';
import { verdict, verdictOf } from './verdict.ts';

const boundMs = 5_000; // S, the age of revocation data that verifiers accept
const patienceMs = 10_000;
const deadline = () => Date.now() + 5_000;
const revoked = 'UNAUTHENTICATED TOKEN_REVOKED';
const suspended = 'PERMISSION_DENIED CLIENT_NOT_ALLOWED';
const betweenTriesMs = 50;

interface Cast {
  readonly customer: Mesh;
  readonly backoffice: Mesh;
  readonly operator: Mesh;
  readonly orderId: string;
}

/** The back office is suspended while it watches charges and somebody uses a copy of its token, and is let in again. */
export async function suspendAndResume(shop: Shop, { customer, backoffice, operator, orderId }: Cast, report: Report): Promise<void> {
  const admin = new tokenmesh.Admin(
    address(shop.tokenExchange),
    operator.channelCredentials(),
    operator.client(spiffeId('token-exchange')),
  );
  const gateway = new services.Gateway(address(shop.gateway), customer.channelCredentials(), customer.client(spiffeId('gateway')));
  const payments = new services.Payments(address(shop.payments), backoffice.channelCredentials(), backoffice.client(spiffeId('payments')));
  const orders = new services.Orders(address(shop.orders), backoffice.channelCredentials(), backoffice.client(spiffeId('orders')));
  const thief = new services.Orders(address(shop.orders), backoffice.channelCredentials());
  const copied = await copyToken(shop, 'backoffice', 'orders');
  const request = { order_id: orderId };
  const look = () => verdict(unary(orders, 'get', request, { deadline: deadline() }));
  const lookWithCopy = () => verdict(unary(thief, 'get', request, { metadata: copied.present(), deadline: deadline() }));

  report.heading('Taken back: the operator suspends the back office while its stream is open');
  const stream = payments.watchCharges({});
  let charges = 0;
  stream.on('data', () => {
    charges += 1;
  });
  await once(stream, 'metadata'); // payments forwards every charge from now on
  const charged = once(stream, 'data');
  await unary(gateway, 'placeOrder', { item: 'tea', quantity: 1 }, { deadline: deadline() });
  await charged;
  report.check(charges === 1, 'the back office watches charges on an open stream, and saw one just now');

  const streamEnd = new Promise<Moment>((resolve) => {
    stream.once('error', (error) => resolve({ said: verdictOf(error), atMs: Date.now() }));
  });
  const refusal = firstRefusal(lookWithCopy);
  const { acknowledgement } = await unary(admin, 'suspendWorkload', { client_id: spiffeId('backoffice'), request_id: randomUUID() });
  const suspendedAtMs = acknowledgement?.acknowledged_at_ms ?? Number.NaN;
  report.check(acknowledgement !== null, `suspended: event ${acknowledgement?.n} of the revocation log is durable; times count from here`);

  const never: Moment = { said: `nothing after ${patienceMs / 1000} s`, atMs: Number.POSITIVE_INFINITY };
  const limit = pause(patienceMs, never, { ref: false });
  const ended = await Promise.race([streamEnd, limit]);
  const endedMs = ended.atMs - suspendedAtMs;
  report.check(ended.said === revoked && endedMs <= boundMs, `its stream ended after ${endedMs} ms`, ended.said);
  const refused = await refusal;
  const refusedMs = refused.atMs - suspendedAtMs;
  report.check(
    refused.said === revoked && refusedMs <= boundMs,
    `a copy of its token, used all the time, was refused after ${refusedMs} ms (${refused.accepted} calls had passed)`,
    refused.said,
  );
  const newToken = await verdict(copyToken(shop, 'backoffice', 'orders'));
  report.check(newToken === suspended, 'it asks token-exchange for a new token', newToken);

  report.heading('Restored: the operator lets the back office in again');
  const resumedAtMs = Date.now();
  await unary(admin, 'resumeWorkload', { client_id: spiffeId('backoffice') });
  const said = await untilAccepted(look);
  report.check(said === 'OK', `its own calls work ${Date.now() - resumedAtMs} ms later, with a new token`, said);
  const still = await lookWithCopy();
  report.check(still === revoked, 'what was revoked stays revoked: the copied token', still);
}

interface Moment {
  readonly said: string;
  readonly atMs: number;
}

/** Calls without a pause until a call is not accepted, or patience ends. */
async function firstRefusal(call: () => Promise<string>): Promise<Moment & { readonly accepted: number }> {
  const startedAtMs = Date.now();
  for (let accepted = 0; ; accepted++) {
    const said = await call();
    const atMs = Date.now();
    if (said !== 'OK' || atMs - startedAtMs > patienceMs) return { said, atMs, accepted };
  }
}

/** Calls until one is accepted, or patience ends; the caller's library remembers a refusal for a second. */
async function untilAccepted(call: () => Promise<string>): Promise<string> {
  const startedAtMs = Date.now();
  for (;;) {
    const said = await call();
    if (said === 'OK' || Date.now() - startedAtMs > patienceMs) return said;
    await pause(betweenTriesMs);
  }
}
