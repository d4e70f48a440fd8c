// The same call with a token: the bare program with a mesh. Argument: see startup.ts.
import { readFileSync, writeSync } from 'node:fs';
import { loadPackageDefinition } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { createMesh, privateKeyJwt } from '@tokenmesh/interceptor';

const { certificates, protos, port, tokenExchange } = JSON.parse(String(process.argv[2]));
const read = (name) => readFileSync(`${certificates}/${name}`);
const mesh = await createMesh({
  self: 'spiffe://bench.test/gateway',
  tokenExchange,
  credential: privateKeyJwt(`${certificates}/gateway.pem`),
  ca: read('ca.crt'),
  certificate: { cert: read('gateway.crt'), key: read('gateway.key') },
});
const definition = loadSync('shop/v1/orders.proto', { keepCase: true, defaults: true, includeDirs: [protos] });
const { Orders } = loadPackageDefinition(definition).shop.v1;
const client = new Orders(`localhost:${port}`, mesh.channelCredentials(), mesh.client('spiffe://bench.test/orders'));
client.Get({ order_id: 'order-1' }, (error) => {
  if (error) throw error;
  writeSync(1, `${process.hrtime.bigint()}`);
  process.exit();
});
