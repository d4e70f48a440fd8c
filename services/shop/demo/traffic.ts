import { type Mesh, unary } from '@tokenmesh/interceptor';
import { shop as services } from '@tokenmesh/proto/shop';
import { spiffeId } from './configuration.ts';
import type { Shop } from './launch.ts';
import { median } from './median.ts';
import { address } from './services.ts';
import { verdictOf } from './verdict.ts';

const callsEveryMs = 250;
const linesEveryMs = { terminal: 1_000, file: 10_000 };
const recent = 40;

/** Places a few orders a second until `signal` aborts, and keeps one line of running figures: rewritten on a terminal, added elsewhere. */
export async function runTraffic(
  shop: Shop,
  customer: Mesh,
  { signal, stream = process.stdout }: { signal: AbortSignal; stream?: NodeJS.WriteStream },
) {
  const gateway = new services.Gateway(address(shop.gateway), customer.channelCredentials(), customer.client(spiffeId('gateway')));
  const took: number[] = [];
  const counts = { accepted: 0, failed: 0, last: '' };

  async function call(): Promise<void> {
    const startedAt = performance.now();
    try {
      await unary(gateway, 'placeOrder', { item: 'tea', quantity: 1 }, { deadline: Date.now() + 2_000 });
      counts.accepted += 1;
      took.push(performance.now() - startedAt);
      if (took.length > recent) took.shift();
    } catch (error) {
      counts.failed += 1;
      counts.last = `, the last one ${verdictOf(error)}`;
    }
  }

  function figures(): string {
    const freshness = customer.feed.freshness();
    const revocations =
      freshness.state === 'empty' ? 'not in yet' : `event ${freshness.n}, ${Math.round(freshness.ageMs)} ms old over ${freshness.path}`;
    return `${counts.accepted} calls, median ${median(took).toFixed(1)} ms · ${counts.failed} failed${counts.last} · revocations ${revocations}`;
  }

  const calling = setInterval(call, callsEveryMs);
  const telling = setInterval(
    () => stream.write(stream.isTTY ? `\r\u001b[K   ${figures().slice(0, 96)}` : `   ${figures()}\n`),
    stream.isTTY ? linesEveryMs.terminal : linesEveryMs.file,
  );
  await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
  clearInterval(calling);
  clearInterval(telling);
  gateway.close();
  stream.write('\n');
}
