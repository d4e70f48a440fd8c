import { InterceptingCall } from '@grpc/grpc-js';
import { type RevocationFeedClient, tokenmesh } from '@tokenmesh/proto';
import { channelCredentials, type MeshPlace, obtainToken } from './bench-mesh.ts';

/** Opens the way to the record over gRPC as `orders`, which holds its token already; the connection is made by the first call. */
export async function openFeedClient(place: MeshPlace): Promise<RevocationFeedClient> {
  const authorization = `Bearer ${await obtainToken(place, 'orders', 'token-exchange')}`;
  return new tokenmesh.RevocationFeed(place.tokenExchange, channelCredentials(place, 'orders'), {
    // a connection that the token was not obtained over
    'grpc.use_local_subchannel_pool': 1,
    interceptors: [
      (options, next) =>
        new InterceptingCall(next(options), {
          start(metadata, listener, start) {
            metadata.set('authorization', authorization);
            start(metadata, listener);
          },
        }),
    ],
  });
}
