import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect as connectHttp2 } from 'node:http2';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ClientOptions, credentials, Metadata, Server, ServerCredentials, type ServiceError, status } from '@grpc/grpc-js';
import { type OrdersHandlers, shop, shopPackage } from '@tokenmesh/proto/shop';
import { exportSigningKey, generateSigningKey, nonceWindowMs } from '@tokenmesh/token';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ProofPolicy } from '../incoming/binding.ts';
import { callerOf } from '../incoming/caller.ts';
import type { RefusedCall } from '../incoming/guarded-call.ts';
import { type ServerInterceptors, serverInterceptors } from '../incoming/server-interceptor.ts';
import { refusalOf } from '../status.ts';
import { orders as audience, createTestIssuer, type TestIssuer } from '../test-issuer.ts';
import { bearerInterceptor } from './client-interceptor.ts';
import { createDpopSigner, type DpopSigner, dpopKey } from './dpop-signer.ts';
import { unary } from './unary.ts';

const key = generateSigningKey();
const authority = 'orders.shop.test';

let issuer: TestIssuer;
let guard: ServerInterceptors;
let server: Server;
let port: number;
let clients: InstanceType<typeof shop.Orders>[];
let refused: RefusedCall[];
/** Metadata that handlers saw. */
let seen: Metadata[];
/** What the next calls of Create end with instead of an answer. */
let failures: Partial<ServiceError>[];
let ids: number;

const handlers: OrdersHandlers = {
  Create(call, callback) {
    seen.push(call.metadata);
    const failure = failures.shift();
    if (failure) return callback(failure);
    callback(null, { chain: [callerOf(call).sub] });
  },
  Get: (_, callback) => callback(null, {}),
  Upload: (_, callback) => callback(null, {}),
  Track(call) {
    seen.push(call.metadata);
    call.on('data', ({ order_id }) => call.write({ order: { order_id } }));
    call.on('end', () => call.end());
  },
};

async function start(proofs?: ProofPolicy): Promise<void> {
  guard = serverInterceptors({
    packages: [shopPackage],
    ...{ audience, issuer: issuer.issuer, keys: issuer.keys, revocation: issuer.revocation, now: issuer.now },
    ...(proofs && { proofs }),
    onRefused: (call) => refused.push(call),
  });
  server = new Server({ interceptors: guard.interceptors });
  server.addService(shop.Orders.service, handlers);
  port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) => (error ? reject(error) : resolve(bound)));
  });
}

const newId = () => `id-${++ids}`;
const signer = (of = key): DpopSigner => createDpopSigner({ key: of, now: issuer.now, newId });

/** A client that holds one token and presents it with proofs by its signer. */
function connect(token: string, by: DpopSigner = signer(), options: ClientOptions = {}): InstanceType<typeof shop.Orders> {
  const held = { compact: token, tokenType: 'DPoP', expMs: Number.POSITIVE_INFINITY };
  const interceptor = bearerInterceptor(audience, { get: () => held, drop: () => undefined }, { dpop: { signer: by, authority } });
  const client = new shop.Orders(`127.0.0.1:${port}`, credentials.createInsecure(), { ...options, interceptors: [interceptor] });
  clients.push(client);
  return client;
}

/** The reason that a call is refused with; undefined when it is answered. */
async function reasonOf(call: Promise<unknown>): Promise<string | undefined> {
  const error = await call.then(
    () => undefined,
    (failure: ServiceError) => failure,
  );
  return error && (refusalOf(error)?.reason ?? error.message);
}

beforeEach(() => {
  issuer = createTestIssuer();
  [clients, refused, seen, failures, ids] = [[], [], [], [], 0];
});

afterEach(() => {
  for (const client of clients) client.close();
  guard.close();
  server.forceShutdown();
});

