import { CallCredentials, Metadata } from '@grpc/grpc-js';
import { isEmptyCallCredentials } from '@grpc/grpc-js/build/src/call-credentials.js';
import type { HeldToken } from './token-source.ts';

/** What presents a token. */
export interface Bearer {
  /** Metadata of one attempt; nobody changes them. Rejects with an error that has the gRPC status code as `code`. */
  authenticate(): Promise<Metadata>;
}

/** Call credentials that grpc-js asks once per attempt, while deadline and cancellation go on counting. */
export function bearerCredentials(bearer: Bearer): CallCredentials {
  return new BearerCredentials(bearer);
}

const presented = new WeakMap<HeldToken, Metadata>();

/** Metadata that present a token: the same object for as long as the token is held, and not to be changed. */
export function bearerMetadata(token: HeldToken): Metadata {
  let metadata = presented.get(token);
  if (!metadata) {
    metadata = new Metadata();
    metadata.set(token.metadataKey ?? 'authorization', `${token.tokenType} ${token.compact}`);
    presented.set(token, metadata);
  }
  return metadata;
}

// what createFromMetadataGenerator returns makes a promise and two functions around every attempt
class BearerCredentials extends CallCredentials {
  readonly #bearer: Bearer;

  constructor(bearer: Bearer) {
    super();
    this.#bearer = bearer;
  }

  override generateMetadata(): Promise<Metadata> {
    return this.#bearer.authenticate();
  }

  // grpc-js composes them with the channel's on every attempt
  override compose(other: CallCredentials): CallCredentials {
    if (isEmptyCallCredentials(other)) return this;
    return CallCredentials.createFromMetadataGenerator((_, callback) => {
      this.generateMetadata().then((metadata) => callback(null, metadata), callback);
    }).compose(other);
  }

  override _equals(other: CallCredentials): boolean {
    return this === other;
  }
}
