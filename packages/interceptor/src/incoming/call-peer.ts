import type { Metadata, ServerUnaryCall } from '@grpc/grpc-js';
import { type ConnectedCall, type Connection, certificateThumbprint, findConnection, readThumbprint } from './connection-certificate.ts';
import type { Peer } from './verify-call.ts';

// beside the metadata and not in them, as the caller is
const opaqueKey = 'tokenmesh.peer';

/** Who is at the other end of a call, as grpc-js tells it. To be made when the call's metadata come: see `findConnection`. */
export class CallPeer implements Peer {
  readonly #call: ConnectedCall;
  readonly #connection: Connection | undefined;
  /** To be set once the call is over. */
  isGone = false;

  constructor(call: ConnectedCall) {
    this.#call = call;
    this.#connection = findConnection(call);
  }

  certificateThumbprint(): string | undefined {
    return certificateThumbprint(this.#call, this.#connection);
  }

  get address(): string {
    return this.#call.getConnectionInfo().remoteAddress ?? '';
  }
}

/** Remembers who is at the other end for the handler that gets this metadata object. */
export function keepPeer(metadata: Metadata, peer: CallPeer): void {
  metadata.setOpaque(opaqueKey, peer);
}

/**
 * SHA-256 of the certificate at the other end of a call, base64url (RFC 8705 section 3.1), in a handler: for public methods that judge their callers
 * themselves, for which it is read once for each connection. Of other calls it is read each time. The server credentials must check client certificates.
 *
 * @returns `undefined` when there is none, or none that was checked.
 */
export function certificateThumbprintOf(call: Pick<ServerUnaryCall<unknown, unknown>, 'metadata' | 'getAuthContext'>): string | undefined {
  const peer = call.metadata.getOpaque(opaqueKey);
  return peer instanceof CallPeer ? peer.certificateThumbprint() : readThumbprint(call);
}
