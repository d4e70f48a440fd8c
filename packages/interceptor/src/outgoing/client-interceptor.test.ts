import { credentials, type Interceptor, Metadata, Server, ServerCredentials, type ServiceError, status } from '@grpc/grpc-js';
import { type OrdersHandlers, type PaymentsHandlers, shop } from '@tokenmesh/proto/shop';
import { TokenError } from '@tokenmesh/token';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { refusalOf, refusalStatus } from '../status.ts';
import { bearerInterceptor } from './client-interceptor.ts';
import type { HeldToken, TokenSource } from './token-source.ts';
import { unary } from './unary.ts';

const held: HeldToken = { compact: 'abc', tokenType: 'Bearer', expMs: 9e15 };

let server: Server;
let address: string;
let received: string[];
let answerWith: { code: status; metadata: Metadata } | undefined;
let get: TokenSource['get'];
let dropped: HeldToken[];
let clients: { close(): void }[];

function note(call: { metadata: Metadata }): void {
  received.push(...call.metadata.get('authorization').map(String));
}

beforeEach(async () => {
  received = [];
  dropped = [];
  clients = [];
  answerWith = undefined;
  get = () => held;
  server = new Server();
  const orders: OrdersHandlers = {
    Create(call, callback) {
      note(call);
      callback(answerWith ?? null, {});
    },
    Get: (_, callback) => callback(null, {}),
    Upload(call, callback) {
      note(call);
      call.on('end', () => callback(null, {})).resume();
    },
    Track(call) {
      note(call);
      call.on('end', () => call.end()).resume();
    },
  };
  const payments: PaymentsHandlers = {
    Charge: (_, callback) => callback(null, {}),
    Refund: (_, callback) => callback(null, {}),
    WatchCharges(call) {
      note(call);
      call.end();
    },
  };
  server.addService(shop.Orders.service, orders);
  server.addService(shop.Payments.service, payments);
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) => (error ? reject(error) : resolve(bound)));
  });
  address = `127.0.0.1:${port}`;
});

afterEach(() => {
  for (const client of clients) client.close();
  server.forceShutdown();
});

function interceptor(): Interceptor {
  return bearerInterceptor('spiffe://shop.test/orders', { get: (request) => get(request), drop: (token) => dropped.push(token) });
}

function ordersClient() {
  const client = new shop.Orders(address, credentials.createInsecure(), { interceptors: [interceptor()] });
  clients.push(client);
  return client;
}

function paymentsClient() {
  const client = new shop.Payments(address, credentials.createInsecure(), { interceptors: [interceptor()] });
  clients.push(client);
  return client;
}

interface CallOptions {
  readonly deadline?: number;
  readonly cancel?: boolean;
}

/** Each kind of call, run to its end; resolves with the status. */
const kinds: Record<string, (options?: CallOptions) => Promise<{ readonly code: status; readonly error?: ServiceError }>> = {
  unary: (options = {}) =>
    new Promise((resolve) => {
      const call = ordersClient().create({}, new Metadata(), given(options), (error) => resolve(ended(error)));
      if (options.cancel) setImmediate(() => call.cancel());
    }),
  'client stream': (options = {}) =>
    new Promise((resolve) => {
      const call = ordersClient().upload(new Metadata(), given(options), (error) => resolve(ended(error)));
      call.on('error', () => {}); // the callback has it
      call.write({ item: 'x' });
      call.end();
      if (options.cancel) setImmediate(() => call.cancel());
    }),
  'server stream': (options = {}) =>
    new Promise((resolve) => {
      const call = paymentsClient().watchCharges({}, new Metadata(), given(options));
      call.on('error', (error: ServiceError) => resolve(ended(error)));
      call.on('end', () => resolve(ended(null))).resume();
      if (options.cancel) setImmediate(() => call.cancel());
    }),
  'bidi stream': (options = {}) =>
    new Promise((resolve) => {
      const call = ordersClient().track(new Metadata(), given(options));
      call.on('error', (error: ServiceError) => resolve(ended(error)));
      call.on('end', () => resolve(ended(null))).resume();
      call.write({ order_id: 'o1' });
      call.end();
      if (options.cancel) setImmediate(() => call.cancel());
    }),
};

const given = ({ deadline }: CallOptions) => (deadline === undefined ? {} : { deadline });
const ended = (error: ServiceError | null) => (error ? { code: error.code, error } : { code: status.OK });

