import {
  credentials,
  Metadata,
  Server,
  ServerCredentials,
  ServerInterceptingCall,
  type ServerInterceptor,
  type ServiceError,
  status,
} from '@grpc/grpc-js';
import { type OrdersHandlers, shop, shopPackage } from '@tokenmesh/proto/shop';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type ServerInterceptors, serverInterceptors } from '../incoming/server-interceptor.ts';
import { refusalOf } from '../status.ts';
import { createTestIssuer, orders as ordersId, type TestIssuer } from '../test-issuer.ts';
import { bearerInterceptor } from './client-interceptor.ts';
import { createTokenSource, type IssuedToken } from './token-source.ts';
import { unary } from './unary.ts';

describe('1 000 calls at once', () => {
  let issuer: TestIssuer;
  let guard: ServerInterceptors;
  let guarded: Server;
  let client: InstanceType<typeof shop.Orders>;
  let exchanges: number;
  let seen: number;
  let exchange: () => Promise<IssuedToken>;

  const counting: ServerInterceptor = (_, call) =>
    new ServerInterceptingCall(call, {
      start(next) {
        next({
          onReceiveMetadata(metadata, nextMetadata) {
            seen++;
            nextMetadata(metadata);
          },
        });
      },
    });

  beforeEach(async () => {
    issuer = createTestIssuer();
    exchanges = 0;
    seen = 0;
    exchange = async () => ({ accessToken: issuer.token(), tokenType: 'Bearer', expiresInSeconds: 300 });
    guard = serverInterceptors({ ...issuer, packages: [shopPackage], audience: ordersId });
    guarded = new Server({ interceptors: [counting, ...guard.interceptors] });
    const handlers: Pick<OrdersHandlers, 'Create'> = { Create: (_, callback) => callback(null, {}) };
    // the others are not called
    guarded.addService(shop.Orders.service, handlers as OrdersHandlers);
    const port = await new Promise<number>((resolve, reject) => {
      guarded.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) => (error ? reject(error) : resolve(bound)));
    });
    const source = createTokenSource({
      exchange() {
        exchanges++;
        return exchange();
      },
      now: issuer.now,
    });
    client = new shop.Orders(`127.0.0.1:${port}`, credentials.createInsecure(), { interceptors: [bearerInterceptor(ordersId, source)] });
    await unary(client, 'create', {});
    seen = 0;
    exchanges = 0;
  });

  afterEach(() => {
    client.close();
    guard.close();
    guarded.forceShutdown();
  });

  const outcomes = async () => {
    const results = await Promise.all(
      Array.from({ length: 1_000 }, () =>
        unary(client, 'create', {}).then(
          () => 'OK',
          (error: ServiceError) => refusalOf(error)?.reason ?? status[error.code],
        ),
      ),
    );
    return Object.fromEntries(Object.entries(Object.groupBy(results, (result) => result)).map(([result, all]) => [result, all?.length]));
  };

  it('that are refused TOKEN_REVOKED cost one exchange, and all succeed with the new token', async () => {
    issuer.revoke({ kind: 'client', value: 'spiffe://shop.test/gateway' });
    expect(await outcomes()).toEqual({ OK: 1_000 });
    expect(exchanges).toBe(1);
    expect(seen).toBeLessThanOrEqual(2_000);
  });

  it('that are refused TOKEN_REVOKED again and again cost a handful of exchanges and no third attempt', async () => {
    issuer.revoke({ kind: 'key', value: 'test-key' });
    for (let round = 0; round < 2; round++) expect(await outcomes()).toEqual({ TOKEN_REVOKED: 1_000 });
    expect(exchanges).toBeLessThanOrEqual(2);
    expect(seen).toBeLessThanOrEqual(2_000);
    issuer.nowMs += 1_000;
    expect(await outcomes()).toEqual({ TOKEN_REVOKED: 1_000 });
    expect(exchanges).toBeLessThanOrEqual(4);
  });

  it('that are refused while token-exchange is away are attempted once each, and it is asked once', async () => {
    issuer.revoke({ kind: 'client', value: 'spiffe://shop.test/gateway' });
    exchange = () =>
      Promise.reject(Object.assign(new Error('x'), { code: status.UNAVAILABLE, details: 'No connection', metadata: new Metadata() }));
    expect(await outcomes()).toEqual({ UNAVAILABLE: 1_000 });
    expect(exchanges).toBe(1);
    expect(seen).toBeLessThanOrEqual(1_000);
  });
});
