// Layers that do nothing: the least, of what grpc-js offers, for whoever attaches a token to each call, or looks at a call's metadata before its handler and learns of its end.
import { InterceptingCall, type Interceptor, ServerInterceptingCall, type ServerInterceptor } from '@grpc/grpc-js';

/** What everyone writes: the token that is held when a call begins goes with it, under the key. */
export function attachHeldToken(key: 'authorization' | 'tokenmesh-token', held: { readonly token: string }): Interceptor {
  return (options, nextCall) =>
    new InterceptingCall(nextCall(options), {
      start(metadata, listener, next) {
        metadata.set(key, `Bearer ${held.token}`);
        next(metadata, listener);
      },
    });
}

/** Is told of a call's metadata and of both of its ends, and hands everything on as it is. */
export const passingServer: ServerInterceptor = (_, nextCall) =>
  new ServerInterceptingCall(nextCall, {
    start: (next) => next({ onReceiveMetadata: (metadata, nextMetadata) => nextMetadata(metadata), onCancel() {} }),
    sendStatus: (result, next) => next(result),
  });
