import { setTimeout as delay } from 'node:timers/promises';
import {
  type ConnectionOptions,
  connect,
  DiscardPolicy,
  Events,
  type Msg,
  type NatsConnection,
  type NatsError,
  nanos,
  nkeyAuthenticator,
  RetentionPolicy,
  StorageType,
  type StreamConfig,
  type TlsOptions,
} from 'nats';
import type { FeedPublisher, FeedTransport, FeedTransportHandlers } from './feed-ports.ts';

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

/** The same for the issuer, which looks after the stream. */
export interface NatsPublisherOptions extends NatsOptions {
  /** Told of what an operator should mend while the publisher goes on: no server, an unfit stream, a server with known advisories. */
  readonly report?: (problem: Error) => void;
  /** How often server and stream are looked at; default 60 000 ms. */
  readonly checkIntervalMs?: number;
}

/** The same for the operator, who makes the stream. */
export interface RevocationStreamOptions extends NatsOptions {
  /** Copies in a cluster, 1 to 5, default 1. */
  readonly replicas?: number;
}

/** The NATS subjects of a mesh's feed. */
export function revocationSubjects(mesh: string): { readonly events: string; readonly checkpoints: string } {
  const prefix = `tokenmesh.${subjectToken(mesh)}.revocation`;
  return { events: `${prefix}.events`, checkpoints: `${prefix}.checkpoints` };
}

/** Name of the JetStream stream that keeps a mesh's events. */
export function revocationStreamName(mesh: string): string {
  return `tokenmesh_${subjectToken(mesh)}_revocation`;
}

/**
 * Events and checkpoints by plain subscriptions of core NATS, the fastest way. What was published while the connection was down does not
 * come later; the feed asks the record for it. No broker sequence, heartbeat or consumer is relied on.
 */
export function natsTransport(options: NatsOptions): FeedTransport {
  const connection = connectionOptions(options);
  const subjects = revocationSubjects(options.mesh);
  return {
    name: 'nats',
    subscribe: (_position, handlers) => new NatsSubscription(connection, subjects, handlers),
  };
}

/**
 * The issuer's end. Goes on connecting by itself until it is closed; while there is no connection `publishEvent` rejects at once and checkpoints
 * are dropped, for an old one is worth nothing.
 *
 * An acknowledgement of JetStream does not promise that the event is on disk: the record keeps it, the courier carries it.
 *
 * @throws {TypeError} when an option is out of its range.
 * @throws {Error} when the server is there but its stream is missing or not configured as `createRevocationStream` does: the message says
 *   what is wrong. When no server answers it is reported instead, and looked at again as soon as one does.
 */
export async function natsPublisher(options: NatsPublisherOptions): Promise<FeedPublisher> {
  const publisher = new NatsPublisher(options);
  try {
    await publisher.start();
  } catch (error) {
    await publisher.close();
    throw error;
  }
  return publisher;
}

/**
 * Creates the stream of the mesh's events, or brings an existing one to this configuration: file storage, limits retention, old ones discarded
 * after an hour, duplicates recognised for ten minutes, no deletion of single messages. An operator's command: publishers and verifiers have
 * no right to do it.
 *
 * @throws {Error} when no server answers, or an existing stream has what cannot be changed (its storage, its retention).
 */
export async function createRevocationStream(options: RevocationStreamOptions): Promise<void> {
  const { mesh, replicas = 1 } = options;
  const connection = await connect({ ...connectionOptions(options), reconnect: false });
  try {
    const { streams } = await connection.jetstreamManager();
    const config = { ...streamConfig(mesh), num_replicas: replicas };
    const exists = await streams.info(config.name).then(
      () => true,
      (error: NatsError) => (isNoStream(error) ? false : Promise.reject(error)),
    );
    const { config: actual } = exists ? await streams.update(config.name, config) : await streams.add(config);
    const faults = streamFaults(actual, mesh);
    if (faults.length > 0) throw new Error(`The stream ${config.name} could not be configured: ${faults.join('; ')}`);
  } finally {
    await connection.close();
  }
}

const connectTimeoutMs = 2_000;
const ackTimeoutMs = 2_000;
/** A dead connection is noticed after two pings without an answer. */
const pingIntervalMs = 2_500;
const minPauseMs = 100;
const maxPauseMs = 2_000;
const duplicateWindowMs = 600_000;
/** Long enough for an auditor to see what passed; longer than the longest life of a token. */
const maxAgeMs = 3_600_000;

function subjectToken(mesh: string): string {
  if (!/^[a-z0-9._-]{1,255}$/.test(mesh)) throw new TypeError('mesh must be a trust domain: 1 to 255 of a-z 0-9 . _ -');
  return mesh.replaceAll('.', '_');
}

