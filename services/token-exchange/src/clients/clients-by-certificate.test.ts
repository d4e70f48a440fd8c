// Whose certificate it is that a call came with, when connections of several clients take turns.
import { once } from 'node:events';
import { connect as connectHttp2 } from 'node:http2';
import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { tokenmesh } from '@tokenmesh/proto';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openTestDoors, type TestDoors } from '../doors/test-doors.ts';
import { gateway, orders, own, payments, workloads } from '../testing.ts';
import { createTestAuthority, type TestCertificate } from './test-certificate.ts';

const authority = createTestAuthority();
const { path, requestSerialize } = tokenmesh.TokenExchange.service.ExchangeToken;
const clients = [
  { id: gateway, audience: orders, certificate: authority.issue([gateway]) },
  { id: orders, audience: payments, certificate: authority.issue([orders]) },
] as const;

let doors: TestDoors;
let sockets: Socket[];

beforeEach(async () => {
  sockets = [];
  doors = await openTestDoors({
    tls: { ...authority.issue([own]), clientCa: authority.cert, clientCertificate: 'optional' },
    workloads: new Map([...workloads].map(([id, workload]) => [id, { ...workload, tlsClientAuth: true }])),
  });
});

afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  await doors.close();
});

/** @param localPort Of a connection that was reset; 0: any. */
async function connect({ cert, key }: TestCertificate, localPort: number) {
  const port = Number(doors.address.split(':').at(-1));
  // an address that nothing else connects from, so that nobody takes the port in between
  const tcp = connectTcp({ host: '127.0.0.1', port, localAddress: '127.0.0.79', localPort });
  sockets.push(tcp);
  const socket = connectTls({ socket: tcp, servername: 'localhost', ca: authority.cert, cert, key, ALPNProtocols: ['h2'] });
  await once(socket, 'secureConnect');
  const session = connectHttp2('https://localhost', { createConnection: () => socket });
  return {
    localPort: tcp.localPort ?? 0,
    /** The code with which an exchange ends of whoever names himself so. */
    async exchange(client_id: string, audience: string): Promise<number> {
      const stream = session.request({ ':method': 'POST', ':path': path, 'content-type': 'application/grpc', te: 'trailers' });
      const message = requestSerialize({ grant_type: 'client_credentials', client_id, audience });
      const frame = Buffer.alloc(5);
      frame.writeUInt32BE(message.length, 1);
      stream.end(Buffer.concat([frame, message]));
      const code = new Promise<number>((resolve, reject) => {
        const note = (fields: { readonly [name: string]: unknown }) => 'grpc-status' in fields && resolve(Number(fields['grpc-status']));
        stream
          .on('response', note)
          .on('trailers', note)
          .on('error', reject)
          .on('close', () => reject(new Error('no status')))
          .resume();
      });
      return await code;
    },
    async reset(): Promise<void> {
      const closed = once(session, 'close');
      session.on('error', () => undefined); // the reset
      socket.on('error', () => undefined);
      tcp.resetAndDestroy();
      await closed;
    },
  };
}

it('is that of its connection, when those of two clients come and go at the same time and follow each other from the same ports', async () => {
  const ports = await Promise.all(
    [0, 1, 2].map(async (lane) => {
      const used: number[] = [];
      for (let round = 0; round < 4; round++) {
        const [client, other] = (lane + round) % 2 === 0 ? clients : clients.toReversed();
        if (!client || !other) throw new Error('unreachable: there are two');
        const connection = await connect(client.certificate, used.at(-1) ?? 0);
        used.push(connection.localPort);
        const answers = [client, other, client, other].map(({ id, audience }) => connection.exchange(id, audience));
        expect(await Promise.all(answers)).toEqual([0, 16, 0, 16]);
        await connection.reset();
      }
      return new Set(used).size;
    }),
  );
  expect(ports).toEqual([1, 1, 1]);
});
