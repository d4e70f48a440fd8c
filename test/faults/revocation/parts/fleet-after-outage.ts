import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { accessRules, createMesh, type Mesh, privateKeyJwt } from '@tokenmesh/interceptor';
import { scrapeFrom } from '../../../scraped-metrics.ts';
import { payments } from '../../fault-mesh.ts';
import { trialDefinition, trialRules } from '../trial-service.ts';
import { createWorld, type World } from '../world.ts';
import type { Part } from './part.ts';

const [fleetSize, quickFleetSize] = [60, 30];
/** Several times the 5 s between two reports. */
const [steadyMs, quickSteadyMs] = [30_000, 10_000];
/** Longer than S, so that all are stale and ask. */
const [awayMs, quickAwayMs] = [30_000, 8_000];
const giveUpMs = 30_000;
const askAgainMs = 50;
/** To confirm what is known, to follow or to fill a gap, and to report. */
const maxCallsEach = 3;
/** As in production: otherwise the fleet would ask for keys each second, and hardly anything would show beside that. */
const settings = { keys: { activation_timeout: '20m', rotate_every: '13h' } };

/** How many calls token-exchange had taken since it was started, at a moment. */
interface Sample {
  readonly atMs: number;
  readonly calls: number;
}

/** F4: how often a fleet of verifiers that nobody calls asks token-exchange once it is back, beside how often it always does. */
export const fleetAfterOutage: Part = {
  name: 'revocation, a fleet after an outage (F4)',
  async run({ natsPath, quick, report }) {
    await using opened = new AsyncDisposableStack();
    let metrics = '';
    const onLine = (line: string) => {
      const { event, metrics: shown = metrics } = JSON.parse(line) as { readonly event?: string; readonly metrics?: string };
      if (event === 'listening') metrics = shown;
    };
    const env = { OTEL_METRICS_EXPORTER: 'prometheus', OTEL_EXPORTER_PROMETHEUS_PORT: '0' };
    const start = () => ({ env, onLine });
    const world = opened.adopt(await createWorld({ natsPath, staleAfterMs: [], settings, start }), (open) => open.close());
    const size = quick ? quickFleetSize : fleetSize;
    const fleet: Mesh[] = [];
    while (fleet.length < size) fleet.push(opened.use(await joinFleet(world)));
    await Promise.all(fleet.map((mesh) => mesh.ready()));

    /** @param isOver Looked at with each sample. */
    async function watch(isOver: () => boolean): Promise<readonly Sample[]> {
      const samples: Sample[] = [];
      do {
        samples.push({ atMs: performance.now(), calls: await callsTaken(metrics) });
        await delay(askAgainMs);
      } while (!isOver());
      return samples;
    }

    report('a fleet at rest');
    const restsUntil = performance.now() + (quick ? quickSteadyMs : steadyMs);
    const steady = ratePerSecond(await watch(() => performance.now() >= restsUntil));
    report('the fleet has nobody to ask');
    await Promise.all([world.nats.kill(), world.issuer.kill()]);
    await delay(quick ? quickAwayMs : awayMs);
    await Promise.all([world.nats.start(), world.issuer.start()]);
    const healedAt = performance.now();
    const freshOnes = () => fleet.filter(({ feed }) => feed.freshness().state === 'fresh').length;
    const back = await watch(() => freshOnes() === size || performance.now() - healedAt > giveUpMs);
    const [calls, fresh] = [await callsTaken(metrics), freshOnes()];
    const worst = callsInWorstSecond(back);
    return {
      counts: {
        'verifiers in the fleet': size,
        'calls a second at rest': steady.toFixed(1),
        'calls until all were fresh again': calls,
        'ms that took': Math.round(performance.now() - healedAt),
        'calls in the worst second of it': worst,
        'times the rate at rest': (worst / steady).toFixed(1),
      },
      violations: [
        ...(fresh < size ? [`${size - fresh} of ${size} verifiers were not fresh ${giveUpMs} ms after healing`] : []),
        ...(calls > maxCallsEach * size ? [`${calls} calls of ${size} verifiers: they ask again what was answered`] : []),
        ...(steady === 0 ? ['it proves nothing: no call was seen at rest'] : []),
      ],
    };
  },
};

async function joinFleet({ mesh: { directory }, callersToIssuer, nats }: World): Promise<Mesh> {
  const mesh = await createMesh({
    self: payments,
    tokenExchange: `localhost:${callersToIssuer.port}`,
    credential: privateKeyJwt(join(directory, 'payments.pem')),
    ca: readFileSync(join(directory, 'ca.pem')),
    nats: { servers: `nats://127.0.0.1:${nats.port}` },
  });
  mesh.server(accessRules(trialDefinition, trialRules)); // who serves reports
  return mesh;
}

/** Every call that reached token-exchange, its own interceptors say: those that show a token and those that need none. */
async function callsTaken(metrics: string): Promise<number> {
  const counters = new Set(['tokenmesh_calls_decided_total', 'tokenmesh_calls_exempt_total']);
  const series = (await scrapeFrom(metrics)).filter(({ name }) => counters.has(name)).flatMap((metric) => metric.series);
  return series.reduce((sum, { value }) => sum + value, 0);
}

function ratePerSecond(samples: readonly Sample[]): number {
  const [first, last] = [samples[0], samples.at(-1)];
  return first && last && last.atMs > first.atMs ? ((last.calls - first.calls) / (last.atMs - first.atMs)) * 1000 : 0;
}

function callsInWorstSecond(samples: readonly Sample[]): number {
  const inSecondFrom = ({ atMs, calls }: Sample) => (samples.findLast((later) => later.atMs <= atMs + 1000)?.calls ?? calls) - calls;
  return samples.reduce((worst, sample) => Math.max(worst, inSecondFrom(sample)), 0);
}
