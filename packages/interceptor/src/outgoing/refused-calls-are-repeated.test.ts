import {
  credentials,
  type Deadline,
  Metadata,
  Server,
  ServerCredentials,
  ServerInterceptingCall,
  type ServerInterceptor,
  type ServiceError,
  status,
} from '@grpc/grpc-js';
import { type OrdersHandlers, type PaymentsHandlers, shop } from '@tokenmesh/proto/shop';
import { generateSigningKey, type Reason, reasons } from '@tokenmesh/token';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type RefusalStatus, refusalOf, refusalStatus } from '../status.ts';
import { orders as ordersId } from '../test-issuer.ts';
import { bearerInterceptor } from './client-interceptor.ts';
import { createDpopSigner } from './dpop-signer.ts';
import type { HeldToken, TokenSource } from './token-source.ts';
import { unary } from './unary.ts';

const givenUp = { code: status.ABORTED, details: 'the test ends the call', metadata: new Metadata() };

/** What one attempt brought along, as the server saw it. */
interface Attempt {
  readonly authorization: string;
  readonly dpop: string;
  readonly own: string;
  readonly deadline: Deadline;
}

let server: Server;
let attempts: Attempt[];
let handled: unknown[];
/** What the n-th attempt (from 0) is refused with before its handler; `undefined` lets it in. */
let refuseWith: (attempt: number) => RefusalStatus | undefined;
let issued: number;
let dropped: unknown[];
let get: TokenSource['get'];
let signer: ReturnType<typeof createDpopSigner>;
let orders: InstanceType<typeof shop.Orders>;
let payments: InstanceType<typeof shop.Payments>;

const refusing: ServerInterceptor = (_, call) => {
  const intercepting = new ServerInterceptingCall(call, {
    start(next) {
      next({
        onReceiveMetadata(metadata, nextMetadata) {
          const [authorization = '', dpop = '', own = ''] = ['authorization', 'dpop', 'own'].map((key) =>
            String(metadata.get(key)[0] ?? ''),
          );
          const refusal = refuseWith(attempts.push({ authorization, dpop, own, deadline: call.getDeadline() }) - 1);
          if (refusal) intercepting.sendStatus(refusal);
          else nextMetadata(metadata);
        },
      });
    },
  });
  return intercepting;
};

const token = (n: number): HeldToken => ({ compact: `t${n}`, tokenType: 'Bearer', expMs: 9e15 });
const refused = (reason: Reason) => refusalStatus(reason, { admitted: 'false' });

beforeEach(async () => {
  attempts = [];
  handled = [];
  dropped = [];
  issued = 0;
  refuseWith = () => undefined;
  get = () => token(++issued);
  signer = createDpopSigner({ key: generateSigningKey(), now: Date.now, newId: () => 'proof' });
  server = new Server({ interceptors: [refusing] });
  const ordersHandlers: OrdersHandlers = {
    Create(call, callback) {
      handled.push(call.request.item);
      callback(null, { order: { order_id: 'o1' } });
    },
    Get: (_, callback) => callback(null, {}),
    Upload(call, callback) {
      handled.push('Upload');
      call.on('end', () => callback(null, {})).resume();
    },
    Track(call) {
      handled.push('Track');
      call.on('end', () => call.end()).resume();
    },
  };
  const paymentsHandlers: PaymentsHandlers = {
    Charge: (_, callback) => callback(null, {}),
    Refund: (_, callback) => callback(null, {}),
    WatchCharges(call) {
      handled.push('WatchCharges');
      call.end();
    },
  };
  server.addService(shop.Orders.service, ordersHandlers);
  server.addService(shop.Payments.service, paymentsHandlers);
  const port = await listen(server);
  const source: TokenSource = { get: (request) => get(request), drop: (held) => dropped.push(held) };
  const interceptors = [bearerInterceptor(ordersId, source, { dpop: { signer, authority: 'orders.shop.test' } })];
  orders = new shop.Orders(`127.0.0.1:${port}`, credentials.createInsecure(), { interceptors });
  payments = new shop.Payments(`127.0.0.1:${port}`, credentials.createInsecure(), { interceptors });
});

afterEach(() => {
  orders.close();
  payments.close();
  server.forceShutdown();
});

function listen(bound: Server): Promise<number> {
  return new Promise((resolve, reject) => {
    bound.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) => (error ? reject(error) : resolve(port)));
  });
}

