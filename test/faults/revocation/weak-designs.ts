import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type AccessRules, createMesh, privateKeyJwt, type RevocationView, serverInterceptors, unary } from '@tokenmesh/interceptor';
import { tokenmesh } from '@tokenmesh/proto';
import {
  createRevocationFeed,
  createRevocationSet,
  type FeedRecord,
  type FeedTransport,
  openCheckpoint,
  openEvent,
} from '@tokenmesh/revocation';
import { grpcRecord, grpcTransport } from '@tokenmesh/revocation/grpc';
import { natsTransport } from '@tokenmesh/revocation/nats';
import { importJwks, type KeySet } from '@tokenmesh/token';
import { payments, tokenExchange } from '../fault-mesh.ts';
import type { Design, VerifierOptions } from './trial-service.ts';
import type { Guard } from './verifier-guard.ts';

const trustDomain = 'faults.test';
const issuer = `https://token-exchange.${trustDomain}`;

/** - `plain`: what many would build; - `receipt`: the real feed, but for what it calls fresh. */
export type WeakDesign = Exclude<Design, 'real'>;

/** They do not recover: nobody waits long for it. */
export const limitOfWeakMs = 1_500;

type WeakOptions = Omit<VerifierOptions, 'design'> & { readonly design: WeakDesign };

/** What a weak design is made of: what a real feed is made of, and the keys of events. */
interface Parts {
  readonly record: FeedRecord;
  readonly courier: FeedTransport;
  readonly fallback: FeedTransport;
  readonly keys: ReturnType<typeof importJwks>;
  readonly staleAfterMs: number;
}

/**
 * A guard that takes revocations as one of the designs that do not hold. Everything else about it is the product's: what verifies tokens, what judges
 * calls and ends streams, the transports, the signatures on events.
 */
export async function openWeakGuard(
  { design, directory, tokenExchange: port, nats, staleAfterMs, graceMs }: WeakOptions,
  rules: AccessRules,
  tell: (what: string, detail: string) => void,
): Promise<Guard> {
  const mesh = await createMesh({
    self: payments,
    tokenExchange: `localhost:${port}`,
    credential: privateKeyJwt(join(directory, 'payments.pem')),
    ca: readFileSync(join(directory, 'ca.pem')),
  });
  await mesh.ready();
  const tls = mesh.channelCredentials();
  const feed = new tokenmesh.RevocationFeed(`localhost:${port}`, tls, mesh.client(tokenExchange));
  const exchange = new tokenmesh.TokenExchange(`localhost:${port}`, tls, { 'grpc.enable_http_proxy': 0 });
  const keys = createKeySet(async () => importJwks((await unary(exchange, 'getJwks', {})).keys));
  const record = grpcRecord(feed);
  const parts = {
    ...{ record, staleAfterMs, keys: importJwks((await record.keys()).keys) },
    ...{ courier: natsTransport({ servers: `nats://127.0.0.1:${nats}`, mesh: trustDomain }), fallback: grpcTransport(feed) },
  };
  const revocation = await designs[design](parts, tell);
  const guard = serverInterceptors({
    ...{ packages: [rules], audience: payments, issuer, keys, revocation },
    maxLifeSeconds: graceMs / 1000,
  });
  tell('freshness', 'fresh'); // in its own eyes, whatever it is
  return { interceptors: guard.interceptors, ready: Promise.resolve() };
}

/** Asks for keys whenever one is unknown, at most once a second. */
function createKeySet(fetch: () => Promise<ReturnType<typeof importJwks>>): KeySet {
  let keys: ReturnType<typeof importJwks> = new Map();
  let askedAtMs = Number.NEGATIVE_INFINITY;
  let asking: Promise<unknown> = Promise.resolve();
  return {
    find(kid) {
      const known = keys.get(kid);
      if (known) return known;
      if (performance.now() - askedAtMs > 1_000) {
        askedAtMs = performance.now();
        asking = fetch().then(
          (fetched) => {
            keys = fetched;
          },
          () => {},
        );
      }
      return asking.then(() => keys.get(kid));
    },
  };
}

type OpenView = (parts: Parts, tell: (what: string, detail: string) => void) => Promise<RevocationView>;

const designs: Readonly<Record<WeakDesign, OpenView>> = {
  /** Subscribe, put what comes into a set, and ask the set: complete in its own eyes. */
  async plain({ courier, keys }, tell) {
    const set = createRevocationSet();
    const listeners = new Set<Parameters<RevocationView['onApplied']>[0]>();
    const up = Promise.withResolvers<void>();
    courier.subscribe(() => ({ epoch: '', n: 0 }), {
      onEvent(compact) {
        try {
          const { event } = openEvent(compact, keys, { issuer, mesh: trustDomain });
          set.apply(event);
          for (const listener of listeners) listener();
        } catch {
          tell('rejected', 'an event over nats');
        }
      },
      onCheckpoint: () => {},
      onUp: up.resolve,
      onDown: () => tell('path', 'nats down'),
    });
    await up.promise;
    return {
      set,
      freshness: () => ({ state: 'fresh', freshAtMs: Date.now(), ageMs: 0, epoch: '', n: 0, path: 'nats' }),
      onApplied(listener) {
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
    };
  },

  /** The real feed, fresh whenever a genuine checkpoint, whichever, was received within S. */
  async receipt({ record, courier, fallback, keys, staleAfterMs }) {
    let receivedAtMs = Number.NEGATIVE_INFINITY;
    const receive = (compact: string) => {
      try {
        openCheckpoint(compact, keys, { issuer, mesh: trustDomain });
        receivedAtMs = performance.now();
      } catch {
        // not genuine: even this design checks signatures
      }
    };
    const heard = (transport: FeedTransport): FeedTransport => ({
      name: transport.name,
      subscribe: (position, handlers) =>
        transport.subscribe(position, {
          ...handlers,
          onCheckpoint(compact) {
            receive(compact);
            handlers.onCheckpoint(compact);
          },
        }),
    });
    const feed = createRevocationFeed({
      record: {
        ...record,
        async checkpoint(nonce, signal) {
          const compact = await record.checkpoint(nonce, signal);
          receive(compact);
          return compact;
        },
      },
      ...{ courier: heard(courier), fallback: heard(fallback), issuer, mesh: trustDomain, staleAfterMs },
    });
    await feed.ready();
    return {
      set: feed.set,
      freshness() {
        const known = feed.freshness();
        const ageMs = performance.now() - receivedAtMs;
        return known.state === 'empty' ? known : { ...known, ageMs, state: ageMs <= staleAfterMs ? 'fresh' : 'stale' };
      },
      onApplied: feed.onApplied.bind(feed),
    };
  },
};
