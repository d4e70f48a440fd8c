import type { ServerInterceptingCallInterface } from '@grpc/grpc-js';
import { ServerCallLayer, type ServerCallListener, type ServerCallStatus } from '../server-call-layer.ts';
import type { AwaitedRequests } from './awaited-requests.ts';

/** A call of the health service: nobody is asked who he is, but it does not wait for ever for its request either. */
export class AwaitedCall extends ServerCallLayer {
  readonly #awaited: AwaitedRequests;

  constructor(call: ServerInterceptingCallInterface, awaited: AwaitedRequests) {
    super(call);
    this.#awaited = awaited;
  }

  override start(listener: ServerCallListener): void {
    this.#awaited.add(this);
    super.start(listener);
  }

  override onReceiveHalfClose(): void {
    this.#awaited.delete(this);
    super.onReceiveHalfClose();
  }

  override onCancel(): void {
    this.#awaited.delete(this);
    super.onCancel();
  }

  override sendStatus(status: ServerCallStatus): void {
    this.#awaited.delete(this);
    super.sendStatus(status);
  }
}
