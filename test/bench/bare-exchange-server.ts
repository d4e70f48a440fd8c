// The floor under an exchange: a bare grpc-js server over TLS that verifies one ES256 signature and makes one, on KeyObjects passed as they
// are, and does nothing else. Arguments: a JSON file with { cert, key, clientKey (public, PEM) }.
import { createPublicKey, generateKeyPairSync, sign, verify } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Server, ServerCredentials } from '@grpc/grpc-js';
import { tokenmesh } from '@tokenmesh/proto';

const { cert, key, clientKey } = JSON.parse(readFileSync(String(process.argv[2]), 'utf8')) as Record<'cert' | 'key' | 'clientKey', string>;
const publicKey = createPublicKey(clientKey);
const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });

const server = new Server();
server.addService(tokenmesh.TokenExchange.service, {
  // the assertion carries `data.signature`, DER in base64url; the answer the same
  ExchangeToken(call: { request: { client_assertion: string } }, callback: (error: Error | null, response?: object) => void) {
    const [data = '', signature = ''] = call.request.client_assertion.split('.');
    const bytes = Buffer.from(data, 'latin1');
    if (!verify('sha256', bytes, publicKey, Buffer.from(signature, 'base64url'))) return callback(new Error('not verified'));
    const issued = sign('sha256', bytes, privateKey).toString('base64url');
    callback(null, { access_token: `${data}.${issued}`, token_type: 'Bearer', expires_in: 300 });
  },
});
const pair = { cert_chain: Buffer.from(cert), private_key: Buffer.from(key) };
server.bindAsync('127.0.0.1:0', ServerCredentials.createSsl(null, [pair]), (error, port) => {
  if (error) throw error;
  console.log(JSON.stringify({ event: 'listening', port }));
});
