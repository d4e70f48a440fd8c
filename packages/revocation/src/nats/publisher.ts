import type { JetStreamClient, NatsConnection } from 'nats';
import type { CourierStream, FeedPublisher, PublishedEvent } from '../feed-ports.ts';
import { connectionOptions, type NatsOptions } from './connection-options.ts';
import { createCourierStream } from './courier-stream.ts';
import { NatsLink } from './link.ts';
import { isWithoutAdvisories } from './server-version.ts';
import { checkStream, revocationStreamName, revocationSubjects } from './stream.ts';
import { traceHeaders } from './trace-headers.ts';

/** The same for the issuer, which looks after the stream. */
export interface NatsPublisherOptions extends NatsOptions {
  /** Told of what an operator should mend while the publisher goes on: no server, an unfit stream, a server with known advisories. */
  readonly report?: (problem: Error) => void;
  /** How often server and stream are looked at; default 60 000 ms. */
  readonly checkIntervalMs?: number;
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

class NatsPublisher implements FeedPublisher {
  readonly name = 'nats';
  readonly stream: CourierStream;
  readonly #mesh: string;
  readonly #subjects: { readonly events: string; readonly checkpoints: string };
  readonly #report: (problem: Error) => void;
  readonly #link: NatsLink;
  readonly #started = Promise.withResolvers<void>();
  readonly #checker: NodeJS.Timeout;
  #jetStream: { readonly connection: NatsConnection; readonly client: JetStreamClient } | undefined;

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
    this.stream = createCourierStream(options.mesh, () => this.#link.connection);
    this.#checker = setInterval(() => void this.#check().catch(() => {}), options.checkIntervalMs ?? 60_000);
    this.#checker.unref();
  }

  get isConnected(): boolean {
    return this.#link.connection !== undefined;
  }

  start(): Promise<void> {
    this.#link.start();
    return this.#started.promise;
  }

  async publishEvent({ epoch, n, compact, traceparent }: PublishedEvent): Promise<void> {
    const { connection } = this.#link;
    // Published into the library's buffer it would go out at some later time, after the caller was told that it did not.
    if (connection === undefined) throw new Error('NATS is not reachable');
    const options = { msgID: `${epoch}:${n}`, timeout: ackTimeoutMs, expect: { streamName: revocationStreamName(this.#mesh) } };
    const headers = traceparent === undefined ? undefined : traceHeaders(traceparent);
    await this.#clientOf(connection).publish(this.#subjects.events, Buffer.from(compact, 'latin1'), {
      ...options,
      ...(headers && { headers }),
    });
  }

  #clientOf(connection: NatsConnection): JetStreamClient {
    if (this.#jetStream?.connection !== connection) this.#jetStream = { connection, client: connection.jetstream() };
    return this.#jetStream.client;
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
    if (!isWithoutAdvisories(version))
      this.#report(new Error(`nats-server ${version} has known advisories: use 2.11.16, 2.12.7, 2.14.0 or later`));
    try {
      await checkStream(connection, this.#mesh);
    } catch (error) {
      this.#report(error instanceof Error ? error : new Error('The stream could not be looked at', { cause: error }));
      throw error;
    }
  }
}

const ackTimeoutMs = 2_000;
