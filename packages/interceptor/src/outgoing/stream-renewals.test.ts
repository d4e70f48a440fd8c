import { Channel, type ChannelInterface, credentials, Server, ServerCredentials, type ServiceError, status } from '@grpc/grpc-js';
import { type StreamCredentialHandlers, tokenmesh } from '@tokenmesh/proto';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type Caller, createCaller } from '../incoming/caller.ts';
import { refusalStatus } from '../status.ts';
import { orders } from '../test-issuer.ts';
import { until } from '../test-shop.ts';
import { createStreamRenewals, type StreamRenewals } from './stream-renewals.ts';
import type { HeldToken } from './token-source.ts';

// Time passes only when a test says so; sockets work on meanwhile.
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'Date'], now: Date.UTC(2026, 0, 1) });
});

afterEach(() => {
  vi.useRealTimers();
});

describe('createStreamRenewals', () => {
  let server: Server;
  let channel: ChannelInterface;
  let renewals: StreamRenewals;
  let asked: string[];
  let answers: (Partial<ServiceError> | null)[];
  let held: HeldToken;
  let looks: number;

  beforeEach(async () => {
    asked = [];
    answers = [];
    looks = 0;
    held = { compact: 't', tokenType: 'Bearer', expMs: Date.now() + 600_000 };
    server = new Server();
    const handlers: StreamCredentialHandlers = {
      Renew(call, callback) {
        asked.push(call.request.stream_id);
        callback(answers.length > 1 ? (answers.shift() ?? null) : (answers[0] ?? null), { exp: 0 });
      },
    };
    server.addService(tokenmesh.StreamCredential.service, handlers);
    const port = await new Promise<number>((resolve, reject) => {
      server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) => (error ? reject(error) : resolve(bound)));
    });
    channel = new Channel(`127.0.0.1:${port}`, credentials.createInsecure(), {});
    const get = () => {
      looks++;
      return held;
    };
    renewals = createStreamRenewals({ source: { get, drop: () => {} }, now: Date.now, random: () => 0.5 });
  });

  afterEach(() => {
    renewals.close();
    channel.close();
    server.forceShutdown();
  });

  const keep = (more: { readonly onBehalfOf?: Caller; readonly expMs?: number } = {}) =>
    renewals.keep({
      id: 'stream-1',
      channel,
      interceptors: [],
      audience: orders,
      scope: undefined,
      onBehalfOf: undefined,
      expMs: Date.now() + 300_000,
      ...more,
    });

  const idle = () => new Promise((resolve) => setImmediate(() => setImmediate(resolve)));

  it('looks for a newer token when half of the old one is over', async () => {
    keep();
    await vi.advanceTimersByTimeAsync(149_999);
    expect(looks).toBe(0);
    await vi.advanceTimersByTimeAsync(1);
    expect(looks).toBe(1);
    await until(() => asked.length === 1);
    expect(asked).toEqual(['stream-1']);
  });

  it('sends no token that ends no later, and looks again after 1, 2, 4 seconds', async () => {
    held = { ...held, expMs: Date.now() + 300_000 };
    keep();
    await vi.advanceTimersByTimeAsync(150_000);
    for (const seconds of [1, 2, 4]) {
      const before = looks;
      await vi.advanceTimersByTimeAsync(seconds * 1000 - 1);
      expect(looks).toBe(before);
      await vi.advanceTimersByTimeAsync(1);
      expect(looks).toBe(before + 1);
    }
    expect(asked).toEqual([]);
  });

  it.each([
    ['the server cannot be reached', { code: status.UNAVAILABLE, details: 'x' }],
    ['the server refuses the token', refusalStatus('SCOPE_INSUFFICIENT')],
  ])('tries again after a second when %s', async (_, answer) => {
    answers = [answer, null];
    keep();
    await vi.advanceTimersByTimeAsync(150_000);
    await until(() => asked.length === 1);
    while (asked.length === 1) {
      await vi.advanceTimersByTimeAsync(1_000);
      await idle();
    }
    expect(renewals.size).toBe(1);
  });

  it('tries several times with a server that does not know the stream, which may be another process each time', async () => {
    answers = [...Array<Partial<ServiceError>>(7).fill({ code: status.NOT_FOUND, details: 'no such stream' }), null];
    keep();
    await vi.advanceTimersByTimeAsync(150_000);
    await until(() => asked.length === 8);
    await idle();
    expect(renewals.size).toBe(1);
  });

  it('gives up when nobody knows the stream, and leaves it to its end', async () => {
    answers = [{ code: status.NOT_FOUND, details: 'no such stream' }];
    keep();
    await vi.advanceTimersByTimeAsync(150_000);
    await until(() => renewals.size === 0);
    expect(asked).toHaveLength(8);
  });

  it('stops when it would come too late', async () => {
    held = { ...held, expMs: 0 };
    keep();
    await vi.advanceTimersByTimeAsync(300_000);
    expect(renewals.size).toBe(0);
  });

  it('asks nobody about a stream that is released before half of its token is over', async () => {
    const release = keep();
    release();
    await vi.advanceTimersByTimeAsync(300_000);
    expect(looks).toBe(0);
  });

  it('does not try beyond the token of the caller for whom the stream is', async () => {
    const nowSeconds = Date.now() / 1000;
    const callerUntil = (exp: number) =>
      createCaller(
        {
          kid: 'k',
          scope: [],
          claims: { iss: '', sub: 's', aud: orders, exp, iat: 0, jti: 'j', client_id: 'c', scope: '', txn: '', rn: 0 },
        },
        'compact',
      );
    keep({ onBehalfOf: callerUntil(nowSeconds + 300) });
    expect(renewals.size).toBe(0);
    keep({ onBehalfOf: callerUntil(nowSeconds + 900) });
    expect(renewals.size).toBe(1);
  });

  it('survives timers that are longer than setTimeout takes', async () => {
    keep({ expMs: Date.now() + 2 ** 33 });
    await vi.advanceTimersByTimeAsync(1_000);
    expect(looks).toBe(0);
  });
});
