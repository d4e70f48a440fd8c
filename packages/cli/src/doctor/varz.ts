/** What a nats-server's monitoring tells of its configuration (`/varz`), of servers 2.9 and later. */
export interface Varz {
  readonly serverName: string;
  /** Listeners that are on, by name, with their ports. */
  readonly listeners: ReadonlyMap<'cluster' | 'gateway' | 'leafnode' | 'websocket' | 'mqtt', number>;
  /** Those of them that say nothing before TLS. */
  readonly tlsListeners: ReadonlySet<string>;
  /** `undefined` when JetStream is off. */
  readonly jetStream:
    | {
        /** Bytes in files, and as many as there may be. */
        readonly storage: number;
        readonly maxStorage: number;
        /** Whether acknowledged means on disk; `undefined` from servers that do not say so. */
        readonly syncAlways: boolean | undefined;
        /** Milliseconds after which it is on disk otherwise; `undefined` from servers that do not say so. */
        readonly syncIntervalMs: number | undefined;
      }
    | undefined;
}

const limitMs = 3_000;

/**
 * @param monitor Where the server's monitoring listens: `http://127.0.0.1:8222`.
 * @throws {Error} When nothing answers there within 3 s, or what answers is not a nats-server's monitoring.
 */
export async function readVarz(monitor: string): Promise<Varz> {
  const response = await fetch(new URL('varz', monitor.endsWith('/') ? monitor : `${monitor}/`), { signal: AbortSignal.timeout(limitMs) });
  const body: unknown = response.ok ? await response.json() : undefined;
  if (!isMembers(body) || typeof body.server_id !== 'string') throw new Error(`${monitor} is not the monitoring of a nats-server`);
  return parseVarz(body);
}

type Members = Readonly<Record<string, unknown>>;

function parseVarz(body: Members): Varz {
  const port = (name: string, member = 'port') => numberOf(membersOf(body[name])[member]);
  const listeners = [
    ['cluster', port('cluster', 'cluster_port')],
    ['gateway', port('gateway')],
    ['leafnode', port('leaf')],
    ['websocket', port('websocket')],
    ['mqtt', port('mqtt')],
  ] as const;
  return {
    serverName: String(body.server_name),
    listeners: new Map(listeners.flatMap(([name, at]) => (at === undefined || at === 0 ? [] : [[name, at] as const]))),
    tlsListeners: new Set(['cluster', 'gateway'].filter((name) => membersOf(body[name]).tls_required === true)),
    jetStream: jetStreamOf(membersOf(body.jetstream)),
  };
}

function jetStreamOf(jetStream: Members): Varz['jetStream'] {
  const [config, stats] = [membersOf(jetStream.config), membersOf(jetStream.stats)];
  const maxStorage = numberOf(config.max_storage);
  if (maxStorage === undefined) return undefined;
  const syncIntervalNs = numberOf(config.sync_interval);
  return {
    maxStorage,
    storage: numberOf(stats.storage) ?? 0,
    // Servers leave out what is false, and the older ones the interval as well.
    syncAlways: syncIntervalNs === undefined ? undefined : config.sync_always === true,
    syncIntervalMs: syncIntervalNs === undefined ? undefined : syncIntervalNs / 1e6,
  };
}

const isMembers = (value: unknown): value is Members => typeof value === 'object' && value !== null;
const membersOf = (value: unknown): Members => (isMembers(value) ? value : {});
const numberOf = (value: unknown): number | undefined => (typeof value === 'number' ? value : undefined);
