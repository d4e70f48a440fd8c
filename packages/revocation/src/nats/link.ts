import { setTimeout as delay } from 'node:timers/promises';
import { type ConnectionOptions, connect, Events, type NatsConnection } from 'nats';

/** A connection that is made again for ever: also when the first attempt fails, and when the library gives up. */
export class NatsLink {
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

const minPauseMs = 100;
const maxPauseMs = 2_000;
