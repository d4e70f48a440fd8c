// A verifier in a process of its own, for the campaign: node verifier.ts <VerifierOptions as JSON>
// It understands `stall <milliseconds>` on standard input: its event loop then does nothing else for so long.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Server, ServerCredentials, type ServerUnaryCall, type ServerWritableStream, type sendUnaryData } from '@grpc/grpc-js';
import { accessRules } from '@tokenmesh/interceptor';
import { referenceMs } from './history.ts';
import { aliveEveryMs, trialDefinition, trialRules, type VerifierOptions } from './trial-service.ts';
import { openGuard } from './verifier-guard.ts';

/** The one argument: whoever starts this file writes it. */
const options = JSON.parse(process.argv[2] ?? '') as VerifierOptions;
const say = (event: string, detail: object = {}) => console.log(JSON.stringify({ event, ...detail }));

const guard = await openGuard(options, accessRules(trialDefinition, trialRules), (what, detail) => say('told', { what, detail }));
const unary = (_: ServerUnaryCall<Buffer, Buffer>, callback: sendUnaryData<Buffer>) => callback(null, Buffer.alloc(0));
function stream(call: ServerWritableStream<Buffer, Buffer>): void {
  const alive = () => call.write(Buffer.from(String(referenceMs())));
  const timer = setInterval(alive, aliveEveryMs);
  call.on('cancelled', () => clearInterval(timer));
  alive();
}
const server = new Server({ interceptors: guard.interceptors });
const handlers = Object.entries(trialDefinition).map(([name, { responseStream }]) => [name, responseStream ? stream : unary]);
server.addService(trialDefinition, Object.fromEntries(handlers));
const [key, cert] = ['key.pem', 'cert.pem'].map((name) => readFileSync(join(options.directory, name))) as [Buffer, Buffer]; // as many as names
const tls = ServerCredentials.createSsl(null, [{ private_key: key, cert_chain: cert }], false);
server.bindAsync('127.0.0.1:0', tls, (error, port) => {
  if (error) throw error;
  say('listening', { port });
});
guard.ready.then(
  () => say('ready'),
  () => {},
);

createInterface({ input: process.stdin }).on('line', (line) => {
  const [word, ms] = line.split(' ');
  if (word === 'stall') stall(Number(ms));
});

function stall(ms: number): void {
  const until = performance.now() + ms;
  while (performance.now() < until);
}