function connectionOptions({ servers, tls, nkeySeed, name }: NatsOptions): ConnectionOptions {
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

/** A connection that is made again for ever: also when the first attempt fails, and when the library gives up. */
class NatsLink {
  readonly #options: ConnectionOptions;
  readonly #onUp: (connection: NatsConnection) => void;
  readonly #onDown: (error?: unknown) => void;
  readonly #closing = new AbortController();
  #connection: NatsConnection | undefined;
  #up = false;
  #running: Promise<void> = Promise.resolve();

  constructor(options: ConnectionOptions, onUp: (connection: NatsConnection) => void, onDown: (error?: unknown) => void) {
    this.#options = options;
    this.#onUp = onUp;
    this.#onDown = onDown;
  }

  start(): void {
    this.#running = this.#run();
  }

  /** The connection while it works. */
  get connection(): NatsConnection | undefined {
    return this.#up ? this.#connection : undefined;
  }

  /** Gives this connection up, so that a new one is made. */
  async reset(): Promise<void> {
    await this.#connection?.close();
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#connection?.close();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#closing;
    let pauseMs = minPauseMs;
    while (!signal.aborted) {
      const startedAt = performance.now();
      const error = await this.#stay();
      if (signal.aborted) return;
      this.#down(error);
      // A connection that was of no use, because a permission is missing, is not made again in a hurry either.
      pauseMs = performance.now() - startedAt > maxPauseMs ? minPauseMs : Math.min(maxPauseMs, pauseMs * 2);
      await delay(pauseMs * (0.5 + Math.random() / 2), undefined, { signal }).catch(() => {});
    }
  }

  /** Connects and resolves when the connection has ended for good, with the reason. */
  async #stay(): Promise<unknown> {
    try {
      const connection = await connect(this.#options);
      this.#connection = connection;
      if (this.#closing.signal.aborted) return await connection.close();
      this.#set(true, connection);
      void this.#watch(connection);
      return await connection.closed();
    } catch (error) {
      return error;
    }
  }

  async #watch(connection: NatsConnection): Promise<void> {
    for await (const { type } of connection.status()) {
      if (type === Events.Disconnect) this.#down(undefined);
      if (type === Events.Reconnect) this.#set(true, connection);
    }
  }

  #set(up: boolean, connection: NatsConnection): void {
    this.#up = up;
    if (!this.#closing.signal.aborted) this.#onUp(connection);
  }

  #down(error: unknown): void {
    this.#up = false;
    if (!this.#closing.signal.aborted) this.#onDown(error);
  }
}

class NatsSubscription {
  readonly #link: NatsLink;
  readonly #handlers: FeedTransportHandlers;
  #subscribed: NatsConnection | undefined;
  #closed = false;

  constructor(
    options: ConnectionOptions,
    subjects: { readonly events: string; readonly checkpoints: string },
    handlers: FeedTransportHandlers,
  ) {
    this.#handlers = handlers;
    this.#link = new NatsLink(
      options,
      (connection) => void this.#subscribe(connection, subjects),
      (error) => handlers.onDown(error),
    );
    this.#link.start();
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#link.close();
  }

  async #subscribe(connection: NatsConnection, { events, checkpoints }: { readonly events: string; readonly checkpoints: string }) {
    try {
      // The library subscribes again by itself when the same connection comes back.
      if (this.#subscribed !== connection) {
        this.#subscribed = connection;
        connection.subscribe(events, { callback: this.#listener((text) => this.#handlers.onEvent(text)) });
        connection.subscribe(checkpoints, { callback: this.#listener((text) => this.#handlers.onCheckpoint(text)) });
      }
      // Up means that the server has the subscriptions: nothing published from now on passes by.
      await connection.flush();
      if (!this.#closed && this.#subscribed === connection) this.#handlers.onUp();
    } catch {
      await this.#link.reset();
    }
  }

  /** The server does not let us subscribe. It says so before it answers the flush. */
  #refused(): void {
    this.#subscribed = undefined;
    void this.#link.reset();
  }

  #listener(receive: (text: string) => void): (error: NatsError | null, message: Msg) => void {
    return (error, message) => {
      if (this.#closed) return;
      if (error !== null) this.#refused();
      else receive(Buffer.from(message.data).toString('latin1'));
    };
  }
}

class NatsPublisher implements FeedPublisher {
  readonly name = 'nats';
  readonly #mesh: string;
  readonly #subjects: { readonly events: string; readonly checkpoints: string };
  readonly #report: (problem: Error) => void;
  readonly #link: NatsLink;
  readonly #started = Promise.withResolvers<void>();
  readonly #checker: NodeJS.Timeout;

  constructor(options: NatsPublisherOptions) {
    this.#mesh = options.mesh;
    this.#subjects = revocationSubjects(options.mesh);
    this.#report = options.report ?? (() => {});
    this.#link = new NatsLink(
      connectionOptions(options),
      () => void this.#check().then(this.#started.resolve, this.#started.reject),
      (error) => {
        this.#report(new Error('NATS is not reachable', { cause: error }));
        this.#started.resolve();
      },
    );
    this.#checker = setInterval(() => void this.#check().catch(() => {}), options.checkIntervalMs ?? 60_000);
    this.#checker.unref();
  }

  start(): Promise<void> {
    this.#link.start();
    return this.#started.promise;
  }

  async publishEvent({ epoch, n, compact }: { readonly epoch: string; readonly n: number; readonly compact: string }): Promise<void> {
    const { connection } = this.#link;
    // Published into the library's buffer it would go out at some later time, after the caller was told that it did not.
    if (connection === undefined) throw new Error('NATS is not reachable');
    const options = { msgID: `${epoch}:${n}`, timeout: ackTimeoutMs, expect: { streamName: revocationStreamName(this.#mesh) } };
    await connection.jetstream().publish(this.#subjects.events, Buffer.from(compact, 'latin1'), options);
  }

  publishCheckpoint(compact: string): void {
    this.#link.connection?.publish(this.#subjects.checkpoints, Buffer.from(compact, 'latin1'));
  }

  async close(): Promise<void> {
    clearInterval(this.#checker);
    await this.#link.close();
  }

  /** Reports what is wrong with server and stream, and rejects when the stream is not fit. */
  async #check(): Promise<void> {
    const { connection } = this.#link;
    if (connection === undefined) return;
    const version = connection.info?.version ?? '';
    if (!isAboveFloor(version))
      this.#report(new Error(`nats-server ${version} has known advisories: use 2.11.16, 2.12.7, 2.14.0 or later`));
    try {
      await checkStream(connection, this.#mesh);
    } catch (error) {
      this.#report(error instanceof Error ? error : new Error('The stream could not be looked at', { cause: error }));
      throw error;
    }
  }
}

function streamConfig(mesh: string): Partial<StreamConfig> & { name: string } {
  return {
    name: revocationStreamName(mesh),
    subjects: [revocationSubjects(mesh).events],
    storage: StorageType.File,
    retention: RetentionPolicy.Limits,
    discard: DiscardPolicy.Old,
    max_age: nanos(maxAgeMs),
    duplicate_window: nanos(duplicateWindowMs),
    deny_delete: true,
  };
}

async function checkStream(connection: NatsConnection, mesh: string): Promise<void> {
  const name = revocationStreamName(mesh);
  const manager = await connection.jetstreamManager();
  const info = await manager.streams.info(name).catch((error: NatsError) => {
    throw isNoStream(error) ? new Error(`The stream ${name} does not exist: create it first`) : error;
  });
  const faults = streamFaults(info.config, mesh);
  if (faults.length > 0) throw new Error(`The stream ${name} is not fit: ${faults.join('; ')}`);
}

/** How a stream's configuration differs from what the feed needs. Servers change and add members, so only these are compared. */
function streamFaults(config: StreamConfig, mesh: string): readonly string[] {
  const { events } = revocationSubjects(mesh);
  const needs: readonly (readonly [boolean, string])[] = [
    [config.subjects.length === 1 && config.subjects[0] === events, `its only subject must be ${events}`],
    [config.storage === StorageType.File, 'storage must be file'],
    [config.retention === RetentionPolicy.Limits, 'retention must be limits'],
    [config.discard === DiscardPolicy.Old, 'discard must be old'],
    [config.duplicate_window >= nanos(duplicateWindowMs), `duplicate_window must be at least ${duplicateWindowMs / 1000} s`],
    [config.max_age === 0 || config.max_age >= nanos(maxAgeMs), `max_age must be at least ${maxAgeMs / 1000} s`],
    [config.max_msg_size === -1 || config.max_msg_size >= 512 * 1024, 'max_msg_size must be at least 512 KiB'],
    [config.no_ack !== true, 'it must acknowledge'],
    [config.sealed !== true, 'it must not be sealed'],
  ];
  return needs.filter(([met]) => !met).map(([, fault]) => fault);
}

const streamNotFound = 10_059;

function isNoStream(error: NatsError): boolean {
  return error.api_error?.err_code === streamNotFound;
}

/** First patch release of each line without known advisories. */
const floors: ReadonlyMap<string, number> = new Map([
  ['2.11', 16],
  ['2.12', 7],
]);

function isAboveFloor(version: string): boolean {
  const [major = 0, minor = 0, patch = 0] = version.split(/[.-]/).map(Number);
  const floor = floors.get(`${major}.${minor}`);
  if (floor !== undefined) return patch >= floor;
  return major > 2 || (major === 2 && minor >= 14);
}
