import { type CallOptions, type ChannelInterface, type Client, type ClientUnaryCall, Metadata, type ServiceError } from '@grpc/grpc-js';
import type { Caller } from '../incoming/caller.ts';

// Here, where declarations of the package's entry point lead: elsewhere users would not have it.
declare module '@grpc/grpc-js/build/src/client.js' {
  interface CallOptions {
    /** Makes the call on behalf of the caller of the call being handled: `callerOf(call)`. */
    onBehalfOf?: Caller | undefined;
    /** Asks for a token with just these scopes, space-separated; default: everything that the grant allows. */
    scope?: string | undefined;
    /** Noted by `mesh.client()`: the channel that a stream runs over, so that its credential is renewed over the same one. */
    streamChannel?: ChannelInterface | undefined;
  }
}

/** The shortest signature of a generated client's unary method, which comes last among its overloads. */
type Unary<Request, Response> = (argument: Request, callback: (error: ServiceError | null, value?: Response) => void) => ClientUnaryCall;

/** Names of the unary methods of a generated client. */
export type UnaryMethod<C> = { [M in keyof C & string]: C[M] extends Unary<infer _Request, infer _Response> ? M : never }[keyof C & string];
type RequestOf<C, M extends keyof C> = C[M] extends Unary<infer Request, infer _Response> ? Request : never;
type ResponseOf<C, M extends keyof C> = C[M] extends Unary<infer _Request, infer Response> ? Response : never;

/** grpc-js's call options, among them `deadline` and the mesh's own `onBehalfOf` and `scope`. */
export interface UnaryOptions extends CallOptions {
  /** Sent with the call; default: nothing but what the mesh adds. */
  readonly metadata?: Metadata;
  /** Cancels the call. */
  readonly signal?: AbortSignal;
}

/**
 * Makes a unary call and resolves with the response.
 *
 * @throws {ServiceError} When the call ends with any status but OK; `refusalOf` tells whether the mesh refused it, and why. No deadline is
 *   set unless `options.deadline` names one.
 */
export function unary<C extends Client, M extends UnaryMethod<C>>(
  client: C,
  method: M,
  request: RequestOf<C, M>,
  options: UnaryOptions = {},
): Promise<ResponseOf<C, M>> {
  const { metadata = new Metadata(), signal, ...callOptions } = options;
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    // the longest overload of the same method, whose shortest one UnaryMethod has checked
    const invoke = client[method] as (
      argument: RequestOf<C, M>,
      metadata: Metadata,
      options: CallOptions,
      callback: (error: ServiceError | null, value?: ResponseOf<C, M>) => void,
    ) => ClientUnaryCall;
    const call = invoke.call(client, request, metadata, callOptions, (error, value) => {
      signal?.removeEventListener('abort', cancel);
      if (error || value === undefined) reject(error);
      else resolve(value);
    });
    const cancel = () => call.cancel();
    signal?.addEventListener('abort', cancel, { once: true });
  });
}
