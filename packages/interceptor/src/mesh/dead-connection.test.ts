import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { Server, ServerCredentials, status } from '@grpc/grpc-js';
import { tokenmesh } from '@tokenmesh/proto';
import { generateSigningKey } from '@tokenmesh/token';
import { createTestAuthority } from '@tokenmesh/token/test-certificate';
import { expect, it, onTestFinished } from 'vitest';
import type { TokenSource } from '../outgoing/token-source.ts';
import { privateKeyJwt } from '../outgoing/workload-credential.ts';
import { grpcIssuerChannel } from './issuer-channel.ts';
import { openMeshTls } from './mesh-tls.ts';

const tokenExchange = 'spiffe://shop.test/token-exchange';
const authority = createTestAuthority();

/** A way to a server on which the connections that are open can be made to die: nothing passes on them any more, and neither end is told. */
async function openWay(port: number) {
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = connect(port, '127.0.0.1');
    for (const socket of [client, upstream]) sockets.add(socket.on('error', () => {}));
    client.pipe(upstream).pipe(client);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  onTestFinished(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return {
    port: (server.address() as AddressInfo).port, // it listens on a TCP port
    letDie() {
      for (const socket of sockets) socket.unpipe().pause();
    },
  };
}

it('a connection to token-exchange that died without a word is found dead, and the next call has another', async () => {
  const server = new Server();
  server.addService(tokenmesh.TokenExchange.service, {
    getJwks: (_: unknown, callback: (error: null, answer: { max_age: number }) => void) => callback(null, { max_age: 7 }),
  });
  const { cert, key } = authority.issue([tokenExchange]);
  const serverCredentials = ServerCredentials.createSsl(null, [{ private_key: key, cert_chain: cert }]);
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', serverCredentials, (error, bound) => (error ? reject(error) : resolve(bound)));
  });
  onTestFinished(() => server.forceShutdown());
  const way = await openWay(port);
  const tls = openMeshTls({ ca: authority.cert }, { now: Date.now });
  onTestFinished(() => tls.close());
  const open = grpcIssuerChannel({
    ...{ tokenExchange: `localhost:${way.port}`, credential: privateKeyJwt(generateSigningKey()), tls, now: Date.now, random: () => 0 },
  });
  const names = { self: 'spiffe://shop.test/orders', trustDomain: 'shop.test', issuer: 'https://token-exchange.shop.test' };
  const source = {} as TokenSource; // of the feed's calls, none of which is made here
  const { exchangeClient, close } = await open({ ...names, tokenExchangeAudience: tokenExchange, authority: 'token-exchange' }, source);
  onTestFinished(close);

  expect(await exchangeClient.fetchKeys()).toMatchObject({ maxAgeSeconds: 7 });
  way.letDie();
  await expect(exchangeClient.fetchKeys()).rejects.toMatchObject({ code: status.UNAVAILABLE }); // its deadline is later
  expect(await exchangeClient.fetchKeys()).toMatchObject({ maxAgeSeconds: 7 });
}, 20_000);
