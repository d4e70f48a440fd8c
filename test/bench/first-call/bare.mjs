// What everybody writes to make one call: grpc-js, proto-loader, mutual TLS. Argument: see startup.ts.
import { readFileSync, writeSync } from 'node:fs';
import { credentials, loadPackageDefinition } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';

const { certificates, protos, port } = JSON.parse(String(process.argv[2]));
const read = (name) => readFileSync(`${certificates}/${name}`);
const definition = loadSync('shop/v1/orders.proto', { keepCase: true, defaults: true, includeDirs: [protos] });
const { Orders } = loadPackageDefinition(definition).shop.v1;
const client = new Orders(`localhost:${port}`, credentials.createSsl(read('ca.crt'), read('gateway.key'), read('gateway.crt')));
client.Get({ order_id: 'order-1' }, (error) => {
  if (error) throw error;
  writeSync(1, `${process.hrtime.bigint()}`);
  process.exit();
});
