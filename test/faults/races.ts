import { setTimeout as delay } from 'node:timers/promises';
import { unary } from '@tokenmesh/interceptor';
import type { Campaign, CampaignOptions, Verdict } from './campaign.ts';
import { connectClients, type ExchangeClients } from './exchange-clients.ts';
import { judgeFamilies } from './family-oracle.ts';
import { paymentScopes } from './fault-mesh.ts';
import { nameOf, type Outcome, outcomeOf } from './outcome.ts';
import { type AcknowledgedRevocation, judgeNumbers, judgeOnce, judgeSuccession } from './race-oracle.ts';
import { createRandom, type Random } from './random.ts';
import { judgeKeys } from './record-oracle.ts';
import { createFamily } from './refresh-family.ts';
import { type Ground, onStores } from './stores.ts';

const replicaCount = 3;
const refreshesPerRace = 64;
/** A withdrawn key stays on record for a day: as many races of that kind as of the others would measure nothing but a full table. */
const racesPerWithdrawal = 10;
const longestRotationMs = 60_000;

/** F15: everything that may happen once, asked of three replicas at the same instant. */
export const races: Campaign = {
  about: 'three replicas on one PostgreSQL, asked for the same at the same instant, 1 000 times each (F15)',
  async run(options) {
    const stores = options.stores.filter((kind) => kind === 'postgres');
    if (stores.length === 0) return [{ name: 'races', counts: {}, violations: [], skipped: 'replicas need PostgreSQL' }];
    return await onStores('races', stores, options, (ground, name) => raceReplicas(ground, name, options));
  },
};

interface Found {
  readonly counts: Readonly<Record<string, number>>;
  readonly violations: readonly string[];
}

interface RaceOptions {
  readonly replicas: readonly ExchangeClients[];
  readonly first: ExchangeClients;
  readonly rounds: number;
  readonly random: Random;
  readonly report: (line: string) => void;
}

async function raceReplicas(
  { mesh, store }: Ground,
  name: string,
  { quick, rounds = quick ? 50 : 1000, seed, report }: CampaignOptions,
): Promise<Pick<Verdict, 'counts' | 'violations'>> {
  await using started = new AsyncDisposableStack();
  const servers = await Promise.all(Array.from({ length: replicaCount }, (_, index) => mesh.start(`replica-${index}`, store)));
  for (const server of servers) started.defer(() => server.kill());
  const replicas = await Promise.all(servers.map(({ port }) => connectClients(mesh, port)));
  for (const replica of replicas) started.defer(() => replica.close());
  const [first] = replicas;
  if (!first) throw new Error('there are replicas');

  const found: Found[] = [];
  for (const [what, race] of Object.entries({
    assertions: raceAssertions,
    refreshes: raceRefreshes,
    revocations: raceRevocations,
    keys: raceKeys,
  })) {
    const random = createRandom(seed).of('races').of(what);
    const reportRound = (line: string) => report(`${name}: ${what}, ${line}`);
    found.push(await race({ replicas, first, rounds, random, report: reportRound }));
  }
  const audit = await mesh.verifyAudit('replica-0');
  return {
    counts: Object.assign({}, ...found.map(({ counts }) => counts)),
    violations: [...found.flatMap(({ violations }) => violations), ...(audit.holds ? [] : [audit.output])],
  };
}

/** T-17: the same assertion at all replicas. */
async function raceAssertions({ replicas, first, rounds, report }: RaceOptions): Promise<Found> {
  const violations: string[] = [];
  for (let round = 1; round <= rounds; round++) {
    report(`${round} of ${rounds}`);
    const request = first.ownTokenRequest();
    const outcomes = await Promise.all(replicas.map((replica) => outcomeOf(replica.issue(request))));
    violations.push(...judgeOnce(outcomes, 'CLIENT_AUTHENTICATION_FAILED').map((what) => `assertion ${round}: ${what}`));
  }
  return { counts: { 'assertions presented three times': rounds }, violations };
}

/** T-20: one refresh token, 64 times over the replicas; as retries of one another, or as requests that differ. */
async function raceRefreshes({ replicas, first, rounds, random, report }: RaceOptions): Promise<Found> {
  const violations: string[] = [];
  const total = { alike: 0, repeated: 0, different: 0, reuses: 0 };
  for (let round = 1; round <= rounds; round++) {
    report(`${round} of ${rounds}`);
    const family = createFamily(`family ${round}`, await first.issue(first.ownTokenRequest()));
    const isRetry = random.chance(0.5);
    const token = family.head().refreshToken;
    const attempts = await Promise.all(
      Array.from({ length: refreshesPerRace }, (_, index) => {
        const scope = isRetry ? '' : subsetOf(paymentScopes, index + 1);
        return family.refresh(replicas[index % replicaCount] ?? first, { token, scope });
      }),
    );
    const count = (...names: string[]) => attempts.filter(({ outcome }) => names.includes(nameOf(outcome))).length;
    const accepted = count('accepted');
    if (accepted === 0) violations.push(`${family.name}: nobody got the new head`);
    if (isRetry) {
      total.alike++;
      total.repeated += accepted - 1;
    } else {
      total.different++;
      total.reuses += count('GRANT_REUSED');
      // one that was read before it was used, and its family after it was revoked, is refused as of a revoked family
      if (accepted + count('GRANT_REUSED', 'GRANT_INVALID') !== refreshesPerRace || count('GRANT_REUSED') === 0) {
        violations.push(`${family.name}: ${[...new Set(attempts.map(({ outcome }) => nameOf(outcome)))].join(', ')}`);
      }
    }
    // the head goes on unless something was reused, at whichever replica
    await family.refresh(replicas[random.whole(0, replicaCount - 1)] ?? first);
    violations.push(...judgeFamilies(family.attempts));
  }
  const counts = {
    [`tokens refreshed ${refreshesPerRace} times at once by retries`]: total.alike,
    'answers given again': total.repeated,
    [`tokens refreshed ${refreshesPerRace} times at once by different requests`]: total.different,
    'reuses found': total.reuses,
  };
  return { counts, violations };
}

