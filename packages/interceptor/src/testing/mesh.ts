import { setImmediate as turn } from 'node:timers/promises';
import { Channel, credentials, ServerCredentials } from '@grpc/grpc-js';
import { parseJws, parseSpiffeId, tokenTypes, trustDomainOf } from '@tokenmesh/token';
import type { Rule } from '../incoming/rules.ts';
import { type ComposedOptions, composeMesh } from '../mesh/compose-mesh.ts';
import type { IssuerConnection } from '../mesh/issuer-connection.ts';
import type { Mesh } from '../mesh/mesh.ts';
import { type MeshTls, openMeshTls } from '../mesh/mesh-tls.ts';
import { type BadToken, makeBadTokens } from './bad-tokens.ts';
import { memoryIssuerChannel, type TestExchange } from './memory-channel.ts';
import { createMemoryIssuer, type TestGrant, type TestRevocation, type TestToken } from './memory-issuer.ts';
import { createMemoryLink } from './memory-link.ts';

/** What a test says of its mesh. */
export interface TestMeshOptions {
  /** Default `mesh.test`: its workloads are `spiffe://mesh.test/…`. */
  readonly trustDomain?: string;
  /** Milliseconds since epoch; `advance` adds to it. Default: a clock that stands still at the time of this call. */
  readonly now?: () => number;
  /** Who may obtain tokens for whom; nobody else may. Default: everybody, with every scope that is asked for, else every one that the audience's rules name. */
  readonly grants?: readonly TestGrant[];
}

/** The options of `createMesh` that make sense without a network. */
export type TestMeshForOptions = Omit<
  ComposedOptions,
  'self' | 'issuer' | 'tokenExchangeAudience' | 'tokenExchangeAuthority' | 'now' | 'newId' | 'random'
>;

