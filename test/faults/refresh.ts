import { setTimeout as delay } from 'node:timers/promises';
import type { Campaign, CampaignOptions, Verdict } from './campaign.ts';
import { connectClients, type ExchangeClients } from './exchange-clients.ts';
import { judgeFamilies } from './family-oracle.ts';
import { createRandom, type Random } from './random.ts';
import { continueFamilies, createFamily, type RefreshFamily } from './refresh-family.ts';
import { type Ground, onStores } from './stores.ts';

const liveFamilies = 24;
/** How long the load runs after its first answer before the process is killed: long enough for refreshes in every state. */
const longestLoadMs = 150;
const probesPerRound = 3;

/** F2: kill -9 under many concurrent refreshes; every family stays a path. */
export const refresh: Campaign = {
  about: 'kill -9 under concurrent refreshes, 100 rounds on each engine (F2)',
  run: (options) => onStores('refresh', options.stores, options, (ground, name) => killUnderRefreshes(ground, name, options)),
};

async function killUnderRefreshes(
  { mesh, store }: Ground,
  name: string,
  { quick, rounds = quick ? 8 : 100, seed, report }: CampaignOptions,
): Promise<Pick<Verdict, 'counts' | 'violations'>> {
  const all: RefreshFamily[] = [];
  let live: RefreshFamily[] = [];
  const violations: string[] = [];
  let refreshedUnderLoad = 0;
  let loadMs = 0;
  let lost = 0;
  let lateRetries = 0;

  for (let round = 1; round <= rounds; round++) {
    report(`${name}: round ${round} of ${rounds}`);
    const random = createRandom(seed).of('refresh').of(round);
    const server = await mesh.start('refresh', store);
    const clients = await connectClients(mesh, server.port);
    try {
      lost += live.filter((family) => family.isUncertain()).length;
      const continued = await continueFamilies(live, clients);
      lateRetries += live.length - continued.length;
      live = continued;
      live = await probe(live, clients, random.of('probes'), violations);
      while (live.length < liveFamilies) {
        const family = createFamily(`family ${all.length + 1}`, await clients.issue(clients.ownTokenRequest()));
        all.push(family);
        live.push(family);
      }
      const before = accepted(live);
      const startedAt = performance.now();
      const begun = Promise.withResolvers<void>();
      const loading = live.map((family, index) => refreshUntilGone(family, clients, random.of(index), begun.resolve));
      await Promise.race([begun.promise, Promise.all(loading)]);
      await delay(random.next() * longestLoadMs);
      await server.kill();
      loadMs += performance.now() - startedAt;
      await Promise.all(loading);
      refreshedUnderLoad += accepted(live) - before;
    } finally {
      await server.kill();
      clients.close();
    }
  }

  const attempts = all.flatMap((family) => family.attempts);
  const audit = await mesh.verifyAudit('refresh');
  if (!audit.holds) violations.push(audit.output);
  violations.push(...judgeFamilies(attempts));
  if (refreshedUnderLoad < rounds) violations.push(`only ${refreshedUnderLoad} refreshes in ${rounds} rounds: that was no load`);
  const counts = {
    rounds,
    families: all.length,
    presented: attempts.length,
    'accepted under load': refreshedUnderLoad,
    'per second': Math.round((refreshedUnderLoad / loadMs) * 1000),
    'answers lost and asked for again': lost,
    'families ended by a retry after two seconds': lateRetries,
    'families ended by a reuse': all.length - live.length - lateRetries,
  };
  return { counts, violations };
}

const accepted = (families: readonly RefreshFamily[]) =>
  families.reduce((sum, { attempts }) => sum + attempts.filter(({ outcome }) => outcome.kind === 'accepted').length, 0);

/** Refreshes again and again, sometimes twice at once: a client that retries before it had its answer. */
async function refreshUntilGone(family: RefreshFamily, clients: ExchangeClients, random: Random, onAccepted: () => void): Promise<void> {
  for (;;) {
    const presentations = random.chance(0.2) ? 2 : 1;
    const attempts = await Promise.all(Array.from({ length: presentations }, () => family.refresh(clients)));
    if (attempts.some(({ outcome }) => outcome.kind !== 'accepted')) return;
    onAccepted();
  }
}

/** Presents used tokens of some families in requests that are no retries, or too late for one: that has to end them. What is left goes on. */
async function probe(
  families: readonly RefreshFamily[],
  clients: ExchangeClients,
  random: Random,
  violations: string[],
): Promise<RefreshFamily[]> {
  const probed = new Set<RefreshFamily>();
  while (probed.size < Math.min(probesPerRound, families.length)) {
    const family = families[random.whole(0, families.length - 1)];
    if (family) probed.add(family);
  }
  for (const family of probed) {
    const all = family.used();
    const used = all[random.whole(0, all.length - 1)];
    if (!used) continue;
    const { token, usedAtMs } = used;
    const head = family.head();
    // the same request is a retry for two seconds and a reuse from then on; another one is a reuse at once
    const isLate = performance.now() - usedAtMs > 2100;
    await family.refresh(clients, { token, scope: isLate ? '' : 'payments.watch' });
    const { outcome } = await family.refresh(clients);
    if (outcome.kind !== 'refused') violations.push(`${family.name}: its newest token was ${outcome.kind} after a used one was presented`);
    if (await clients.isActive(head.accessToken))
      violations.push(`${family.name}: an access token is active after a used refresh token was presented`);
  }
  return families.filter((family) => !probed.has(family));
}
