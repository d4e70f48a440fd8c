import { setTimeout as delay } from 'node:timers/promises';
import { createCallVerifier, createMesh, type RevocationView, readRules, unary } from '@tokenmesh/interceptor';
import { tokenmesh } from '@tokenmesh/proto';
import { shopPackage } from '@tokenmesh/proto/shop';
import { createLocalKeySet } from '@tokenmesh/token';
import { type BenchMesh, channelCredentials, issuer, meshOptions, obtainToken, spiffeId } from './bench-mesh.ts';
import { type Figure, type SuiteOptions, summarize } from './measure.ts';
import { startMeasuredServer } from './measured-side.ts';

/** What a verifier takes that has nothing to do: for checkpoints each second, reports, and keeping its table. */
export async function idleFigure(mesh: BenchMesh, { quick, report }: SuiteOptions): Promise<Figure> {
  await using server = await startMeasuredServer(mesh, 'mesh');
  const slices = quick ? 2 : 12;
  const seconds = quick ? 3 : 10;
  await delay(1_000); // what the start leaves behind
  const shares: number[] = [];
  let before = await server.ask({});
  while (shares.length < slices) {
    report(`a verifier at rest, slice ${shares.length + 1} of ${slices}`);
    await delay(seconds * 1_000);
    const after = await server.ask({});
    shares.push(((after.cpuMicros - before.cpuMicros) / (seconds * 1e6)) * 100);
    before = after;
  }
  if (!before.fresh) throw new Error('the feed of the verifier at rest is stale');
  return summarize(`P18 a verifier at rest, ${before.revocations} revocations: of one processor`, '%', shares, { atMost: 0.5 });
}

/** A call with a token that was verified before looks into the table only when something was revoked since: counted. */
export async function warmCallCheck(mesh: BenchMesh): Promise<string> {
  await using verifier = await createMesh(meshOptions(mesh, 'orders'));
  await verifier.ready();
  const { feed } = verifier;
  let lookups = 0;
  const set = new Proxy(feed.set, {
    get(target, name) {
      if (name === 'find') lookups++;
      const member: unknown = Reflect.get(target, name, target);
      return typeof member === 'function' ? member.bind(target) : member;
    },
  });
  const rule = readRules([shopPackage]).get('/shop.v1.Orders/Get');
  if (!rule) throw new Error('unreachable: the method has a rule');
  const client = new tokenmesh.TokenExchange(mesh.tokenExchange, channelCredentials(mesh, 'orders'));
  const keys = createLocalKeySet((await unary(client, 'getJwks', {})).keys);
  client.close();
  const revocation: RevocationView = { set, freshness: () => feed.freshness(), onApplied: (listener) => feed.onApplied(listener) };
  const calls = createCallVerifier({ issuer, audience: spiffeId('orders'), keys, revocation });
  const token = await obtainToken(mesh, 'gateway');
  const callMany = async () => {
    const before = lookups;
    for (let call = 0; call < warmCalls; call++) {
      await calls.verify({ scheme: 'Bearer', token }, rule, { certificateThumbprint: () => undefined, address: '127.0.0.1' });
    }
    return lookups - before;
  };
  const first = await callMany();
  const again = await callMany();
  const applied = new Promise<void>((resolve) => feed.onApplied(() => resolve()));
  await mesh.revoke('nobody-has-this-token');
  await applied;
  const afterEvent = await callMany();
  const counts = `${first}, ${again} and ${afterEvent}`;
  if (first !== 1 || again !== 0 || afterEvent !== 1) throw new Error(`calls with one token looked it up ${counts} times`);
  return `${warmCalls} calls with one token look it up once, as many more not at all, and once more after something was revoked`;
}

const warmCalls = 1_000;
