import { createHash } from 'node:crypto';
import type { ServerInterceptingCallInterface } from '@grpc/grpc-js';
import type { Peer } from './verify-call.ts';

/** Who is at the other end of a call, as grpc-js tells it. */
export class CallPeer implements Peer {
  readonly #call: ServerInterceptingCallInterface;
  /** To be set once the call is over. */
  isGone = false;

  constructor(call: ServerInterceptingCallInterface) {
    this.#call = call;
  }

  certificateThumbprint(): string | undefined {
    // the server credentials must check client certificates: the auth context does not say whether anyone did
    const raw = this.#call.getAuthContext().sslPeerCertificate?.raw;
    return raw && createHash('sha256').update(raw).digest('base64url');
  }

  get address(): string {
    return this.#call.getConnectionInfo().remoteAddress ?? '';
  }
}