describe('a call with a token bound to a key', () => {
  beforeEach(() => start());

  it('is answered again and again, each time with another proof, which its handler does not see', async () => {
    const client = connect(issuer.token({ cnf: { jkt: key.kid } }));
    for (let call = 0; call < 3; call++) await unary(client, 'create', {});
    expect(seen).toHaveLength(3);
    expect(ids).toBe(3);
    for (const metadata of seen) expect([...metadata.get('dpop'), ...metadata.get('authorization')]).toEqual([]);
  });

  it('makes a proof for each attempt that gRPC itself makes', async () => {
    const serviceConfig = JSON.stringify({
      methodConfig: [
        {
          name: [{}],
          retryPolicy: {
            maxAttempts: 3,
            initialBackoff: '0.01s',
            maxBackoff: '0.01s',
            backoffMultiplier: 1,
            retryableStatusCodes: ['UNAVAILABLE'],
          },
        },
      ],
    });
    const client = connect(issuer.token({ cnf: { jkt: key.kid } }), signer(), { 'grpc.service_config': serviceConfig });
    failures.push({ code: status.UNAVAILABLE }, { code: status.UNAVAILABLE });
    await unary(client, 'create', {});
    expect(seen).toHaveLength(3);
    expect(ids).toBe(3);
    expect(refused).toEqual([]);
  });

  it('opens a stream', async () => {
    const stream = connect(issuer.token({ cnf: { jkt: key.kid } })).track();
    stream.write({ order_id: 'o1' });
    expect((await once(stream, 'data'))[0].order.order_id).toBe('o1');
    stream.end();
    stream.resume();
    await once(stream, 'end');
    expect(ids).toBe(1);
  });

  it('is refused with the challenge of the DPoP scheme when who stole the token presents it', async () => {
    const token = issuer.token({ cnf: { jkt: key.kid } });
    expect(await reasonOf(unary(connect(token, signer(generateSigningKey())), 'create', {}))).toBe('BINDING_MISMATCH');
    const metadata = new Metadata();
    metadata.set('authorization', `Bearer ${token}`);
    const bare = new shop.Orders(`127.0.0.1:${port}`, credentials.createInsecure());
    clients.push(bare);
    const error = await unary(bare, 'create', {}, { metadata }).catch((failure: ServiceError) => failure);
    expect(refusalOf(error as ServiceError)?.reason).toBe('BOUND_TOKEN_AS_BEARER');
    expect((error as ServiceError).metadata.get('www-authenticate')[0]).toMatch(/^DPoP error="invalid_token"/);
    expect(seen).toEqual([]);
  });

  it('is refused when all of it is sent a second time', async () => {
    const token = issuer.token({ cnf: { jkt: key.kid } });
    const metadata = new Metadata();
    metadata.set('authorization', `DPoP ${token}`);
    metadata.set('dpop', signer().sign({ audience, authority, method: '/shop.v1.Orders/Create', accessToken: token }));
    const bare = new shop.Orders(`127.0.0.1:${port}`, credentials.createInsecure());
    clients.push(bare);
    expect(await reasonOf(unary(bare, 'create', {}, { metadata }))).toBeUndefined();
    expect(await reasonOf(unary(bare, 'create', {}, { metadata }))).toBe('PROOF_REPLAYED');
  });

  it('T-40: is refused with two dpop headers on the wire, even of two good proofs', async () => {
    const token = issuer.token({ cnf: { jkt: key.kid } });
    const proof = () => signer().sign({ audience, authority, method: '/shop.v1.Orders/Create', accessToken: token });
    const session = connectHttp2(`http://127.0.0.1:${port}`);
    const send = async (dpop: string | string[]) => {
      const request = session.request({
        ...{ ':method': 'POST', ':path': '/shop.v1.Orders/Create', 'content-type': 'application/grpc', te: 'trailers' },
        ...{ authorization: `DPoP ${token}`, dpop },
      });
      // an empty message
      request.end(Buffer.alloc(5));
      let code: unknown;
      for (const event of ['response', 'trailers']) {
        request.on(event, (headers: Record<string, unknown>) => {
          code ??= headers['grpc-status'];
        });
      }
      request.resume();
      await once(request, 'close');
      return code;
    };
    expect(await send([proof(), proof()])).toBe(String(status.UNAUTHENTICATED));
    expect(refused.map(({ error }) => error.reason)).toEqual(['PROOF_INVALID']);
    expect(await send(proof())).toBe(String(status.OK));
    session.close();
  });

  it('holds no byte of token or proof in what it is refused with', async () => {
    const token = issuer.token({ cnf: { jkt: generateSigningKey().kid } });
    let proof = '';
    const by = signer();
    const noted: DpopSigner = { ...by, sign: (call) => (proof = by.sign(call)) };
    const error = await unary(connect(token, noted), 'create', {}).catch((failure: ServiceError) => failure);
    const answer = JSON.stringify([
      error,
      (error as ServiceError).metadata.getMap(),
      refused.map((one) => [one.error.message, one.error.cause]),
    ]);
    for (const part of [...token.split('.'), ...proof.split('.')]) expect(answer).not.toContain(part);
  });
});

