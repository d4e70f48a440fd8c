// A service of all kinds of call behind our interceptors; as a program `node guarded-server.ts <JWK Set>`, for tests that look at its memory.
import { Server, ServerCredentials } from '@grpc/grpc-js';
import { accessRules, callerOf, serverInterceptors } from '@tokenmesh/interceptor';
import { createRevocationSet } from '@tokenmesh/revocation';
import { createLocalKeySet, exportJwk, generateSigningKey, type Jwk, type ServiceTokenClaims, signServiceToken } from '@tokenmesh/token';
import { everyKind, fourKinds, fourKindsHandlers } from './four-kinds.ts';

export const guardedService = 'guarded.v1.Echo';
const issuer = 'https://token-exchange.shop.test';
const self = 'spiffe://shop.test/orders';

/** What happened to the calls of a server, in order: the client that reached a handler, or the reason why none did. */
export type CallEnd = { readonly entered: string } | { readonly refused: string };

export interface GuardedServer {
  readonly port: number;
  readonly ends: readonly CallEnd[];
  /** Resolves with the end of the next call that has none yet. */
  nextEnd(): Promise<CallEnd>;
  close(): void;
}

export async function openGuardedServer(keys: readonly Jwk[]): Promise<GuardedServer> {
  const ends: CallEnd[] = [];
  let awaited = 0;
  let wake = Promise.withResolvers<void>();
  const note = (end: CallEnd) => {
    ends.push(end);
    wake.resolve();
    wake = Promise.withResolvers();
  };
  const guard = serverInterceptors({
    packages: [accessRules(fourKinds(guardedService), everyKind({ scopes: ['echo'] }))],
    ...{ audience: self, issuer, keys: createLocalKeySet(keys) },
    revocation: {
      set: createRevocationSet(),
      freshness: () => ({ state: 'fresh', freshAtMs: 0, ageMs: 0, epoch: 'e1', n: 0, path: 'memory' }),
      onApplied: () => () => {},
    },
    onRefused: ({ error }) => note({ refused: error.reason }),
  });
  const server = new Server({ interceptors: guard.interceptors });
  server.addService(
    fourKinds(guardedService),
    fourKindsHandlers((_, call) => note({ entered: callerOf(call).clientId })),
  );
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) => (error ? reject(error) : resolve(bound)));
  });
  return {
    ...{ port, ends },
    async nextEnd() {
      const at = awaited++;
      for (;;) {
        const end = ends[at];
        if (end) return end;
        await wake.promise;
      }
    },
    close() {
      guard.close();
      server.forceShutdown();
    },
  };
}

const key = generateSigningKey('ES256', 'kid-of-the-issuer');

/** What verifies `tokenOf`. */
export const issuerKeys: readonly Jwk[] = [exportJwk(key)];

/** A token of one client for the server. */
export function tokenOf(client: string, claims: Partial<ServiceTokenClaims> = {}): string {
  const iat = Math.floor(Date.now() / 1000);
  const usual = {
    iss: issuer,
    aud: self,
    sub: client,
    client_id: client,
    scope: 'echo',
    iat,
    exp: iat + 300,
    jti: 'jti',
    txn: 'txn',
    rn: 0,
  };
  return signServiceToken({ ...usual, ...claims }, key);
}

if (import.meta.main) {
  const { port } = await openGuardedServer(JSON.parse(process.argv[2] ?? ''));
  console.log(JSON.stringify({ event: 'listening', port }));
}
