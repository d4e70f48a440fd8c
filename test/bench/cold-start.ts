import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { unary } from '@tokenmesh/interceptor';
import { tokenmesh } from '@tokenmesh/proto';
import { importSigningKey, signClientAssertion } from '@tokenmesh/token';
import { type BenchMesh, channelCredentials, issuer, spiffeId, startAudiences } from './bench-mesh.ts';
import { drive, type Figure, peakMemoryMb, summarize } from './measure.ts';

const instances = 1_000;
const connections = 20;
const inFlight = 64;
const needed = instances * startAudiences.length;

/**
 * 1 000 service instances start at once and ask for five tokens each, in one request as a mesh does at its start. Simulated: they share twenty
 * connections and this process's one processor, so the time to a token is this side's as much as the server's; the bound is what the same client
 * sustained a moment before.
 *
 * @param mesh Without anything that asks for tokens meanwhile.
 */
export async function coldStart(mesh: BenchMesh): Promise<{ readonly figures: readonly Figure[]; readonly check: string }> {
  const clients = Array.from({ length: connections }, (_, index) => {
    // an option of its own keeps grpc-js from sharing one connection among all
    const options = { 'grpc.primary_user_agent': `instance-${index}` };
    return new tokenmesh.TokenExchange(mesh.tokenExchange, channelCredentials(mesh, 'gateway'), options);
  });
  const key = importSigningKey(readFileSync(join(mesh.directory, 'gateway.pem')));
  const requests = startAudiences.map((name) => ({ grant_type: 'client_credentials', audience: spiffeId(name) }));
  const ask = async (instance: number) => {
    const client = clients[instance % connections];
    if (!client) throw new Error('unreachable: there is a connection');
    const { results } = await unary(client, 'exchangeTokens', {
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      client_assertion: signClientAssertion({ clientId: spiffeId('gateway'), audience: issuer, key, now: Date.now, newId: randomUUID }),
      requests,
    });
    if (results.some(({ response }) => !response?.access_token)) throw new Error('an instance did not get its tokens');
  };
  const issued = () => mesh.events.get('token.issued') ?? 0;

  let instance = 0;
  const sustainedFrom = performance.now();
  await drive(instances, inFlight, () => ask(instance++));
  const sustainedMs = performance.now() - sustainedFrom;

  await delay(1_000); // the log is read beside the calls and lags behind them
  const issuedBefore = issued();
  const startedAt = performance.now();
  const firstTokenMs = await Promise.all(
    Array.from({ length: instances }, async (_, one) => {
      await ask(one);
      return performance.now() - startedAt;
    }),
  );
  for (const client of clients) client.close();
  const readUntil = performance.now() + 10_000;
  while (issued() - issuedBefore < needed && performance.now() < readUntil) await delay(10);
  await delay(500); // exchanges that nobody needed would show
  const p99 = firstTokenMs.sort((a, b) => a - b)[Math.floor(0.99 * instances)] ?? Number.NaN;
  return {
    figures: [
      summarize('P11 1 000 instances at once: exchanges made / needed', '×', [(issued() - issuedBefore) / needed], { atMost: 1 }),
      summarize('P11 1 000 instances at once: p99 to first token / (needed ÷ sustained rate)', '×', [p99 / sustainedMs], { atMost: 1.5 }),
      summarize('P11 1 000 instances at once: largest memory of token-exchange', 'MB', [peakMemoryMb(mesh.pid)], { atMost: 400 }),
      summarize('1 000 instances at once: p99 to first token', 'ms', [p99]),
      summarize('tokens that one client obtains per second, five a request', '/s', [needed / (sustainedMs / 1_000)]),
    ],
    check: `every one of ${instances} instances got ${startAudiences.length} tokens, and none failed`,
  };
}