type Ended = ServiceError | null;

/** Each kind of call, run to its end; the last two have sent something before the refusal can be there. */
const kinds = {
  unary: () => new Promise<Ended>((resolve) => orders.create({ item: 'x' }, resolve)),
  'server stream': () =>
    new Promise<Ended>((resolve) => {
      const call = payments.watchCharges({});
      call.on('error', resolve).on('end', () => resolve(null));
      call.resume();
    }),
  'client stream with nothing sent': () =>
    new Promise<Ended>((resolve) => {
      const call = orders.upload(resolve);
      call.on('error', () => {}); // the callback has it
      call.end();
    }),
  'bidi stream with nothing sent': () =>
    new Promise<Ended>((resolve) => {
      const call = orders.track();
      call.on('error', resolve).on('end', () => resolve(null));
      call.resume();
      call.end();
    }),
  'client stream with a message sent': () =>
    new Promise<Ended>((resolve) => {
      const call = orders.upload(resolve);
      call.on('error', () => {}); // the callback has it
      call.write({ item: 'x' });
    }),
  'bidi stream with a message sent': () =>
    new Promise<Ended>((resolve) => {
      const call = orders.track();
      call.on('error', resolve);
      call.resume();
      call.write({ order_id: 'o1' });
    }),
};
type Kind = keyof typeof kinds;

const curedByToken = new Set<Reason>(['SIGNING_KEY_UNKNOWN', 'TOKEN_EXPIRED', 'TOKEN_NOT_YET_VALID', 'TOKEN_REVOKED']);

describe.each(Object.keys(kinds) as Kind[])('a %s', (kind) => {
  const mayRepeat = !kind.includes('message sent');

  it.each(reasons)(
    `that is refused every time with %s is attempted ${mayRepeat ? 'twice where another token may help' : 'once'}`,
    async (reason) => {
      refuseWith = () => refused(reason);
      const error = await kinds[kind]();
      expect(refusalOf(error)?.reason).toBe(reason);
      const expected = mayRepeat && curedByToken.has(reason) ? ['Bearer t1', 'Bearer t2'] : ['Bearer t1'];
      expect(attempts.map(({ authorization }) => authorization)).toEqual(expected);
      expect(dropped).toHaveLength(curedByToken.has(reason) ? expected.length : 0);
      expect(handled).toEqual([]);
    },
  );
});

describe.each((Object.keys(kinds) as Kind[]).filter((kind) => !kind.includes('message sent')))('a %s that is repeated', (kind) => {
  it('ends as the second attempt does, and its handler runs once', async () => {
    refuseWith = (attempt) => (attempt === 0 ? refused('TOKEN_REVOKED') : undefined);
    expect(await kinds[kind]()).toBe(null);
    expect(handled).toHaveLength(1);
  });

  it('is not repeated again for another cause that a token would cure', async () => {
    refuseWith = (attempt) => refused(attempt === 0 ? 'TOKEN_REVOKED' : 'SIGNING_KEY_UNKNOWN');
    expect(refusalOf(await kinds[kind]())?.reason).toBe('SIGNING_KEY_UNKNOWN');
    expect(attempts).toHaveLength(2);
  });

  it('ends with its own refusal when the token is the same again', async () => {
    get = () => token(1);
    refuseWith = () => refused('TOKEN_REVOKED');
    expect(refusalOf(await kinds[kind]())?.reason).toBe('TOKEN_REVOKED');
    expect(attempts).toHaveLength(1);
  });

  it("ends with token-exchange's refusal when no other token can be had", async () => {
    get = () => {
      if (++issued > 1) throw Object.assign(new Error('x'), refusalStatus('TARGET_REFUSED'));
      return token(issued);
    };
    refuseWith = () => refused('TOKEN_REVOKED');
    const error = await kinds[kind]();
    expect(refusalOf(error)).toMatchObject({ reason: 'TARGET_REFUSED', info: { audience: ordersId } });
    expect(error?.code).toBe(status.PERMISSION_DENIED);
    expect(attempts).toHaveLength(1);
  });

  it('takes the nonce that it is given, once, and another token, once', async () => {
    get = () => ({ ...token(++issued), tokenType: 'DPoP' });
    const wantsNonce = (nonce: string) => {
      const refusal = refused('PROOF_NONCE_REQUIRED');
      refusal.metadata.set('dpop-nonce', nonce);
      return refusal;
    };
    const answers = [wantsNonce('n1'), refused('TOKEN_REVOKED'), wantsNonce('n2')];
    refuseWith = (attempt) => answers[attempt] ?? givenUp;
    expect(refusalOf(await kinds[kind]())?.reason).toBe('PROOF_NONCE_REQUIRED');
    expect(
      attempts.map(({ dpop }) => (JSON.parse(Buffer.from(dpop.split('.')[1] ?? '', 'base64url').toString()) as { nonce?: string }).nonce),
    ).toEqual([undefined, 'n1', 'n1']);
  });

  it('is not repeated when it wants a nonce and gives none', async () => {
    refuseWith = () => refused('PROOF_NONCE_REQUIRED');
    await kinds[kind]();
    expect(attempts).toHaveLength(1);
  });
});