/** A whole mesh in the memory of a test: an issuer with real keys and tokens, revocations, and a clock that the test moves. */
export interface TestMesh {
  readonly issuer: string;
  readonly trustDomain: string;
  /** The clock of the issuer and of every mesh; milliseconds since epoch. */
  now(): number;
  /**
   * What `createMesh` gives, for one workload: it obtains, attaches and verifies tokens as in production; only token-exchange is in memory. Comes
   * up ready, unless the exchange or the feed is down.
   *
   * Every audience is announced for `compactMetadata`, so that the option alone decides. Connections are plaintext, which is for addresses of this machine only, unless `certificate` and `ca` are given: then tokens are bound to the
   * certificate.
   *
   * @param self SPIFFE ID of the workload, in the test's trust domain.
   * @throws {TypeError} When it is in another one, or an option is out of its range.
   */
  meshFor(self: string, options?: TestMeshForOptions): Promise<Mesh>;
  /** A good token, as it is presented after `Bearer `. Whether the workload could have obtained it is not asked. */
  token(token: TestToken): string;
  /**
   * Bad tokens of every kind, each with the reason for which a method has to refuse it that takes the good one: `badTokenKinds` in their order.
   *
   * @param token The good one, which the bad ones are made from; with a scope that the method needs, and bound to nothing.
   */
  badTokens(token: TestToken): readonly BadToken[];
  /** Takes back one token, or all that something covers. In force everywhere when it returns, unless the feed is down. */
  revoke(what: string | TestRevocation): void;
  /** Another key signs from now on. Verifiers learn it first, unless the exchange is down; tokens of the one before stay good. */
  rotateKeys(): Promise<void>;
  /** Takes the signing key back, as after a theft: another one signs, and what this one signed is refused. */
  withdrawKey(): Promise<void>;
  /** No token is issued and no question answered: calls that need a token fail UNAVAILABLE, those that have one go on. */
  exchangeDown(): void;
  /** Ends it. A failure is remembered for a second: who was refused a token asks again after `advance(1_000)`. */
  exchangeUp(): void;
  /** Revocations reach nobody: after `advance(5_001)` verifiers are stale. */
  feedDown(): void;
  /** Resolves when what was missed is in force everywhere and verifiers are fresh. */
  feedUp(): Promise<void>;
  /**
   * Moves the clock of every mesh: tokens come nearer to their end and are replaced at the next call, verifiers hear that nothing else was revoked,
   * and keys are asked for again. Live streams whose token is over end within 100 ms of real time. Timers are not moved: nothing of the mesh
   * waits for one but that.
   *
   * @param ms 0 or more.
   */
  advance(ms: number): Promise<void>;
  /** The rules by which the meshes of one workload let callers in; empty when it serves nothing. */
  rulesOf(self: string): readonly Rule[];
  /** Every exchange that was asked for, in order; among them those for token-exchange itself that `ready()` of a mesh waits for. */
  readonly exchanges: readonly TestExchange[];
  /** Closes every mesh of `meshFor`. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * A mesh for tests, in memory: no token-exchange process, no NATS, no certificate. Needs no test framework.
 *
 * @throws {TypeError} When the trust domain is none.
 */
export function testMesh(options: TestMeshOptions = {}): TestMesh {
  const { trustDomain = 'mesh.test', grants } = options;
  parseSpiffeId(`spiffe://${trustDomain}/token-exchange`);
  const startedMs = Date.now();
  const { now: base = () => startedMs } = options;
  let aheadMs = 0;
  const now = () => base() + aheadMs;
  const issuer = createMemoryIssuer({ trustDomain, grants, now });
  const exchangeLink = createMemoryLink();
  const feedLink = createMemoryLink();
  const exchanges: TestExchange[] = [];
  const connections = new Map<Mesh, readonly IssuerConnection[]>();
  const opened = () => [...connections.values()].flat();

  // what is being asked for now may have been answered already
  async function refreshKeys(): Promise<void> {
    for (let times = 0; times < 2; times++) await Promise.all(opened().map(({ keys }) => keys.refresh()));
  }

  // a checkpoint first: time may have gone by
  async function whenFresh(): Promise<void> {
    issuer.record.beat();
    while (feedLink.isUp && opened().some(({ feed }) => feed.freshness().state !== 'fresh')) await turn();
  }

  async function replaceKey(): Promise<string> {
    const { kid } = issuer.key;
    const next = issuer.prepareKey();
    await refreshKeys();
    issuer.activateKey(next);
    return kid;
  }

  const created: TestMesh = {
    ...{ issuer: issuer.issuer, trustDomain, now, exchanges },
    async meshFor(self, meshOptions = {}) {
      if (trustDomainOf(parseSpiffeId(self)) !== trustDomain) {
        throw new TypeError(`${self} is not in the trust domain ${trustDomain}: name it to testMesh({ trustDomain })`);
      }
      const { certificate, ca, caFile } = meshOptions;
      const { mesh: inner, issuers } = await composeMesh(
        { ...meshOptions, self, now },
        {
          openTls: (sources, tlsOptions) => (certificate || ca || caFile ? openMeshTls(sources, tlsOptions) : loopbackTls()),
          issuers: (tls, signer) => {
            const onExchange = (exchange: TestExchange) => exchanges.push(exchange);
            const open = memoryIssuerChannel(issuer, { exchangeLink, feedLink, signer, certificate: tls.thumbprint, onExchange });
            return [{ self, addresses: [], open }];
          },
        },
      );
      const mesh: Mesh = {
        ...inner,
        async close() {
          connections.delete(mesh);
          await inner.close();
        },
        [Symbol.asyncDispose]: () => mesh.close(),
      };
      connections.set(mesh, issuers);
      if (exchangeLink.isUp) await Promise.all(issuers.map(({ keys }) => keys.ready()));
      await whenFresh();
      return mesh;
    },
    token: (token) => issuer.issue(token),
    badTokens: (token) => makeBadTokens(issuer, token),
    revoke(what) {
      issuer.revoke(typeof what === 'string' ? { kind: 'token', value: jtiOf(what) } : what);
    },
    async rotateKeys() {
      await replaceKey();
    },
    async withdrawKey() {
      issuer.withdrawKey(await replaceKey());
      await refreshKeys();
    },
    exchangeDown: () => exchangeLink.set(false),
    exchangeUp: () => exchangeLink.set(true),
    feedDown: () => feedLink.set(false),
    async feedUp() {
      feedLink.set(true);
      await whenFresh();
    },
    async advance(ms) {
      if (!(Number.isFinite(ms) && ms >= 0)) throw new TypeError('advance() takes milliseconds, 0 or more');
      aheadMs += ms;
      await refreshKeys();
      await whenFresh();
    },
    rulesOf: (self) =>
      [...connections.keys()].map((mesh) => mesh.describe()).flatMap((described) => (described.self === self ? described.methods : [])),
    async close() {
      await Promise.all([...connections.keys()].map((mesh) => mesh.close()));
    },
    [Symbol.asyncDispose]: () => created.close(),
  };
  return created;
}

/** Without certificates, for calls that stay on this machine. */
function loopbackTls(): MeshTls {
  return {
    thumbprint: () => undefined,
    channelCredentials: () => credentials.createInsecure(),
    serverCredentials: () => ServerCredentials.createInsecure(),
    openChannel: (target, channelCredentials, options) => new Channel(target, channelCredentials, options),
    onRenewed: () => () => {},
    close() {},
  };
}

/** @throws {TypeError} The token is opaque, or none: name it by what covers it. */
function jtiOf(compact: string): string {
  try {
    return String(parseJws(compact, { typ: tokenTypes.serviceToken }).payload.jti);
  } catch {
    throw new TypeError('revoke() takes a signed token, or { kind, value }');
  }
}
