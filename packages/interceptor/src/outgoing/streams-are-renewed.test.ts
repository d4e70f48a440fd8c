import { Channel, type ClientOptions, type ServiceError, status } from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createRenewableStreams, type RenewableStreams, streamIdKey } from '../incoming/stream-credential.ts';
import { refusalOf } from '../status.ts';
import { createTestIssuer, orders, type TestIssuer } from '../test-issuer.ts';
import { createTestShop, type OpenedStream, type StreamKind, streamKinds, type TestShop, until } from '../test-shop.ts';
import { bearerInterceptor, noteStreamChannel } from './client-interceptor.ts';
import { createStreamRenewals, type StreamRenewals } from './stream-renewals.ts';
import { createTokenSource, type HeldToken, type TokenRequest, type TokenSource } from './token-source.ts';

const lifeSeconds = 10;
const scopes: Record<StreamKind, string> = { Upload: 'orders.write', WatchCharges: 'payments.watch', Track: 'orders.read' };

// Time passes only when a test says so; sockets work on meanwhile.
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'Date'], now: Date.UTC(2026, 0, 1) });
});

afterEach(() => {
  vi.useRealTimers();
});

describe('streams of a client in the mesh', () => {
  let issuer: TestIssuer;
  let streams: RenewableStreams;
  let shop: TestShop;
  let renewals: StreamRenewals;
  let options: ClientOptions;
  /** Looks of renewals at the source that found a newer token: each is followed by one renewal. */
  let begun: number;
  /** The same, by stream. */
  let renewed: Map<string, number>;
  /** Renewals that were answered, and the first wait of each stream. */
  let scheduled: number;
  let exchangeFails: boolean;

  beforeEach(async () => {
    issuer = createTestIssuer();
    issuer.now = Date.now;
    begun = 0;
    renewed = new Map();
    scheduled = 0;
    exchangeFails = false;
    streams = createRenewableStreams();
    shop = await createTestShop(issuer, { streams });
    const source = createTokenSource({
      async exchange({ scope = '' }) {
        if (exchangeFails) throw Object.assign(new Error('x'), { code: status.UNAVAILABLE, details: 'No connection' });
        issuer.nowMs = Date.now();
        const exp = Math.floor(Date.now() / 1000) + lifeSeconds;
        return { accessToken: issuer.token({ scope, exp }), tokenType: 'Bearer', expiresInSeconds: lifeSeconds };
      },
      now: Date.now,
      random: () => 0.5,
    });
    renewals = createStreamRenewals({
      source: noting(source),
      now: Date.now,
      random() {
        scheduled++;
        return 0.5;
      },
    });
    options = { interceptors: [bearerInterceptor(orders, source, { renewals })], callInvocationTransformer: noteStreamChannel };
  });

  afterEach(() => {
    renewals.close();
    shop.close();
  });

  function noting(source: TokenSource): TokenSource {
    const newest = new Map<string, number>();
    return {
      ...source,
      async get(request: TokenRequest): Promise<HeldToken> {
        const held = await source.get(request);
        const { scope = '' } = request;
        const known = newest.get(scope);
        if (known !== undefined && held.expMs > known) {
          begun++;
          renewed.set(scope, (renewed.get(scope) ?? 0) + 1);
        }
        newest.set(scope, held.expMs);
        return held;
      },
    };
  }

  async function open(kind: StreamKind): Promise<OpenedStream> {
    const before = scheduled;
    const stream = shop.open(kind, undefined, options, scopes[kind]);
    await until(() => shop.entered.includes(kind));
    // handlers send nothing by themselves here: the announcement is what brings the metadata
    while (scheduled === before) await pass(100);
    return stream;
  }

  /** Lets time pass; what was begun meanwhile is answered before more time does. */
  async function pass(ms: number): Promise<void> {
    await vi.advanceTimersByTimeAsync(ms);
    await until(() => scheduled >= begun || renewals.size === 0);
    await new Promise((resolve) => setImmediate(resolve));
  }

  it('live through 100 renewals without a message lost or doubled, and without being opened again', async () => {
    const opened = new Map<StreamKind, OpenedStream>();
    for (const kind of streamKinds) opened.set(kind, await open(kind));
    const of = (kind: StreamKind) => opened.get(kind) as OpenedStream;
    let sent = 0;
    while (streamKinds.some((kind) => (renewed.get(scopes[kind]) ?? 0) < 100)) {
      for (const kind of streamKinds) of(kind).send(sent);
      shop.push(sent);
      sent++;
      await pass(1_000);
    }
    expect(sent).toBeGreaterThan(100 * (lifeSeconds / 2));
    const numbers = Array.from({ length: sent }, (_, n) => n);
    await until(() => of('Track').received.length >= sent && of('WatchCharges').received.length >= sent);
    await until(() => shop.received.Upload.length >= sent);
    for (const kind of streamKinds) of(kind).finish();
    shop.endPush();
    expect(await Promise.all(streamKinds.map((kind) => of(kind).ended))).toEqual([undefined, undefined, undefined]);
    expect(shop.received).toEqual({ Upload: numbers, WatchCharges: [], Track: numbers });
    expect(of('Track').received).toEqual(numbers);
    expect(of('WatchCharges').received).toEqual(numbers);
    expect(shop.entered.toSorted()).toEqual(streamKinds.toSorted());
    expect([renewals.size, streams.size]).toEqual([0, 0]);
  });

  it.each(streamKinds)('of %s do not show their id to the program', async (kind) => {
    const stream = await open(kind);
    expect((await stream.metadata).get(streamIdKey)).toEqual([]);
  });

  it.each(streamKinds)('of %s end with their last token when no other can be had, not before', async (kind) => {
    const stream = await open(kind);
    exchangeFails = true;
    let ended: ServiceError | undefined;
    void stream.ended.then((error) => {
      ended = error;
    });
    const expMs = Date.UTC(2026, 0, 1) + lifeSeconds * 1000;
    while (Date.now() < expMs - 100) {
      await pass(100);
      expect(ended).toBeUndefined();
    }
    await vi.advanceTimersByTimeAsync(100);
    expect(refusalOf(await stream.ended)?.reason).toBe('TOKEN_EXPIRED');
    expect(renewals.size).toBe(0);
  });

  it.each(streamKinds)('of %s are renewed again once token-exchange is back', async (kind) => {
    const stream = await open(kind);
    const before = scheduled;
    exchangeFails = true;
    await pass(lifeSeconds * 600);
    exchangeFails = false;
    while (scheduled === before) await pass(100);
    await pass(lifeSeconds * 400);
    stream.finish();
    shop.endPush();
    expect(await stream.ended).toBeUndefined();
  });

  it('are renewed over a channel that balances, by the process that has them', async () => {
    const other = await createTestShop(issuer);
    try {
      const [first, second] = [shop.address, other.address];
      const balancing = { 'grpc.service_config': JSON.stringify({ loadBalancingConfig: [{ round_robin: {} }] }) };
      const channelFactoryOverride: ClientOptions['channelFactoryOverride'] = (_, channel) =>
        new Channel(`ipv4:${first},${second}`, channel, balancing);
      const stream = shop.open('Track', undefined, { ...options, channelFactoryOverride }, scopes.Track);
      await until(() => shop.entered.length + other.entered.length === 1);
      while (scheduled < 4) {
        stream.send(scheduled);
        await pass(500);
      }
      expect(Date.now()).toBeGreaterThan(Date.UTC(2026, 0, 1) + lifeSeconds * 1000);
      stream.finish();
      expect(await stream.ended).toBeUndefined();
      expect(shop.entered.length + other.entered.length).toBe(1);
    } finally {
      other.close();
    }
  });

  it('are not renewed any more once the mesh is closed', async () => {
    const stream = await open('Track');
    renewals.close();
    expect(renewals.size).toBe(0);
    await vi.advanceTimersByTimeAsync(lifeSeconds * 1000);
    expect(refusalOf(await stream.ended)?.reason).toBe('TOKEN_EXPIRED');
    const late = shop.open('Upload', undefined, options, scopes.Upload);
    await until(() => shop.entered.includes('Upload'));
    await vi.advanceTimersByTimeAsync(lifeSeconds * 500);
    await late.metadata;
    expect(renewals.size).toBe(0);
  });

  it('are not renewed any more once they have ended', async () => {
    const stream = await open('Track');
    stream.cancel();
    await stream.ended;
    expect(renewals.size).toBe(0);
  });
});
