import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type ByteProxy, openByteProxy } from './byte-proxy.ts';

let cleanup: AsyncDisposableStack;
beforeEach(() => {
  cleanup = new AsyncDisposableStack();
});
afterEach(() => cleanup.disposeAsync());

/** A server that answers with what it is sent, and a link to it. */
async function openLink(): Promise<{ readonly link: ByteProxy; readonly atServer: Socket[] }> {
  const atServer: Socket[] = [];
  const server = createServer((socket) => {
    atServer.push(socket);
    socket.on('error', () => {}).on('data', (bytes) => socket.write(bytes));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  cleanup.defer(() => {
    for (const socket of atServer) socket.destroy();
    server.close();
  });
  const link = await openByteProxy({ target: (server.address() as AddressInfo).port }); // it listens on a TCP port
  cleanup.defer(() => link.close());
  return { link, atServer };
}

async function connectTo({ port }: ByteProxy): Promise<Socket> {
  const socket = connect({ host: '127.0.0.1', port });
  cleanup.defer(() => void socket.destroy());
  await once(socket, 'connect');
  socket.on('error', () => {}); // those that are reset
  return socket;
}

const next = async (socket: Socket) => String((await once(socket, 'data'))[0]);

/** Resolves when so many connections have brought something to the server. */
async function arrived(atServer: readonly Socket[], count: number): Promise<void> {
  while (atServer.filter(({ bytesRead }) => bytesRead > 0).length < count) await new Promise((resolve) => setImmediate(resolve));
}

describe('a link between two processes', () => {
  it('carries bytes both ways', async () => {
    const { link } = await openLink();
    const socket = await connectTo(link);
    socket.write('there');
    expect(await next(socket)).toBe('there');
  });

  it('holds what is sent until it is let go, and then delivers all of it', async () => {
    const { link, atServer } = await openLink();
    const socket = await connectTo(link);
    socket.write('first');
    await next(socket);
    link.set({ toClient: { held: true } });
    let received = '';
    socket.on('data', (bytes) => {
      received += String(bytes);
    });
    socket.write('second');
    // what is sent after it arrives at the server, and the answer to neither comes back
    const other = await connectTo(link);
    other.write('third');
    await arrived(atServer, 2);
    expect(received).toBe('');
    link.set({});
    while (received !== 'second') await once(socket, 'data');
  });

  it('delays and throttles', async () => {
    const { link } = await openLink();
    const socket = await connectTo(link);
    link.set({ toServer: { delayMs: 60 }, toClient: { delayMs: 60, bytesPerSecond: 1_000 } });
    const sentAt = performance.now();
    socket.write('late');
    await next(socket);
    expect(performance.now() - sentAt).toBeGreaterThanOrEqual(119);
  });

  it('resets what is open and refuses what is new', async () => {
    const { link, atServer } = await openLink();
    const socket = await connectTo(link);
    socket.write('x');
    await next(socket);
    const ended = Promise.all(atServer.map((at) => new Promise((resolve) => at.once('close', resolve))));
    const reset = new Promise((resolve) => socket.once('error', resolve));
    link.drop();
    expect(await reset).toMatchObject({ code: 'ECONNRESET' });
    await ended;
    link.set({ refused: true });
    const refused = connect({ host: '127.0.0.1', port: link.port });
    const [error] = await once(refused, 'error');
    expect(error).toMatchObject({ code: 'ECONNRESET' });
  });

  it('leads to another port when it is told to, and passes on that nobody listens there', async () => {
    const { link } = await openLink();
    const other = await openLink();
    link.aim(other.link.port);
    const socket = await connectTo(link);
    socket.write('y');
    await next(socket);
    expect(other.atServer).toHaveLength(1);
    await other.link.close();
    const late = connect({ host: '127.0.0.1', port: link.port });
    const [error] = await once(late, 'error');
    expect(error).toMatchObject({ code: 'ECONNRESET' });
  });
});