/** The members whose bits are set: another subset for each number. */
function subsetOf(scopes: readonly string[], bits: number): string {
  return scopes.filter((_, index) => bits & (1 << index)).join(' ');
}

async function raceRevocations({ replicas, first, rounds, report }: RaceOptions): Promise<Found> {
  const acknowledged: AcknowledgedRevocation[] = [];
  for (let round = 1; round <= rounds; round++) {
    report(`${round} of ${rounds}`);
    await Promise.all(
      replicas.map(async (replica, index) => {
        const subject = `spiffe://faults.test/race-${round}-${index}`;
        acknowledged.push({ replica: index, subject, n: await replica.revokeSubject(subject) });
      }),
    );
  }
  const listed = await first.listRevokedSubjects(Math.min(...acknowledged.map(({ n }) => n)));
  return { counts: { 'revocations at once': acknowledged.length }, violations: judgeNumbers(acknowledged, listed) };
}

/** Rotations and withdrawals of the same key, asked of all replicas. */
async function raceKeys({ replicas, first, rounds, report }: RaceOptions): Promise<Found> {
  const violations: string[] = [];
  const asked = [[await replaceActiveKey(first)]];
  const withdrawn = new Set<string>();
  for (let round = 1; round <= rounds; round++) {
    report(`${round} of ${rounds}`);
    const answers = await Promise.all(
      replicas.map(({ admin, asOperator }) => outcomeOf(unary(admin, 'rotateKeys', { purpose: 'token' }, asOperator()))),
    );
    asked.push(values(answers, violations).map(({ active_kid }) => active_kid));
    if (round % racesPerWithdrawal !== 0) continue;
    const kid = await activeKid(first);
    const withdrawals = await Promise.all(
      replicas.map(({ admin, asOperator }) => outcomeOf(unary(admin, 'withdrawKey', { kid }, asOperator()))),
    );
    withdrawn.add(kid);
    asked.push(values(withdrawals, violations).map(({ active_kid }) => active_kid));
    const { keys } = await unary(first.admin, 'listKeys', {}, first.asOperator());
    violations.push(...judgeKeys(keys, [], withdrawn).map((what) => `withdrawal ${round}: ${what}`));
  }
  const activated = await activatedKids(first);
  violations.push(...judgeSuccession(asked, activated));
  const counts = {
    'rotations asked for at once': rounds * replicaCount,
    'withdrawals asked for at once': withdrawn.size * replicaCount,
    'keys that became active': activated.length,
  };
  return { counts, violations };
}

async function activeKid({ admin, asOperator }: ExchangeClients): Promise<string> {
  const { keys } = await unary(admin, 'listKeys', {}, asOperator());
  return keys.find(({ purpose, state }) => purpose === 'token' && state === 'active')?.kid ?? '';
}

/** Has the first key replaced, which signed the operator's tokens: a withdrawal would revoke them. The kid of its successor. */
async function replaceActiveKey(clients: ExchangeClients): Promise<string> {
  const { admin, asOperator } = clients;
  const { active_kid } = await unary(admin, 'rotateKeys', { purpose: 'token' }, asOperator());
  for (const startedAt = performance.now(); performance.now() - startedAt < longestRotationMs; await delay(100)) {
    const kid = await activeKid(clients);
    if (kid !== active_kid) return kid;
  }
  throw new Error(`a rotation that was asked for did not take place within ${longestRotationMs} ms`);
}

/** From the audit: the token keys that became active, oldest first. */
async function activatedKids({ admin, asOperator }: ExchangeClients): Promise<readonly string[]> {
  const kids: string[] = [];
  let page_token = '';
  do {
    const page = await unary(admin, 'queryEvents', { kind: 'key.active', page_size: 1000, page_token }, asOperator());
    kids.unshift(
      ...page.events
        .filter(({ what }) => what.purpose === 'token')
        .map(({ what }) => String(what.kid))
        .reverse(),
    );
    page_token = page.next_page_token;
  } while (page_token !== '');
  return kids;
}

function values<T>(outcomes: readonly Outcome<T>[], violations: string[]): readonly T[] {
  return outcomes.flatMap((outcome) => {
    if (outcome.kind === 'accepted') return outcome.value;
    violations.push(`a request about keys came to ${nameOf(outcome)}`);
    return [];
  });
}
