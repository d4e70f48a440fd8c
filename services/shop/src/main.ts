/**
 * `node main.ts gateway | orders | payments`: one service of the shop, in the mesh.
 *
 * Listens on `SHOP_LISTEN` (`host:port`, 0 chooses); finds the next service at `SHOP_ORDERS` or `SHOP_PAYMENTS`; the rest is said in
 * environment.ts. Writes one JSON line when it listens, one when it serves, and one for each call that it refuses.
 */
import { Server } from '@grpc/grpc-js';
import { createMesh, type Mesh } from '@tokenmesh/interceptor';
import { shop, shopPackage } from '@tokenmesh/proto/shop';
import { HealthImplementation } from 'grpc-health-check';
import { meshOptions, setting } from './environment.ts';
import { gatewayHandlers } from './gateway.ts';
import { createLog } from './log.ts';
import { ordersHandlers } from './orders.ts';
import { paymentsHandlers } from './payments.ts';
import { createRefusalLog } from './refusal-log.ts';
import { startTelemetry } from './telemetry.ts';

const services = {
  gateway(mesh: Mesh, server: Server) {
    const orders = new shop.Orders(
      setting(process.env, 'SHOP_ORDERS'),
      mesh.channelCredentials(),
      mesh.client('spiffe://shop.test/orders'),
    );
    server.addService(shop.Gateway.service, gatewayHandlers(orders));
  },
  orders(mesh: Mesh, server: Server) {
    const address = setting(process.env, 'SHOP_PAYMENTS');
    const payments = new shop.Payments(address, mesh.channelCredentials(), mesh.client('spiffe://shop.test/payments'));
    server.addService(shop.Orders.service, ordersHandlers(payments));
  },
  payments(_: Mesh, server: Server) {
    server.addService(shop.Payments.service, paymentsHandlers());
  },
};
const drainLimitMs = 2_000;

const name = process.argv[2];
if (name !== 'gateway' && name !== 'orders' && name !== 'payments') throw new TypeError('usage: main.ts gateway | orders | payments');

const log = createLog(name);
const telemetry = await startTelemetry(name);
const refusals = createRefusalLog(log);
const mesh = await createMesh({ ...meshOptions(process.env), onRefused: refusals.onRefused });

const server = new Server({ interceptors: mesh.server(shopPackage) });
services[name](mesh, server);
server.addService(...mesh.streamCredential()); // callers keep their streams beyond the life of a token

const health = new HealthImplementation({ '': 'NOT_SERVING' });
health.addToServer(server);
const stopServing = mesh.reportHealth(health); // SERVING once keys, revocations and a token for whom it calls are in

const port = await new Promise<number>((resolve, reject) => {
  const address = setting(process.env, 'SHOP_LISTEN');
  server.bindAsync(address, mesh.serverCredentials(), (error, bound) => (error ? reject(error) : resolve(bound)));
});
log.info({ event: 'listening', port, ...(telemetry.metricsUrl && { metrics: telemetry.metricsUrl }) });

async function drain() {
  stopServing();
  const limit = setTimeout(() => server.forceShutdown(), drainLimitMs);
  await new Promise((resolve) => server.tryShutdown(resolve));
  clearTimeout(limit);
  await mesh.close();
  refusals.close();
  await telemetry.shutdown();
  process.exit();
}
process.once('SIGTERM', drain);
process.once('SIGINT', drain);

await mesh.ready();
log.info({ event: 'serving' });
