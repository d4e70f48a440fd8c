import type { ConnectionOptions, Msg, NatsConnection, NatsError } from 'nats';
import type { FeedTransport, FeedTransportHandlers } from '../feed-ports.ts';
import { connectionOptions, type NatsOptions } from './connection-options.ts';
import { NatsLink } from './link.ts';
import { revocationSubjects } from './stream.ts';
import { traceparentOf } from './trace-headers.ts';

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
        connection.subscribe(events, { callback: this.#listener((text, message) => this.#handlers.onEvent(text, traceparentOf(message))) });
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

  #listener(receive: (text: string, message: Msg) => void): (error: NatsError | null, message: Msg) => void {
    return (error, message) => {
      if (this.#closed) return;
      if (error !== null) this.#refused();
      else receive(textOf(message.data), message);
    };
  }
}

/** Without a copy of the bytes: an event has up to 512 KiB. */
function textOf({ buffer, byteOffset, byteLength }: Uint8Array): string {
  return Buffer.from(buffer, byteOffset, byteLength).toString('latin1');
}
