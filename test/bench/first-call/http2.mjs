// One unary gRPC call over HTTP/2 of Node alone, its messages written by hand: the floor under a first call. Argument: see startup.ts.
import { readFileSync, writeSync } from 'node:fs';
import { connect } from 'node:http2';

const { certificates, port } = JSON.parse(String(process.argv[2]));
const read = (name) => readFileSync(`${certificates}/${name}`);
const session = connect(`https://localhost:${port}`, { ca: read('ca.crt'), cert: read('gateway.crt'), key: read('gateway.key') });
const stream = session.request({
  ':method': 'POST',
  ':path': '/shop.v1.Orders/Get',
  'content-type': 'application/grpc',
  te: 'trailers',
});
let received = 0;
stream.on('data', (bytes) => {
  received += bytes.length;
});
stream.on('trailers', (trailers) => {
  if (trailers['grpc-status'] !== '0' || received === 0) throw new Error(`the call ended with ${trailers['grpc-status']}`);
  writeSync(1, `${process.hrtime.bigint()}`);
  process.exit();
});
// GetRequest { order_id: 'order-1' } as a length-prefixed message
stream.end(Buffer.from([0, 0, 0, 0, 9, 0x0a, 7, ...Buffer.from('order-1')]));
