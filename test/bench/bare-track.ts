import { once } from 'node:events';
import { type ClientHttp2Session, connect } from 'node:http2';
import { Metadata } from '@grpc/grpc-js';
import { shop } from '@tokenmesh/proto/shop';
import { type MeshPlace, tlsOf, type Workload } from './bench-mesh.ts';
import { reasonOf } from './measured-side.ts';

const { path, requestSerialize } = shop.Orders.service.Track;

/** A stream of `Orders.Track`, on HTTP/2 of Node alone: grpc-js's client takes as long for the end of a stream as the server that is measured. */
export interface BareTrack {
  /** Sends a message, and resolves when one has come back. */
  echo(): Promise<void>;
  /** Called once, with the reason that the trailers give. */
  onEnd(listener: (reason: string) => void): void;
}

export async function connectBare(place: MeshPlace, workload: Workload, port: number): Promise<ClientHttp2Session> {
  const { ca, certificate } = tlsOf(place.directory, workload);
  // the default is 10 MB of streams
  const session = connect(`https://localhost:${port}`, { ca, ...certificate, maxSessionMemory: 1_000 });
  await once(session, 'remoteSettings'); // until then no more than a hundred streams are opened
  return session;
}

export function openTrack(session: ClientHttp2Session, token: string): BareTrack {
  const headers = {
    ':method': 'POST',
    ':path': path,
    'content-type': 'application/grpc',
    te: 'trailers',
    authorization: `Bearer ${token}`,
  };
  const stream = session.request(headers);
  stream.resume();
  return {
    async echo() {
      stream.write(message);
      await once(stream, 'data');
    },
    onEnd(listener) {
      stream.once('error', (error) => listener(String(error)));
      stream.once('trailers', (trailers) => {
        listener(reasonIn(trailers));
        stream.close();
      });
    },
  };
}

const message = frame(requestSerialize({ order_id: 'order-1' }));

/** A message as gRPC puts it on HTTP/2: not compressed, its length, its bytes. */
function frame(bytes: Buffer): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([head, bytes]);
}

/** Reasons by their details, each of which is read once: streams that end alike have the same. */
const reasons = new Map<string, string>();

function reasonIn(trailers: Readonly<Record<string, string | string[] | undefined>>): string {
  const details = String(trailers['grpc-status-details-bin']);
  const reason = reasons.get(details) ?? reasonOf({ code: Number(trailers['grpc-status']), metadata: Metadata.fromHttp2Headers(trailers) });
  reasons.set(details, reason);
  return reason;
}
