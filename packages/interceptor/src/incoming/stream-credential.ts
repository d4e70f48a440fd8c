import { randomBytes } from 'node:crypto';
import { type Metadata, status } from '@grpc/grpc-js';
import { type StreamCredentialHandlers, tokenmesh } from '@tokenmesh/proto';
import { actorChain, type ServiceTokenClaims, TokenError, type VerifiedToken } from '@tokenmesh/token';
import { toStatus } from '../status.ts';
import { checkRule } from './check-rule.ts';
import type { WatchedCall } from './live-calls.ts';
import { type Rule, readRule } from './rules.ts';

/** The response metadata that names a live stream to its caller: 128 random bits, base64url. */
export const streamIdKey = 'tokenmesh-stream-id';

const { Renew } = tokenmesh.StreamCredential.service;

/** The access rule of `StreamCredential/Renew`, which every server has, whatever packages it serves. */
export const renewRule: Rule = readRule(Renew.path, Renew.options?.['(tokenmesh.v1.access)']);

/** What `server.addService` takes. */
export type StreamCredentialService = readonly [typeof tokenmesh.StreamCredential.service, StreamCredentialHandlers];

/** The live streams whose credentials can be renewed, by their ids. One for all servers of a process that offer the service. */
export interface RenewableStreams {
  /** Whether there is a service to renew with: without it no stream is announced. */
  readonly offered: boolean;
  readonly size: number;
  /** Makes a stream renewable. @returns Its id, which is for its caller alone and in no log. */
  add(stream: WatchedCall): string;
  /** Forgets a stream that has ended. */
  delete(id: string): void;
  /** Notes the verified token that a call of Renew came with, for the handler that gets this metadata object. */
  present(metadata: Metadata, token: VerifiedToken): void;
  /** The service `tokenmesh.v1.StreamCredential`; from now on streams are announced. */
  service(): StreamCredentialService;
}

/** No live stream yet, and no service. */
export function createRenewableStreams(): RenewableStreams {
  const streams = new Map<string, WatchedCall>();
  const presented = new WeakMap<Metadata, VerifiedToken>();
  let offered = false;

  // Whoever asks about a stream that is not his learns nothing: the answer is the one for a stream that does not exist.
  function renew(id: string, token: VerifiedToken | undefined): number {
    const stream = streams.get(id);
    if (!stream || !token || !isSameCaller(stream.token.claims, token.claims)) {
      throw Object.assign(new Error('no such stream'), { code: status.NOT_FOUND, details: 'no such stream' });
    }
    if (!isSameBinding(stream.token.claims, token.claims)) {
      throw new TokenError('BINDING_MISMATCH', 'the new token is bound otherwise than the stream');
    }
    checkRule(token, stream.rule);
    return stream.renew(token);
  }

  return {
    get offered() {
      return offered;
    },
    get size() {
      return streams.size;
    },
    add(stream) {
      const id = randomBytes(16).toString('base64url');
      streams.set(id, stream);
      return id;
    },
    delete: (id) => streams.delete(id),
    present: (metadata, token) => presented.set(metadata, token),
    service() {
      offered = true;
      const handlers: StreamCredentialHandlers = {
        Renew(call, callback) {
          try {
            callback(null, { exp: renew(call.request.stream_id, presented.get(call.metadata)) });
          } catch (error) {
            callback(toStatus(error));
          }
        },
      };
      return [tokenmesh.StreamCredential.service, handlers];
    },
  };
}

function isSameCaller(a: ServiceTokenClaims, b: ServiceTokenClaims): boolean {
  return a.iss === b.iss && a.sub === b.sub && a.client_id === b.client_id && isSameList(actorChain(a), actorChain(b));
}

function isSameBinding(a: ServiceTokenClaims, b: ServiceTokenClaims): boolean {
  return a.cnf?.['x5t#S256'] === b.cnf?.['x5t#S256'] && a.cnf?.jkt === b.cnf?.jkt && isSameList(a.net ?? [], b.net ?? []);
}

function isSameList(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((one, index) => one === b[index]);
}
