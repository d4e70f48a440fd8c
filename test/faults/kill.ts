import { setTimeout as delay } from 'node:timers/promises';
import { unary } from '@tokenmesh/interceptor';
import type { Campaign, CampaignOptions, Verdict } from './campaign.ts';
import { connectClients, type ExchangeClients, type IssuedTokens, type TokenRequest } from './exchange-clients.ts';
import { judgeFamilies } from './family-oracle.ts';
import { nameOf, type Outcome, outcomeOf } from './outcome.ts';
import { createRandom, type Random } from './random.ts';
import { judgeKeys, judgeRecord, type KeyWish } from './record-oracle.ts';
import { continueFamilies, createFamily, type RefreshFamily } from './refresh-family.ts';
import { type Ground, onStores } from './stores.ts';

const issuers = 3;
const revokers = 2;
const liveFamilies = 8;
/** From the first acknowledgement on, the load runs for this long at most before the process is killed; in a slow round until keys that were asked for begin to sign. */
const longestLoadMs = 120;
const slowRoundEvery = 20;
/** A process that has started gives verifiers half of `keys.activation_timeout` to report before it activates a key. */
const settleMs = 5000;
/** Of what earlier rounds left, so many are asked about again in each. */
const olderSample = 5;

/** F1: kill -9 at random points; nothing that was acknowledged is lost, nothing is usable twice. */
export const kill: Campaign = {
  about: 'kill -9 at 200 random points in issue, refresh, revoke and rotate, on each engine (F1)',
  run: (options) => onStores('kill', options.stores, options, (ground, name) => killAtRandomPoints(ground, name, options)),
};

/** What token-exchange has acknowledged so far. */
interface Acknowledged {
  readonly issued: IssuedTokens[];
  readonly requests: TokenRequest[];
  readonly revokedTokens: IssuedTokens[];
  readonly revokedSubjects: { readonly subject: string; readonly n: number }[];
  readonly wishes: KeyWish[];
  readonly withdrawnKids: Set<string>;
}

async function killAtRandomPoints(
  { mesh, store }: Ground,
  name: string,
  { quick, rounds = quick ? 12 : 200, seed, report }: CampaignOptions,
): Promise<Pick<Verdict, 'counts' | 'violations'>> {
  const acknowledged: Acknowledged = {
    issued: [],
    requests: [],
    revokedTokens: [],
    revokedSubjects: [],
    wishes: [],
    withdrawnKids: new Set(),
  };
  const violations: string[] = [];
  const families: RefreshFamily[] = [];
  const starts: number[] = [];
  let live: RefreshFamily[] = [];
  let activations = 0;
  let lateRetries = 0;

  for (let round = 0; round <= rounds; round++) {
    report(`${name}: kill ${round} of ${rounds}`);
    const random = createRandom(seed).of('kill').of(round);
    const server = await mesh.start('kill', store);
    starts.push(server.startedInMs);
    const clients = await connectClients(mesh, server.port);
    try {
      const continued = await continueFamilies(live, clients); // first: a retry has two seconds
      lateRetries += live.length - continued.length;
      live = continued;
      const isLast = round === rounds;
      violations.push(...(await examine(clients, acknowledged, random.of('sample'), isLast)).map((what) => `round ${round}: ${what}`));
      live = await replayOne(live, clients, random.of('replay'));
      if (isLast) continue;
      while (live.length < liveFamilies) {
        const family = createFamily(`family ${families.length + 1}`, await clients.issue(clients.ownTokenRequest()));
        families.push(family);
        live.push(family);
      }
      const begun = Promise.withResolvers<void>();
      const loading = load(clients, live, acknowledged, random.of('load'), { name: `r${round}`, onAcknowledged: begun.resolve });
      await Promise.race([begun.promise, loading]);
      const isSlow = round % slowRoundEvery === slowRoundEvery / 2;
      await delay(isSlow ? settleMs + random.next() * 1500 : random.next() * longestLoadMs);
      await server.kill();
      violations.push(...(await loading).map((what) => `round ${round}: ${what}`));
      activations += server.events.get('key.activated') ?? 0;
    } finally {
      await server.kill();
      clients.close();
    }
  }

  violations.push(...judgeFamilies(families.flatMap(({ attempts }) => attempts)));
  const audit = await mesh.verifyAudit('kill');
  if (!audit.holds) violations.push(audit.output);
  const work = [acknowledged.issued, acknowledged.revokedSubjects, acknowledged.revokedTokens, acknowledged.wishes];
  if (work.some(({ length }) => length < rounds / 10)) violations.push('too little was acknowledged for this to be a trial');
  const sorted = starts.toSorted((a, b) => a - b);
  const counts = {
    kills: rounds,
    'tokens issued': acknowledged.issued.length,
    refreshes: families.reduce((sum, { attempts }) => sum + attempts.length, 0),
    'families ended by a retry after two seconds': lateRetries,
    'tokens revoked': acknowledged.revokedTokens.length,
    'subjects revoked': acknowledged.revokedSubjects.length,
    'rotations asked for': acknowledged.wishes.length,
    'keys activated under load': activations,
    'keys withdrawn': acknowledged.withdrawnKids.size,
    'ms to start, median': Math.round(sorted[Math.floor(sorted.length / 2)] ?? 0),
    'ms to start, longest': Math.round(sorted.at(-1) ?? 0),
    audit: audit.output,
  };
  return { counts, violations };
}

