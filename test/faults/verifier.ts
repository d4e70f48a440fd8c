// A service of the mesh in a process of its own, for campaigns: node verifier.ts <addresses of token-exchange> <directory of the mesh's files>
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Server, ServerCredentials } from '@grpc/grpc-js';
import { createMesh, privateKeyJwt } from '@tokenmesh/interceptor';
import { type PaymentsHandlers, shop, shopPackage } from '@tokenmesh/proto/shop';
import { payments } from './fault-mesh.ts';

/** How often an open stream gets a message. */
const messageEveryMs = 200;

const [tokenExchange = '', directory = ''] = process.argv.slice(2);
const read = (name: string) => readFileSync(join(directory, name));
const mesh = await createMesh({
  self: payments,
  tokenExchange,
  credential: privateKeyJwt(join(directory, 'payments.pem')),
  ca: read('ca.pem'),
});
const handlers: PaymentsHandlers = {
  Charge: (call, callback) => callback(null, { charge_id: call.request.order_id, chain: [] }),
  Refund: (_, callback) => callback(null, {}),
  WatchCharges(call) {
    const sending = setInterval(() => call.write({ charge_id: 'c', amount_cents: 1 }), messageEveryMs);
    call.on('cancelled', () => clearInterval(sending));
  },
};
const server = new Server({ interceptors: mesh.server(shopPackage) });
server.addService(shop.Payments.service, handlers);
await mesh.ready();
const tls = ServerCredentials.createSsl(null, [{ private_key: read('key.pem'), cert_chain: read('cert.pem') }], false);
server.bindAsync('127.0.0.1:0', tls, (error, port) => {
  if (error) throw error;
  console.log(JSON.stringify({ event: 'listening', port }));
});
process.once('SIGTERM', async () => {
  server.forceShutdown();
  await mesh.close();
});
