import { Metadata, status } from '@grpc/grpc-js';
import { tokenmesh } from '@tokenmesh/proto';
import type { FeedTransport } from '@tokenmesh/revocation';
import { type Confirmation, type Reason, TokenError, verifyDpopProof } from '@tokenmesh/token';
import { subjectTokenOf } from '../incoming/caller.ts';
import type { IssuerChannel, IssuerNames, OpenIssuerChannel } from '../mesh/issuer-channel.ts';
import type { DpopSigner } from '../outgoing/dpop-signer.ts';
import type { TokenRequest } from '../outgoing/token-source.ts';
import { refusalStatus } from '../status.ts';
import type { MemoryIssuer } from './memory-issuer.ts';
import type { MemoryLink } from './memory-link.ts';

/** One exchange that was asked for. Holds no token. */
export interface TestExchange {
  /** The workload that asked. */
  readonly by: string;
  readonly audience: string;
  /** What was asked for; absent: everything that the grant allows. */
  readonly scope?: string;
  /** `jti` of the caller's token that it was asked for with; absent: the workload asked in its own name. */
  readonly onBehalfOf?: string;
  /** `issued`; `unavailable` while the exchange is down; else why it was refused. */
  readonly outcome: 'issued' | 'unavailable' | Reason;
  /** Names the token that was issued. */
  readonly jti?: string;
}

/** The way to an issuer in memory. */
export function memoryIssuerChannel(
  issuer: MemoryIssuer,
  options: {
    readonly exchangeLink: MemoryLink;
    readonly feedLink: MemoryLink;
    /** Proves the key that tokens are bound to; absent: they are bound to none. */
    readonly signer: DpopSigner | undefined;
    /** Thumbprint of the certificate that tokens are bound to; `undefined`: to none. */
    readonly certificate: () => string | undefined;
    readonly onExchange: (exchange: TestExchange) => void;
  },
): OpenIssuerChannel {
  const { exchangeLink, feedLink, signer, certificate, onExchange } = options;
  return async (names) => {
    const { self } = names;
    const { record } = issuer;

    function exchange(request: TokenRequest) {
      const { audience, scope, onBehalfOf } = request;
      const asked = {
        ...{ by: self, audience },
        ...(scope !== undefined && { scope }),
        ...(onBehalfOf && { onBehalfOf: subjectTokenOf(onBehalfOf).jti }),
      };
      try {
        if (!exchangeLink.isUp) throw unavailable();
        const x5t = certificate();
        const jkt = signer && provenKey(signer, names, issuer);
        const cnf: Confirmation = { ...(x5t !== undefined && { 'x5t#S256': x5t }), ...(jkt !== undefined && { jkt }) };
        const { compact, claims } = issuer.exchange(self, request, x5t === undefined && jkt === undefined ? undefined : cnf);
        onExchange({ ...asked, outcome: 'issued', jti: claims.jti });
        const tokenType = jkt === undefined ? 'Bearer' : 'DPoP';
        return { accessToken: compact, tokenType, expiresInSeconds: claims.exp - claims.iat, compactMetadata: true };
      } catch (error) {
        onExchange({ ...asked, outcome: error instanceof TokenError ? error.reason : 'unavailable' });
        throw error instanceof TokenError ? refused(error.reason) : error;
      }
    }

    async function ask<Answer>(answer: () => Answer): Promise<Answer> {
      if (!exchangeLink.isUp) throw unavailable();
      return answer();
    }

    async function read<Answer>(signal: AbortSignal | undefined, answer: () => Promise<Answer>): Promise<Answer> {
      await feedLink.whenUp(signal);
      return answer();
    }

    return {
      exchangeClient: {
        exchange: async (request) => exchange(request),
        fetchKeys: () => ask(() => ({ keys: issuer.jwks(), maxAgeSeconds: 300, version: record.keysVersion })),
        introspect: (compact) => ask(() => issuer.introspect(compact)),
        close() {},
      },
      record: {
        keys: (signal) => read(signal, () => record.keys(signal)),
        snapshot: (signal) => read(signal, () => record.snapshot(signal)),
        listEvents: (from, signal) => read(signal, () => record.listEvents(from, signal)),
        checkpoint: (nonce, signal) => read(signal, () => record.checkpoint(nonce, signal)),
      },
      fallback: {
        ...memoryTransport(issuer, feedLink),
        report({ served }) {
          if (served) issuer.serves(self, served);
        },
      },
      close() {},
    } satisfies IssuerChannel;
  };
}

/** Events and checkpoints, handed over at once, so that a revocation is in force when `revoke` returns. What was missed comes first. */
function memoryTransport({ record }: MemoryIssuer, link: MemoryLink): FeedTransport {
  return {
    name: 'memory',
    subscribe(position, handlers) {
      let isOpen = true;
      function connect(): void {
        if (!isOpen) return;
        if (!link.isUp) {
          handlers.onDown(new Error('the feed is down'));
          return;
        }
        const { epoch, n } = position();
        for (const { event, compact } of record.events()) if (event.epoch === epoch && event.n > n) handlers.onEvent(compact);
        handlers.onUp();
      }
      queueMicrotask(connect);
      const endings = [
        link.onChange(connect),
        record.subscribe({
          onEvent: ({ compact }) => link.isUp && handlers.onEvent(compact),
          onCheckpoint: (compact) => link.isUp && handlers.onCheckpoint(compact),
        }),
      ];
      return {
        async close() {
          isOpen = false;
          for (const end of endings) end();
        },
      };
    },
  };
}

/** Thumbprint of the key that a workload proves to have, as token-exchange finds it out. */
function provenKey(signer: DpopSigner, { tokenExchangeAudience, authority }: IssuerNames, { now }: MemoryIssuer): string {
  const method = tokenmesh.TokenExchange.service.ExchangeToken.path;
  const proof = signer.sign({ audience: tokenExchangeAudience, authority, method });
  return verifyDpopProof(proof, { htm: 'POST', htu: `https://${authority}${method}`, now }).jkt;
}

function refused(reason: Reason): Error {
  const answer = refusalStatus(reason);
  return Object.assign(new Error(answer.details), answer);
}

function unavailable(): Error {
  const details = 'token-exchange is down';
  return Object.assign(new Error(details), { code: status.UNAVAILABLE, details, metadata: new Metadata() });
}