/** Does everything at once until the process is gone. What comes back are answers that nobody should get. */
async function load(
  clients: ExchangeClients,
  families: readonly RefreshFamily[],
  acknowledged: Acknowledged,
  random: Random,
  { name, onAcknowledged }: { readonly name: string; readonly onAcknowledged: () => void },
): Promise<readonly string[]> {
  const strange: string[] = [];
  let isWithdrawing = false;
  const untilGone = async (what: string, work: () => Promise<Outcome<unknown>>) => {
    for (;;) {
      const outcome = await work();
      if (outcome.kind === 'accepted') {
        onAcknowledged();
        continue;
      }
      // the operator's own token is signed with the key that is withdrawn
      const isDue = isWithdrawing && nameOf(outcome) === 'TOKEN_REVOKED';
      if (outcome.kind !== 'lost' && !isDue) strange.push(`${what} came to ${JSON.stringify(outcome)}`);
      return;
    }
  };
  const issue = async () => {
    const request = clients.ownTokenRequest();
    const outcome = await outcomeOf(clients.issue(request));
    if (outcome.kind === 'accepted') {
      acknowledged.issued.push(outcome.value);
      acknowledged.requests.push(request);
    }
    return outcome;
  };
  let sequence = 0;
  const revokeSubject = async () => {
    const subject = `spiffe://faults.test/${name}-${sequence++}`;
    const outcome = await outcomeOf(clients.revokeSubject(subject));
    if (outcome.kind === 'accepted') acknowledged.revokedSubjects.push({ subject, n: outcome.value });
    return outcome;
  };
  const revokeToken = async () => {
    const token = await outcomeOf(clients.issue(clients.ownTokenRequest()));
    if (token.kind !== 'accepted') return token;
    const outcome = await outcomeOf(clients.revoke(token.value.accessToken));
    if (outcome.kind === 'accepted') acknowledged.revokedTokens.push(token.value);
    return outcome;
  };
  const rotate = async () => {
    await delay(random.whole(0, 40));
    const purpose = random.chance(0.7) ? 'token' : 'feed';
    const askedAtMs = Date.now();
    const outcome = await outcomeOf(unary(clients.admin, 'rotateKeys', { purpose }, clients.asOperator()));
    if (outcome.kind === 'accepted') acknowledged.wishes.push({ purpose, kid: outcome.value.active_kid, askedAtMs });
    return outcome;
  };
  const withdrawOnce = async () => {
    if (!random.chance(0.3)) return;
    await delay(random.whole(0, 60));
    const keys = await outcomeOf(unary(clients.admin, 'listKeys', {}, clients.asOperator()));
    if (keys.kind !== 'accepted') return;
    const kid = keys.value.keys.find(({ purpose, state }) => purpose === 'token' && state === 'active')?.kid ?? '';
    isWithdrawing = true;
    if ((await outcomeOf(unary(clients.admin, 'withdrawKey', { kid }, clients.asOperator()))).kind === 'accepted') {
      acknowledged.withdrawnKids.add(kid);
    }
  };
  await Promise.all([
    ...Array.from({ length: issuers }, () => untilGone('issuing', issue)),
    ...Array.from({ length: revokers }, () => untilGone('revoking a subject', revokeSubject)),
    untilGone('revoking a token', revokeToken),
    untilGone('rotating', rotate),
    withdrawOnce(),
    ...families.map((family) => untilGone(family.name, async () => (await family.refresh(clients)).outcome)),
  ]);
  return strange;
}

/** Asks about everything of the last round, and a sample of what was before; about all of it at the end. */
async function examine(clients: ExchangeClients, acknowledged: Acknowledged, random: Random, isLast: boolean): Promise<readonly string[]> {
  const sampleOf = <T>(all: readonly T[], recent: number) => {
    const older = Array.from({ length: olderSample }, () => all[random.whole(0, Math.max(0, all.length - 1))]);
    return [...new Set([...older, ...all.slice(-recent)])].filter((one) => one !== undefined);
  };
  const { keys } = await unary(clients.admin, 'listKeys', {}, clients.asOperator());
  const tokens = sampleOf(acknowledged.issued, 8);
  const revokedTokens = sampleOf(acknowledged.revokedTokens, 8);
  const replayed = sampleOf(acknowledged.requests.slice(-60), 5);
  const firstOfRound = isLast ? 0 : (acknowledged.revokedSubjects.at(-200)?.n ?? 0);
  const listed = await clients.listRevokedSubjects(firstOfRound);
  return [
    ...judgeRecord({
      revokedSubjects: acknowledged.revokedSubjects
        .filter(({ n }) => n >= firstOfRound)
        .map(({ subject, n }) => ({ subject, acknowledgedAt: n, listedAt: listed.get(subject) ?? [] })),
      revokedTokens: await Promise.all(
        revokedTokens.map(async ({ jti, accessToken }) => ({ jti, isActive: await clients.isActive(accessToken) })),
      ),
      issuedTokens: await Promise.all(
        tokens.map(async ({ jti, kid, accessToken }) => ({
          jti,
          isActive: await clients.isActive(accessToken),
          mayBeActive: keys.every((key) => key.kid !== kid || key.state !== 'withdrawn'),
        })),
      ),
      replays: await Promise.all(replayed.map((request) => outcomeOf(clients.issue(request)))),
    }),
    ...judgeKeys(keys, acknowledged.wishes, acknowledged.withdrawnKids),
  ];
}

/** T-21: presents a token that was used up before the process was killed, which ends its family. */
async function replayOne(families: readonly RefreshFamily[], clients: ExchangeClients, random: Random): Promise<RefreshFamily[]> {
  const index = random.whole(0, Math.max(0, families.length - 1));
  const used = families[index]?.used().at(-1);
  if (!used) return [...families];
  const { token } = used;
  await families[index]?.refresh(clients, { token, scope: 'payments.watch' });
  await families[index]?.refresh(clients);
  return families.filter((_, other) => other !== index);
}
