import { once } from 'node:events';
import { connect } from 'node:net';

/** A connection that speaks the NATS protocol without any library: it sends what a well-behaved client would not, and keeps nothing back. */
export interface NatsWire {
  publish(subject: string, payload: string | Buffer): void;
  /** @throws {Error} When no answer came within 5 s, or the connection ended. */
  request(subject: string, payload: string): Promise<Buffer>;
  subscribe(subject: string, onMessage: (payload: Buffer) => void): void;
  /** Resolves when the server has taken everything that was sent before. */
  flush(): Promise<void>;
  close(): void;
}

export interface NatsWireOptions {
  readonly port: number;
  /** Told once when the connection ends without `close`. Default: nobody. */
  readonly onEnd?: () => void;
}

const answerLimitMs = 5_000;

/**
 * Connects to a nats-server on 127.0.0.1 that asks for no authentication.
 *
 * @throws {Error} When nothing answers.
 * @see https://docs.nats.io/reference/reference-protocols/nats-protocol
 */
export async function connectNatsWire({ port, onEnd = () => {} }: NatsWireOptions): Promise<NatsWire> {
  const socket = connect({ host: '127.0.0.1', port, noDelay: true });
  await once(socket, 'connect');
  const listeners = new Map<string, (payload: Buffer) => void>();
  const pongs: PromiseWithResolvers<void>[] = [];
  let subscriptions = 0;
  let isClosed = false;
  const connectionEnded = Promise.withResolvers<never>();
  connectionEnded.promise.catch(() => undefined); // whoever waits for something is told
  const end = () => {
    connectionEnded.reject(new Error('the connection to NATS ended'));
    for (const pong of pongs.splice(0)) pong.reject(new Error('the connection to NATS ended'));
    if (!isClosed) onEnd();
    isClosed = true;
  };
  socket.on('error', () => {}); // 'close' follows
  socket.once('close', end);
  receiveFrames(socket, {
    onMessage: (id, payload) => listeners.get(id)?.(payload),
    onPing: () => socket.write('PONG\r\n'),
    onPong: () => pongs.shift()?.resolve(),
  });
  socket.write('CONNECT {"verbose":false,"pedantic":false,"echo":true,"lang":"raw","version":"1","protocol":1}\r\n');

  function subscribe(subject: string, onMessage: (payload: Buffer) => void): string {
    const id = String(++subscriptions);
    listeners.set(id, onMessage);
    socket.write(`SUB ${subject} ${id}\r\n`);
    return id;
  }

  function publish(subject: string, payload: string | Buffer, reply = ''): void {
    const body = Buffer.from(payload);
    socket.write(Buffer.concat([Buffer.from(`PUB ${subject} ${reply && `${reply} `}${body.length}\r\n`), body, Buffer.from('\r\n')]));
  }

  return {
    publish: (subject, payload) => publish(subject, payload),
    subscribe: (subject, onMessage) => void subscribe(subject, onMessage),
    async request(subject, payload) {
      const reply = `_INBOX.${process.pid}.${port}.${subscriptions + 1}`;
      const answer = Promise.withResolvers<Buffer>();
      const id = subscribe(reply, answer.resolve);
      const timer = setTimeout(() => answer.reject(new Error(`NATS did not answer ${subject}`)), answerLimitMs);
      try {
        publish(subject, payload, reply);
        return await Promise.race([answer.promise, connectionEnded.promise]);
      } finally {
        clearTimeout(timer);
        listeners.delete(id);
        socket.write(`UNSUB ${id}\r\n`);
      }
    },
    flush() {
      if (isClosed) return connectionEnded.promise;
      const pong = Promise.withResolvers<void>();
      pongs.push(pong);
      socket.write('PING\r\n');
      return pong.promise;
    },
    close() {
      isClosed = true;
      socket.destroy();
    },
  };
}

/** Splits what the server sends into its operations; those that carry no message and ask for no answer are left alone. */
function receiveFrames(
  socket: { on(event: 'data', listener: (chunk: Buffer) => void): unknown },
  handlers: { onMessage(id: string, payload: Buffer): void; onPing(): void; onPong(): void },
): void {
  let held: Buffer = Buffer.alloc(0);
  socket.on('data', (chunk) => {
    held = Buffer.concat([held, chunk]);
    for (let end = held.indexOf('\r\n'); end !== -1; end = held.indexOf('\r\n')) {
      const [operation, ...words] = held.toString('latin1', 0, end).split(' ');
      if (operation !== 'MSG' && operation !== 'HMSG') {
        held = held.subarray(end + 2);
        if (operation === 'PING') handlers.onPing();
        if (operation === 'PONG') handlers.onPong();
        continue;
      }
      // MSG <subject> <sid> [reply] <bytes>; HMSG has the size of its headers before that of the whole
      const bytes = Number(words.at(-1));
      const headerBytes = operation === 'HMSG' ? Number(words.at(-2)) : 0;
      const start = end + 2;
      if (held.length < start + bytes + 2) return;
      const payload = Buffer.from(held.subarray(start + headerBytes, start + bytes));
      held = held.subarray(start + bytes + 2);
      handlers.onMessage(words[1] ?? '', payload);
    }
  });
}
