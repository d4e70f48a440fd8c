import type { ServerInterceptingCallInterface } from '@grpc/grpc-js';
import { certificateThumbprint } from './connection-certificate.ts';
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
    return certificateThumbprint(this.#call);
  }

  get address(): string {
    return this.#call.getConnectionInfo().remoteAddress ?? '';
  }
}