describe('a service that asks for nonces', () => {
  beforeEach(() => start({ nonce: 'required' }));

  it('refuses the first call once, and then none that comes in time for the nonce given with the answer before', async () => {
    const keeper = signer();
    for (let call = 0; call < 4; call++) {
      await unary(connect(issuer.token({ cnf: { jkt: key.kid } }), keeper), 'create', {});
      issuer.nowMs += nonceWindowMs;
    }
    expect(seen).toHaveLength(4);
    expect(refused.map(({ error }) => error.reason)).toEqual(['PROOF_NONCE_REQUIRED']);
  });

  it('challenges with use_dpop_nonce and says the nonce in the trailer dpop-nonce', async () => {
    const token = issuer.token({ cnf: { jkt: key.kid } });
    const deaf: DpopSigner = { ...signer(), rememberNonce: () => undefined };
    const error = await unary(connect(token, deaf), 'create', {}).catch((failure: ServiceError) => failure);
    const { metadata } = error as ServiceError;
    expect(metadata.get('www-authenticate')[0]).toMatch(/^DPoP error="use_dpop_nonce"/);
    expect(metadata.get('dpop-nonce')).toEqual([expect.stringMatching(/^[\w-]{22}$/)]);
    // with the nonce left out twice there is no third attempt
    expect(refused).toHaveLength(2);
  });

  it('refuses a nonce of windows ago', async () => {
    const token = () => issuer.token({ cnf: { jkt: key.kid } });
    const keeper = signer();
    await unary(connect(token(), keeper), 'create', {});
    issuer.nowMs += 2 * nonceWindowMs;
    await unary(connect(token(), keeper), 'create', {});
    expect(refused.map(({ error }) => error.reason)).toEqual(['PROOF_NONCE_REQUIRED', 'PROOF_NONCE_REQUIRED']);
  });

  it('says none to callers without a proof', async () => {
    const metadata = new Metadata();
    metadata.set('authorization', `Bearer ${issuer.token()}`);
    const bare = new shop.Orders(`127.0.0.1:${port}`, credentials.createInsecure());
    clients.push(bare);
    const call = bare.create({}, metadata, () => undefined);
    const [{ metadata: trailers }] = await once(call, 'status');
    expect(trailers.get('dpop-nonce')).toEqual([]);
  });
});

describe('dpopKey', () => {
  it('is a new one, one from a file, or the one given', () => {
    const directory = mkdtempSync(join(tmpdir(), 'dpop-key-'));
    try {
      const file = join(directory, 'key.pem');
      writeFileSync(file, exportSigningKey(key));
      expect(dpopKey(file).kid).toBe(key.kid);
      writeFileSync(file, 'garbage');
      expect(() => dpopKey(file)).toThrow(TypeError);
    } finally {
      rmSync(directory, { recursive: true });
    }
    expect(dpopKey(key)).toBe(key);
    expect(dpopKey(true).kid).not.toBe(dpopKey(true).kid);
  });
});

describe('createDpopSigner', () => {
  it('holds the nonce that an audience gave last in proofs for it, and in no others', () => {
    const by = signer();
    const nonceFor = (of: string) => {
      const proof = by.sign({ audience: of, authority, method: '/a/B' });
      return JSON.parse(Buffer.from(proof.split('.')[1] ?? '', 'base64url').toString()).nonce;
    };
    by.rememberNonce('a', 'n-1');
    by.rememberNonce('a', 'n-2');
    expect([nonceFor('a'), nonceFor('b')]).toEqual(['n-2', undefined]);
  });

  it.each(['', 'a b', 'a"b', 'a\\b', 'ä', 'n'.repeat(257)])('takes %j for no nonce', (text) => {
    const by = signer();
    by.rememberNonce('a', text);
    const proof = by.sign({ audience: 'a', authority, method: '/a/B' });
    expect(Buffer.from(proof.split('.')[1] ?? '', 'base64url').toString()).not.toContain('nonce');
  });

  it('T-44: takes a nonce of 256 characters', () => {
    const by = signer();
    by.rememberNonce('a', 'n'.repeat(256));
    expect(Buffer.from(by.sign({ audience: 'a', authority, method: '/a/B' }).split('.')[1] ?? '', 'base64url').toString()).toContain('nnn');
  });
});
