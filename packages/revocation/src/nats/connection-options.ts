import { type ConnectionOptions, nkeyAuthenticator, type TlsOptions } from 'nats';

/** How to reach NATS, and which mesh's subjects are meant. */
export interface NatsOptions {
  /** `host:port` or URLs. */
  readonly servers: string | readonly string[];
  /** The trust domain. Dots become underscores in names of subjects and streams. */
  readonly mesh: string;
  /** Paths or PEM texts; absent: no TLS unless the server asks for it. */
  readonly tls?: TlsOptions;
  /** Seed of the nkey (`SU…`) to authenticate with; absent: none. */
  readonly nkeySeed?: string;
  /** Name of the connection, shown by the server's monitoring. */
  readonly name?: string;
}

/** What the `nats` library is given for these, the same for every connection. */
export function connectionOptions({ servers, tls, nkeySeed, name }: NatsOptions): ConnectionOptions {
  return {
    servers: typeof servers === 'string' ? servers : [...servers],
    name: name ?? 'tokenmesh',
    timeout: connectTimeoutMs,
    pingInterval: pingIntervalMs,
    maxReconnectAttempts: -1,
    reconnectTimeWait: 250,
    reconnectJitter: 250,
    reconnectJitterTLS: 250,
    // The library writes to the console otherwise.
    noAsyncTraces: true,
    ...(tls === undefined ? {} : { tls }),
    ...(nkeySeed === undefined ? {} : { authenticator: nkeyAuthenticator(new TextEncoder().encode(nkeySeed)) }),
  };
}

const connectTimeoutMs = 2_000;
/** A dead connection is noticed after two pings without an answer. */
const pingIntervalMs = 2_500;