describe.each(Object.keys(kinds))('a %s call', (kind) => {
  const call = kinds[kind] as (options?: CallOptions) => Promise<{ readonly code: status; readonly error?: ServiceError }>;

  it('carries the bearer of its audience, held or awaited', async () => {
    expect(await call()).toEqual({ code: status.OK });
    get = async () => ({ ...held, compact: 'def' });
    expect(await call()).toEqual({ code: status.OK });
    expect(received).toEqual(['Bearer abc', 'Bearer def']);
  });

  it('ends DEADLINE_EXCEEDED when its deadline passes before the token is there', async () => {
    get = () => new Promise(() => {});
    const startedAt = Date.now();
    expect((await call({ deadline: startedAt + 100 })).code).toBe(status.DEADLINE_EXCEEDED);
    expect(received).toEqual([]);
  });

  it('ends CANCELLED when it is cancelled before the token is there', async () => {
    get = () => new Promise(() => {});
    expect((await call({ cancel: true })).code).toBe(status.CANCELLED);
  });

  it("ends with token-exchange's own refusal when no token can be had", async () => {
    get = () => Promise.reject(Object.assign(new Error('x'), refusalStatus('TARGET_REFUSED')));
    const { code, error } = await call();
    expect(code).toBe(status.PERMISSION_DENIED);
    expect(refusalOf(error)).toMatchObject({ reason: 'TARGET_REFUSED', info: { audience: 'spiffe://shop.test/orders' } });
    expect(received).toEqual([]);
  });

  it('ends UNAVAILABLE when token-exchange cannot be reached', async () => {
    get = () => {
      throw Object.assign(new Error('x'), { code: status.UNAVAILABLE, details: 'No connection', metadata: new Metadata() });
    };
    const { code, error } = await call();
    expect(code).toBe(status.UNAVAILABLE);
    expect(error?.details).toBe('no token for spiffe://shop.test/orders: No connection');
  });
});

describe('bearerInterceptor', () => {
  it('passes on for whom the call is made, and the scope it asks for', async () => {
    const requests: unknown[] = [];
    get = (request) => {
      requests.push(request);
      return held;
    };
    const onBehalfOf = { sub: 's', clientId: 'c', scope: [], act: [], jti: 'j', exp: 1, txn: 't', stale: false };
    await unary(ordersClient(), 'create', {}, { onBehalfOf, scope: 'orders.write' });
    expect(requests).toEqual([{ audience: 'spiffe://shop.test/orders', scope: 'orders.write', onBehalfOf }]);
  });

  it('refuses a call that brings an authorization of its own, whatever grpc-js would make of it', async () => {
    const metadata = new Metadata();
    metadata.set('authorization', 'Bearer own');
    const error = await unary(ordersClient(), 'create', {}, { metadata }).catch((caught: ServiceError) => caught);
    expect(refusalOf(error as ServiceError)?.reason).toBe('CREDENTIAL_AMBIGUOUS');
    expect(received).toEqual([]);
  });

  it.each([
    ['TOKEN_REVOKED', 1],
    ['TOKEN_EXPIRED', 1],
    ['SIGNING_KEY_UNKNOWN', 1],
    ['AUDIENCE_MISMATCH', 0],
    ['SCOPE_INSUFFICIENT', 0],
  ] as const)('after %s forgets %i token', async (reason, count) => {
    answerWith = refusalStatus(reason);
    await unary(ordersClient(), 'create', {}).catch(() => undefined);
    expect(dropped).toHaveLength(count);
  });

  it('answers an error in the source itself without its message', async () => {
    get = () => {
      throw new Error('inside story');
    };
    const error = await unary(ordersClient(), 'create', {}).catch((caught: ServiceError) => caught);
    expect(error).toMatchObject({ code: status.INTERNAL });
    expect(String(error)).not.toContain('inside story');
  });

  it('explains a caller whose own token is over', async () => {
    get = () => {
      throw new TokenError('SUBJECT_TOKEN_INVALID', 'over');
    };
    const error = await unary(ordersClient(), 'create', {}).catch((caught: ServiceError) => caught);
    expect(refusalOf(error as ServiceError)?.reason).toBe('SUBJECT_TOKEN_INVALID');
  });
});

describe('unary', () => {
  it('cancels the call when its signal aborts', async () => {
    get = () => new Promise(() => {});
    const abort = new AbortController();
    const call = unary(ordersClient(), 'create', {}, { signal: abort.signal });
    abort.abort();
    await expect(call).rejects.toMatchObject({ code: status.CANCELLED });
    await expect(unary(ordersClient(), 'create', {}, { signal: abort.signal })).rejects.toThrow('aborted');
  });
});
