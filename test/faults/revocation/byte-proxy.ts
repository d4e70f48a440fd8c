import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** How bytes travel one way. */
export interface DirectionState {
  /** Nothing arrives, neither bytes nor the end of a connection, until it is let go; then everything does, late. */
  readonly held?: boolean;
  readonly delayMs?: number;
  readonly bytesPerSecond?: number;
}

/** How a link is. Default: everything passes at once. */
export interface LinkState {
  /** New connections are refused. */
  readonly refused?: boolean;
  readonly toServer?: DirectionState;
  readonly toClient?: DirectionState;
}

/** Looks at what the server sends on one connection and passes on what it likes, when it likes. */
export type Relay = (pass: (bytes: Buffer) => void) => (bytes: Buffer) => void;

/** One link between two processes: a port of this machine whose connections go on to a server. */
export interface ByteProxy {
  /** Where clients connect on 127.0.0.1. */
  readonly port: number;
  /** Where new connections go from now on. */
  aim(port: number): void;
  /** From now on, for open connections and new ones. */
  set(state: LinkState): void;
  /** Resets every open connection at both ends. */
  drop(): void;
  close(): Promise<void>;
}

export interface ByteProxyOptions {
  /** Port of the server on 127.0.0.1. */
  readonly target: number;
  /** Default: what the server sends passes as it is. */
  readonly relay?: Relay;
}

/** A direction that holds this much stops reading: what comes waits in the kernel, and then at the sender. */
const bufferBytes = 256 * 1024;

/** Opens a link. It lives in this process, so nothing that happens to a process at its ends happens to it. */
export async function openByteProxy({ target, relay }: ByteProxyOptions): Promise<ByteProxy> {
  let aim = target;
  let state: LinkState = {};
  let isClosed = false;
  const connections = new Set<Connection>();

  const server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
    if (state.refused || isClosed) {
      client.on('error', () => {});
      client.resetAndDestroy();
      return;
    }
    const upstream = connect({ host: '127.0.0.1', port: aim, noDelay: true, allowHalfOpen: true });
    const connection = new Connection(client, upstream, relay);
    connection.set(state);
    connections.add(connection);
    connection.onClosed = () => connections.delete(connection);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');

  return {
    port: (server.address() as AddressInfo).port, // it listens on a TCP port
    aim(port) {
      aim = port;
    },
    set(next) {
      state = next;
      for (const connection of connections) connection.set(next);
    },
    drop() {
      for (const connection of connections) connection.reset();
    },
    async close() {
      isClosed = true; // one that was on its way may still be handed over
      const closed = once(server, 'close');
      server.close();
      for (const connection of connections) connection.reset();
      await closed;
    },
  };
}

class Connection {
  readonly #client: Socket;
  readonly #server: Socket;
  readonly #toServer: Direction;
  readonly #toClient: Direction;
  onClosed: () => void = () => {};

  constructor(client: Socket, server: Socket, relay: Relay | undefined) {
    this.#client = client;
    this.#server = server;
    this.#toServer = new Direction(client, server, undefined, () => this.reset());
    this.#toClient = new Direction(server, client, relay, () => this.reset());
    let open = 2;
    for (const socket of [client, server]) {
      socket.once('close', () => {
        if (--open === 0) this.onClosed();
      });
    }
  }

  set({ toServer = {}, toClient = {} }: LinkState): void {
    this.#toServer.set(toServer);
    this.#toClient.set(toClient);
  }

  reset(): void {
    for (const direction of [this.#toServer, this.#toClient]) direction.stop();
    for (const socket of [this.#client, this.#server]) {
      // one that is not connected yet, or has sent its end, cannot be reset: its handle would stay open
      if (socket.pending || socket.writableEnded) socket.destroy();
      else socket.resetAndDestroy();
    }
  }
}

/** What travels: bytes, or how the sender ended. */
interface Travelling {
  readonly what: Buffer | 'end' | 'reset';
  readonly dueMs: number;
}

class Direction {
  readonly #from: Socket;
  readonly #to: Socket;
  readonly #reset: () => void;
  readonly #queue: Travelling[] = [];
  #queuedBytes = 0;
  #state: DirectionState = {};
  #freeAtMs = 0;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(from: Socket, to: Socket, relay: Relay | undefined, reset: () => void) {
    this.#from = from;
    this.#to = to;
    this.#reset = reset;
    const pass = (bytes: Buffer) => this.#put(bytes);
    const onBytes = relay ? relay(pass) : pass;
    from.on('data', (bytes: Buffer) => {
      onBytes(bytes);
      if (this.#queuedBytes > bufferBytes) from.pause();
    });
    from.once('end', () => this.#put('end'));
    from.on('error', () => this.#put('reset'));
    to.on('drain', () => this.#move());
  }

  set(state: DirectionState): void {
    this.#state = state;
    this.#move();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  #put(what: Travelling['what']): void {
    if (this.#stopped) return;
    if (typeof what !== 'string') this.#queuedBytes += what.length;
    this.#queue.push({ what, dueMs: performance.now() + (this.#state.delayMs ?? 0) });
    this.#move();
  }

  /** Passes on what is due. */
  #move(): void {
    clearTimeout(this.#timer);
    if (this.#stopped || this.#state.held) return;
    for (let next = this.#queue[0]; next !== undefined; next = this.#queue[0]) {
      if (this.#to.writableNeedDrain) return;
      const waitMs = Math.max(next.dueMs, this.#freeAtMs) - performance.now();
      if (waitMs > 0) {
        this.#timer = setTimeout(() => this.#move(), waitMs);
        return;
      }
      this.#queue.shift();
      if (typeof next.what === 'string') {
        if (next.what === 'end') this.#to.end();
        else this.#reset();
        return;
      }
      this.#queuedBytes -= next.what.length;
      const { bytesPerSecond } = this.#state;
      if (bytesPerSecond !== undefined) this.#freeAtMs = performance.now() + (next.what.length / bytesPerSecond) * 1000;
      if (!this.#to.destroyed) this.#to.write(next.what);
    }
    if (this.#from.isPaused()) this.#from.resume();
  }
}
