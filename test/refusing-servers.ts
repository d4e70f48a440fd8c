import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Server, ServerCredentials, type ServerInterceptor } from '@grpc/grpc-js';
import { accessRules, createMesh, type Mesh, privateKeyJwt, serverInterceptors } from '@tokenmesh/interceptor';
import { createRevocationFeed, type RevocationFeed } from '@tokenmesh/revocation';
import { createMemoryCourier, createMemoryRecord, type MemoryRecord, publishFrom } from '@tokenmesh/revocation/testing';
import { createCertificateAuthority } from '@tokenmesh/shop/demo';
import { createLocalKeySet, exportJwk, exportSigningKey, generateSigningKey, type SigningKey } from '@tokenmesh/token';
import { type CallKind, everyKind, fourKinds, fourKindsHandlers } from './four-kinds.ts';
import type { WireTarget } from './wire-call.ts';

/** Identity of the servers, and the issuer whose tokens count at them. */
export const self = 'spiffe://shop.test/orders';
export const issuer = 'https://token-exchange.shop.test';

/** Services by the access rule of their methods. `Unruled` is served beside them and has none. */
const rules = {
  Scoped: { scopes: ['needed.scope'] },
  Listed: { callers: ['spiffe://shop.test/somebody-else'] },
  Undelegated: { any_caller: true, max_act_depth: 0 },
  Shallow: { any_caller: true, max_act_depth: 1 },
  Bound: { any_caller: true, require_binding: true },
  Critical: { any_caller: true, class: 'METHOD_CLASS_CRITICAL' },
} as const;
export type ServiceName = keyof typeof rules | 'Unruled';

/** Full name of a method. */
export const pathOf = (service: ServiceName, kind: CallKind): string => `/${fullName(service)}/${kind}`;

/** What a server is like: as it should be; one that wants a nonce in proofs; one whose feed fell silent; one that never reached token-exchange. */
export type ServerName = 'guarded' | 'wantsNonce' | 'uninformed' | 'alone';

/** Four servers over TLS that want client certificates, each with all services. */
export interface RefusingServers {
  readonly targets: Readonly<Record<ServerName, WireTarget>>;
  /** Calls that reached a handler. */
  readonly entered: CallKind[];
  /** Revokes at `guarded` and `wantsNonce`; resolves when both know. */
  revoke(kind: 'token' | 'subject', value: string): Promise<void>;
  close(): Promise<void>;
}

const fullName = (service: string): string => `refusals.v1.${service}`;

/** @param caller Whose certificate the targets are called with. */
export async function openRefusingServers(key: SigningKey, caller: string): Promise<RefusingServers> {
  await using opened = new AsyncDisposableStack();
  const certificates = await createCertificateAuthority('shop.test');
  const [certificate, clientCertificate] = [await certificates.issue(self), await certificates.issue(caller)];
  const entered: CallKind[] = [];

  async function serve(interceptors: ServerInterceptor[]): Promise<WireTarget> {
    const server = new Server({ interceptors });
    for (const service of [...Object.keys(rules), 'Unruled']) {
      server.addService(
        fourKinds(fullName(service)),
        fourKindsHandlers((kind) => entered.push(kind)),
      );
    }
    const pair = { cert_chain: Buffer.from(certificate.cert), private_key: Buffer.from(certificate.key) };
    const credentials = ServerCredentials.createSsl(Buffer.from(certificates.cert), [pair], true);
    const port = await new Promise<number>((resolve, reject) => {
      server.bindAsync('127.0.0.1:0', credentials, (error, bound) => (error ? reject(error) : resolve(bound)));
    });
    opened.defer(() => server.forceShutdown());
    return { port, tls: { ca: certificates.cert, ...clientCertificate } };
  }

  const packages = Object.entries(rules).map(([name, rule]) => accessRules(fourKinds(fullName(name)), everyKind(rule)));
  const keys = createLocalKeySet([exportJwk(key)]);
  async function guard(
    more: Pick<Parameters<typeof serverInterceptors>[0], 'revocation' | 'proofs' | 'monotonicNow'>,
  ): Promise<WireTarget> {
    const guarding = serverInterceptors({ packages, audience: self, issuer, keys, ...more });
    opened.defer(guarding.close);
    return await serve(guarding.interceptors);
  }

  const record = createMemoryRecord();
  const courier = createMemoryCourier();
  opened.defer(publishFrom(record, courier.publisher));
  const feed = opened.use(await openFeed(record, { courier: courier.transport }));
  const uninformed = await openSilentFeed();
  opened.use(uninformed.revocation);
  const mesh = opened.use(await openLonelyMesh(opened, certificates.cert, certificate));
  const targets = {
    guarded: await guard({ revocation: feed }),
    wantsNonce: await guard({ revocation: feed, proofs: { nonce: 'required' } }),
    uninformed: await guard(uninformed),
    alone: await serve(mesh.server(...packages)),
  };
  const all = opened.move();
  return {
    ...{ targets, entered },
    async revoke(kind, value) {
      const { event } = record.append([{ kind, value, exp: Math.floor(Date.now() / 1000) + 905 }]);
      const isApplied = () => {
        const freshness = feed.freshness();
        return freshness.state !== 'empty' && freshness.n >= event.n;
      };
      if (isApplied()) return;
      await new Promise<void>((resolve) => {
        const stop = feed.onApplied(() => {
          if (!isApplied()) return;
          stop();
          resolve();
        });
      });
    },
    close: () => all.disposeAsync(),
  };
}

async function openFeed(record: MemoryRecord, more: Partial<Parameters<typeof createRevocationFeed>[0]>): Promise<RevocationFeed> {
  const feed = createRevocationFeed({ record, issuer, mesh: 'shop.test', ...more });
  await feed.ready();
  return feed;
}

/** A feed that was fresh once, and has heard nothing for longer than it may since then, with the clock that says so. */
async function openSilentFeed(): Promise<{ readonly revocation: RevocationFeed; readonly monotonicNow: () => number }> {
  const record = createMemoryRecord();
  let lateMs = 0;
  const monotonicNow = () => performance.now() + lateMs;
  const revocation = await openFeed(record, { monotonicNow });
  record.outage = new Error('silence');
  lateMs = 6_000;
  return { revocation, monotonicNow };
}

/** A mesh whose token-exchange is not there. */
async function openLonelyMesh(
  opened: AsyncDisposableStack,
  ca: string,
  certificate: { readonly cert: string; readonly key: string },
): Promise<Mesh> {
  const formerly = createServer().listen(0, '127.0.0.1');
  await once(formerly, 'listening');
  const { port } = formerly.address() as AddressInfo; // it listens on an address, not on a pipe
  formerly.close();
  const keyFile = join(tmpdir(), `orders-${randomUUID()}.pem`);
  writeFileSync(keyFile, exportSigningKey(generateSigningKey()), { mode: 0o600 });
  opened.defer(() => rmSync(keyFile));
  return await createMesh({ self, tokenExchange: `localhost:${port}`, credential: privateKeyJwt(keyFile), ca, certificate });
}