describe('a call that is repeated', () => {
  beforeEach(() => {
    refuseWith = (attempt) => (attempt === 0 ? refused('TOKEN_EXPIRED') : undefined);
  });

  it('brings the same message, metadata, deadline, scope and caller', async () => {
    const requests: unknown[] = [];
    get = (request) => {
      requests.push(request);
      return token(++issued);
    };
    const metadata = new Metadata();
    metadata.set('own', 'value');
    const deadline = Date.now() + 60_000;
    const onBehalfOf = { sub: 's', clientId: 'c', scope: [], act: [], jti: 'j', exp: 1, txn: 't', stale: false };
    const { order } = await unary(orders, 'create', { item: 'x' }, { metadata, deadline, scope: 'orders.write', onBehalfOf });
    expect(order?.order_id).toBe('o1');
    expect(handled).toEqual(['x']);
    expect(attempts.map(({ own }) => own)).toEqual(['value', 'value']);
    for (const attempt of attempts) expect(Math.abs(Number(attempt.deadline) - deadline)).toBeLessThan(5_000);
    expect(requests).toEqual(Array(2).fill({ audience: ordersId, scope: 'orders.write', onBehalfOf }));
    expect(metadata.getMap()).toEqual({ own: 'value' });
  });

  it('ends DEADLINE_EXCEEDED when its deadline passes before the other token is there', async () => {
    get = () => (++issued > 1 ? new Promise(() => {}) : token(issued));
    const call = unary(orders, 'create', {}, { deadline: Date.now() + 1_000 });
    await expect(call).rejects.toMatchObject({ code: status.DEADLINE_EXCEEDED });
    expect(issued).toBe(2);
  });

  it('ends CANCELLED when it is cancelled before the other token is there', async () => {
    const waits = Promise.withResolvers<void>();
    get = () => {
      if (++issued === 1) return token(issued);
      waits.resolve();
      return new Promise(() => {});
    };
    const abort = new AbortController();
    const call = unary(orders, 'create', {}, { signal: abort.signal });
    await waits.promise;
    abort.abort();
    await expect(call).rejects.toMatchObject({ code: status.CANCELLED });
    expect(attempts).toHaveLength(1);
  });

  it('runs the call credentials of its own anew', async () => {
    let runs = 0;
    const own = credentials.createFromMetadataGenerator((_, callback) => {
      const metadata = new Metadata();
      metadata.set('own', `${++runs}`);
      callback(null, metadata);
    });
    await unary(orders, 'create', {}, { credentials: own });
    expect(attempts.map((attempt) => attempt.own)).toEqual(['1', '2']);
  });
});

describe('a refusal', () => {
  it('of a server stream is final when it does not say that the handler was not reached', async () => {
    refuseWith = () => refusalStatus('TOKEN_REVOKED');
    await kinds['server stream']();
    expect(attempts).toHaveLength(1);
  });

  it.each(Object.keys(kinds) as Kind[])('of a %s that was admitted is final', async (kind) => {
    refuseWith = () => refusalStatus('TOKEN_REVOKED', { admitted: 'true' });
    await kinds[kind]();
    expect(attempts).toHaveLength(1);
  });

  it('without a reason of the mesh is final', async () => {
    refuseWith = () => ({ code: status.UNAUTHENTICATED, details: 'foreign', metadata: new Metadata() });
    expect(await kinds.unary()).toMatchObject({ code: status.UNAUTHENTICATED, details: 'foreign' });
    expect(attempts).toHaveLength(1);
  });
});
