import { AsyncLocalStorage } from 'node:async_hooks';
import { createHash } from 'node:crypto';
import { subscribe } from 'node:diagnostics_channel';
import type { Http2Session, ServerHttp2Stream } from 'node:http2';
import type { ServerInterceptingCallInterface } from '@grpc/grpc-js';

/** What of a call tells its connection. */
export type ConnectedCall = Pick<ServerInterceptingCallInterface, 'getAuthContext' | 'getConnectionInfo'>;

type Addresses = ReturnType<ConnectedCall['getConnectionInfo']>;

/** An HTTP/2 connection to a server of this process. */
export interface Connection {
  readonly addresses: Addresses;
  isOpen: boolean;
  /** Absent: nobody asked yet. */
  thumbprint?: string | undefined;
}

// of each HTTP/2 server in this process, from the first call on that asks; the connection's own objects are not kept by it
const connections = new WeakMap<Http2Session, Connection>();
const current = new AsyncLocalStorage<Connection>();
let isListening = false;

/**
 * The connection that a call came over, as far as that is certain. To be asked when the call's metadata come, in the async context in which they do.
 *
 * Node announces every HTTP/2 stream, and the async context says which connection a call is likely to have come over. That it did is not left to the context:
 * two connections that are open at the same time differ in their addresses and ports, so that all four have to be those that grpc-js names for the call.
 *
 * @returns `undefined` when it cannot be told, and before anybody asked for a certificate.
 */
export function findConnection(call: ConnectedCall): Connection | undefined {
  const connection = current.getStore();
  return connection?.isOpen && isSame(connection.addresses, call.getConnectionInfo()) ? connection : undefined;
}

/**
 * SHA-256 of the certificate at the other end of a call, base64url: what `x5t#S256` holds (RFC 8705 section 3.1).
 *
 * grpc-js makes an object of the whole certificate each time it is asked, which takes as long as the rest of a call, and offers nothing that lasts as long
 * as a connection. So it is asked once for each connection that `findConnection` knows, and for each call of which it knows none.
 *
 * @param connection What `findConnection` said of this call.
 * @returns `undefined` when there is none, or none that was checked. The server credentials must check client certificates: the auth context does not say
 *   whether anyone did.
 */
export function certificateThumbprint(call: ConnectedCall, connection: Connection | undefined): string | undefined {
  if (!isListening) listen();
  if (!connection) return readThumbprint(call);
  if (!('thumbprint' in connection)) connection.thumbprint = readThumbprint(call);
  return connection.thumbprint;
}

/** The same, asked of grpc-js. */
export function readThumbprint(call: Pick<ConnectedCall, 'getAuthContext'>): string | undefined {
  const raw = call.getAuthContext().sslPeerCertificate?.raw;
  return raw && createHash('sha256').update(raw).digest('base64url');
}

/** Connections without ports, such as those over a Unix socket, cannot be told apart. */
function isSame(a: Addresses, b: Addresses): boolean {
  return (
    a.remotePort !== undefined &&
    a.remotePort === b.remotePort &&
    a.remoteAddress === b.remoteAddress &&
    a.localPort === b.localPort &&
    a.localAddress === b.localAddress
  );
}

function listen(): void {
  isListening = true;
  subscribe('http2.server.stream.created', (message) => {
    // True: documented of this channel. What the session emits next for this stream runs in the context that is current now.
    const { session } = (message as { readonly stream: ServerHttp2Stream }).stream;
    if (session) current.enterWith(connectionOf(session));
  });
}

function connectionOf(session: Http2Session): Connection {
  const known = connections.get(session);
  if (known) return known;
  const { localAddress, localPort, remoteAddress, remotePort } = session.socket;
  const connection: Connection = { addresses: { localAddress, localPort, remoteAddress, remotePort }, isOpen: true };
  session.once('close', () => {
    connection.isOpen = false;
  });
  connections.set(session, connection);
  return connection;
}
