import { connect } from 'node:net';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';

/** What a nats-server says of itself to whoever connects, before any authentication, in its first line (INFO). */
export interface NatsInfo {
  readonly version: string;
  /** Whether the listener asks who connects. */
  readonly authRequired: boolean;
  readonly tlsRequired: boolean;
  /** Whether clients may use TLS where they need not. */
  readonly tlsAvailable: boolean;
  readonly jetStream: boolean;
  /** Bytes. */
  readonly maxPayload: number;
}

/** Where a server listens. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

const limitMs = 3_000;
/** Real ones have some hundred bytes, and in a large cluster the addresses of all servers. */
const maxInfoBytes = 64 * 1024;

/**
 * @param server `host`, `host:port` or a URL, as clients of NATS name servers; the port is 4222 where none is said.
 * @throws {TypeError} When it is none of them.
 */
export function natsAddress(server: string): Address {
  const url = URL.parse(server.includes('://') ? server : `nats://${server}`);
  if (url === null || url.hostname === '') throw new TypeError(`${server} is no server of NATS: expected nats://host:4222`);
  return { host: url.hostname.replace(/^\[|\]$/g, ''), port: Number(url.port || 4222) };
}

/**
 * Reads the first line of a client's, route's or gateway's listener.
 *
 * @param tls For a listener that says nothing before TLS: what to trust and to present there. Default: no TLS.
 * @throws {Error} When nothing answers there within 3 s, or what answers is no nats-server.
 */
export function readNatsInfo({ host, port }: Address, tls?: Pick<ConnectionOptions, 'ca' | 'cert' | 'key'>): Promise<NatsInfo> {
  return new Promise((resolve, reject) => {
    const socket = tls ? connectTls({ ...tls, host, port, timeout: limitMs }) : connect({ host, port, timeout: limitMs });
    const end = (act: () => void) => {
      socket.destroy();
      act();
    };
    let received = '';
    socket.setEncoding('utf8');
    socket.on('data', (text: string) => {
      received += text;
      const line = /^INFO (\{.*\})\s*\r?\n/.exec(received)?.[1];
      if (line !== undefined) end(() => resolve(parseInfo(line)));
      else if (received.includes('\n') || received.length > maxInfoBytes)
        end(() => reject(new Error('what answers there is no nats-server')));
    });
    socket.on('timeout', () => end(() => reject(new Error(`no answer within ${limitMs / 1000} s`))));
    socket.on('error', (error) => end(() => reject(error)));
    socket.on('close', () => end(() => reject(new Error('the connection was closed without a word'))));
  });
}

function parseInfo(line: string): NatsInfo {
  const info = JSON.parse(line) as Readonly<Record<string, unknown>>; // the pattern saw to it that it is an object
  return {
    version: String(info.version),
    authRequired: info.auth_required === true,
    tlsRequired: info.tls_required === true,
    tlsAvailable: info.tls_available === true,
    jetStream: info.jetstream === true,
    maxPayload: Number(info.max_payload ?? 0),
  };
}
