import { EventEmitter } from 'node:events';
import { credentials, Metadata, Server, status } from '@grpc/grpc-js';
import { type OrdersClient, type PaymentsClient, shop, shopPackage } from '@tokenmesh/proto/shop';
import { reasons, TokenError } from '@tokenmesh/token';
import { describe, expect, it } from 'vitest';
import { refusalStatus } from '../status.ts';
import { assertRefused, matchers, refusal, testMesh } from './index.ts';

const refused = (reason: Parameters<typeof refusalStatus>[0]) => {
  const answer = refusalStatus(reason, { method: '/shop.v1.Orders/Get' });
  return Object.assign(new Error(answer.details), answer);
};
const away = Object.assign(new Error('no connection'), { code: status.UNAVAILABLE, details: 'no connection', metadata: new Metadata() });

describe('refusal', () => {
  it.each(reasons)('reads %s from a promise, a function, an error, a status and an error that was not sent', async (reason) => {
    const stream = new EventEmitter();
    const ended = refusal(stream);
    stream.emit('error', refused(reason));
    stream.emit('status', refusalStatus(reason));
    const all = await Promise.all([
      refusal(Promise.reject(refused(reason))),
      refusal(() => Promise.reject(refused(reason))),
      refusal(() => {
        throw refused(reason);
      }),
      refusal(refused(reason)),
      refusal(new TokenError(reason, 'inside')),
      ended,
    ]);
    expect(all.map((one) => one.reason)).toEqual(Array(6).fill(reason));
    expect(new Set(all.map(({ code }) => code)).size).toBe(1);
    expect(all[0]?.info).toEqual({ method: '/shop.v1.Orders/Get' });
  });

  it.each<[string, () => unknown, string]>([
    ['succeeds', () => 'fine', 'succeeded'],
    ['ends with a status that is no refusal', () => Promise.reject(away), 'ended with UNAVAILABLE: no connection'],
    ['fails with something else', () => Promise.reject(new RangeError('x')), 'failed with RangeError'],
    ['fails with no error at all', () => Promise.reject('text'), 'failed with string'],
  ])('fails for a call that %s', async (_, call, text) => {
    await expect(refusal(call)).rejects.toMatchObject({
      name: 'AssertionError',
      message: expect.stringContaining(text),
    });
  });

  it('fails for a stream that ends well', async () => {
    const stream = new EventEmitter();
    const ended = refusal(stream);
    stream.emit('status', { code: status.OK, details: 'OK', metadata: new Metadata() });
    await expect(ended).rejects.toThrow('succeeded');
  });
});

describe('a call of grpc-js', () => {
  it.each<[string, (orders: OrdersClient, payments: PaymentsClient) => EventEmitter]>([
    ['unary call', (orders) => orders.get({ order_id: 'o1' }, () => {})],
    ['stream of requests', (orders) => orders.upload(() => {})],
    ['stream of responses', (_, payments) => payments.watchCharges({})],
    ['stream both ways', (orders) => orders.track()],
  ])('tells its refusal: a %s', async (_, call) => {
    const test = testMesh();
    const mesh = await test.meshFor('spiffe://mesh.test/orders');
    const server = new Server({ interceptors: mesh.server(shopPackage) });
    for (const { service } of [shop.Orders, shop.Payments]) {
      server.addService(service, Object.fromEntries(Object.keys(service).map((name) => [name, () => {}])));
    }
    const port = await new Promise<number>((resolve) => {
      server.bindAsync('127.0.0.1:0', mesh.serverCredentials(), (_, bound) => resolve(bound));
    });
    const orders = new shop.Orders(`127.0.0.1:${port}`, credentials.createInsecure());
    const payments = new shop.Payments(`127.0.0.1:${port}`, credentials.createInsecure());
    try {
      expect(await refusal(call(orders, payments))).toMatchObject({ reason: 'CREDENTIAL_MISSING', code: status.UNAUTHENTICATED });
    } finally {
      orders.close();
      payments.close();
      server.forceShutdown();
      await test.close();
    }
  });
});

describe('assertRefused', () => {
  it('takes any reason when none is given, and only the one that is', async () => {
    await assertRefused(refused('TOKEN_EXPIRED'));
    await assertRefused(refused('TOKEN_EXPIRED'), 'TOKEN_EXPIRED');
    await expect(assertRefused(refused('TOKEN_EXPIRED'), 'TOKEN_REVOKED')).rejects.toMatchObject({
      ...{ name: 'AssertionError', actual: 'TOKEN_EXPIRED', expected: 'TOKEN_REVOKED' },
    });
  });
});

describe('toBeRefused', () => {
  it.each<[string, unknown, 'TOKEN_REVOKED' | undefined, boolean, string]>([
    ['a refusal', refused('TOKEN_REVOKED'), undefined, true, 'expected the call not to be refused, but it was refused for TOKEN_REVOKED'],
    ['the right refusal', refused('TOKEN_REVOKED'), 'TOKEN_REVOKED', true, 'expected the call not to be refused for TOKEN_REVOKED'],
    [
      'another refusal',
      refused('TOKEN_EXPIRED'),
      'TOKEN_REVOKED',
      false,
      'to be refused for TOKEN_REVOKED, but it was refused for TOKEN_EXPIRED',
    ],
    ['an answer', Promise.resolve(), undefined, false, 'expected the call to be refused, but it succeeded'],
    ['another error', away, undefined, false, 'but it ended with UNAVAILABLE'],
  ])('judges %s', async (_, call, reason, pass, text) => {
    const judged = await matchers.toBeRefused(call, reason);
    expect(judged.pass).toBe(pass);
    expect(judged.message()).toContain(text);
  });
});
