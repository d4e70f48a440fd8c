import { type Metadata, ServerInterceptingCall, type ServerInterceptingCallInterface } from '@grpc/grpc-js';

/** What is told of an incoming call: grpc-js's own, which it does not export. */
export type ServerCallListener = Parameters<ServerInterceptingCallInterface['start']>[0];
export type ServerCallStatus = Parameters<ServerInterceptingCallInterface['sendStatus']>[0];
export type Message = Parameters<ServerInterceptingCallInterface['sendMessage']>[0];

/**
 * A layer around an incoming call, for a server interceptor to return: everything passes through it as it is, but for what a subclass overrides.
 *
 * It is its own listener, so that it costs a call one object: for hooks, grpc-js makes a responder, two listeners and a function for each event.
 * What it does for them besides is left to the subclass: one that lets the metadata wait has to keep back what comes after them.
 */
export class ServerCallLayer extends ServerInterceptingCall implements ServerCallListener {
  /** What is nearer to the caller. */
  protected readonly call: ServerInterceptingCallInterface;
  /** What is nearer to the handler; until the call is started, nobody. */
  protected listener: ServerCallListener = nobody;

  constructor(call: ServerInterceptingCallInterface) {
    super(call);
    this.call = call;
  }

  override start(listener: ServerCallListener): void {
    this.listener = listener;
    this.call.start(this);
  }

  onReceiveMetadata(metadata: Metadata): void {
    this.listener.onReceiveMetadata(metadata);
  }

  onReceiveMessage(message: Message): void {
    this.listener.onReceiveMessage(message);
  }

  onReceiveHalfClose(): void {
    this.listener.onReceiveHalfClose();
  }

  /** The call is over, whether it was cancelled or has its status. Nothing is told of it any more. */
  onCancel(): void {
    const { listener } = this;
    // Node keeps what hangs on an HTTP/2 stream until a full collection of garbage: without this the handler's call, its request and its metadata would
    this.listener = nobody;
    listener.onCancel();
  }

  override sendMetadata(metadata: Metadata): void {
    this.call.sendMetadata(metadata);
  }

  override sendMessage(message: Message, callback: () => void): void {
    this.call.sendMessage(message, callback);
  }

  override sendStatus(status: ServerCallStatus): void {
    this.call.sendStatus(status);
  }
}

const nobody: ServerCallListener = {
  onReceiveMetadata() {},
  onReceiveMessage() {},
  onReceiveHalfClose() {},
  onCancel() {},
};
