import { cp, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { payments } from '../../fault-mesh.ts';
import { createRandom } from '../../random.ts';
import { createHistory, type Fact, referenceMs } from '../history.ts';
import { backUpRecord, restoreRecord } from '../record-faults.ts';
import { askJetStream } from '../stream-faults.ts';
import { createTokenHolder, type HeldToken, type TokenHolder } from '../token-holder.ts';
import { createTrialCallers, type TrialCallers } from '../trial-callers.ts';
import { createWorld, type World } from '../world.ts';
import type { Part } from './part.ts';

const trials = { killedBeforePublishing, restoredInSilence, twoAfterFailover };
/** A verdict, not a measurement. */
const limitMs = 20_000;
const lookEveryMs = 50;

interface Ground {
  readonly world: World;
  readonly holder: TokenHolder;
  readonly callers: TrialCallers;
  readonly violations: string[];
  readonly counts: Record<string, number | string>;
}

/** What the record lacks: an event that was committed and not published; a restore that nobody told of; a second token-exchange after a bad failover. */
export const lostRecords: Part = {
  name: 'revocation, records that are behind or are two (kill, restore, failover)',
  async run({ natsPath, seed, report }) {
    const violations: string[] = [];
    const counts: Record<string, number | string> = {};
    const random = createRandom(seed).of('lost records');
    await using opened = new AsyncDisposableStack();
    const world = opened.adopt(await createWorld({ natsPath }), (open) => open.close());
    for (const [name, work] of Object.entries(trials)) {
      report(`lost records: ${name}`);
      await using asking = new AsyncDisposableStack();
      world.history = createHistory(name);
      const holder = asking.adopt(createTokenHolder(world), (open) => open.close());
      const callers = asking.adopt(createTrialCallers(world), (open) => open.close());
      const token = async () => {
        let held: HeldToken | undefined;
        // connections to another token-exchange take a moment
        await inTime(async () => {
          held = await holder.obtain(random);
          return held !== undefined;
        });
        if (!held) throw new Error(`${name}: no token was issued`);
        return held;
      };
      await work({ world, holder, callers, violations, counts }, token);
    }
    return { counts, violations };
  },
};

const revoking = ({ holder }: Ground, id: string, { jti }: HeldToken) => holder.revoke(id, [{ kind: 'token', value: jti }]);

/** Whether every verifier comes to refuse a token as revoked, on both classes. */
async function isRefusedEverywhere({ world, callers }: Ground, token: HeldToken): Promise<boolean> {
  const giveUpAt = referenceMs() + limitMs;
  const ask = () => world.verifiers.flatMap((one) => [callers.call(one, 'critical', token), callers.call(one, 'standard', token)]);
  while (referenceMs() < giveUpAt) {
    const decisions = await Promise.all(ask());
    if (decisions.every(({ reason }) => reason === 'TOKEN_REVOKED' || reason === 'TOKEN_EXPIRED')) return true;
    await delay(lookEveryMs);
  }
  return false;
}

/** Resolves when it holds; `false`: it did not in time. */
async function inTime(holds: () => boolean | Promise<boolean>): Promise<boolean> {
  const giveUpAt = referenceMs() + limitMs;
  while (!(await holds())) {
    if (referenceMs() > giveUpAt) return false;
    await delay(lookEveryMs);
  }
  return true;
}

/** The courier is out of reach, a revocation is acknowledged, the process dies: the next one has to hand the event over. */
async function killedBeforePublishing(ground: Ground, obtain: () => Promise<HeldToken>): Promise<void> {
  const { world, violations, counts } = ground;
  const token = await obtain();
  const before = (await askJetStream(world.nats, 'STREAM.INFO')).state.messages;
  world.issuerToNats.set({ toServer: { held: true }, toClient: { held: true } });
  await revoking(ground, 'killed before publishing', token);
  const answer = world.history.facts.find((fact) => fact.type === 'acknowledged');
  await world.issuer.kill();
  world.issuerToNats.drop();
  world.issuerToNats.set({});
  if (answer?.broadcast !== 'BROADCAST_PENDING') violations.push(`the courier was out of reach, and the answer said ${answer?.broadcast}`);
  await world.issuer.start();
  if (!(await isRefusedEverywhere(ground, token))) violations.push('a token that was revoked before the kill is still admitted');
  const isSwept = await inTime(async () => (await askJetStream(world.nats, 'STREAM.INFO')).state.messages > before);
  if (!isSwept) violations.push('an event that was committed before the kill never came to the stream');
  counts['killed before publishing: events swept after the restart'] =
    (await askJetStream(world.nats, 'STREAM.INFO')).state.messages - before;
}

/** A backup takes the record's place: with the lock file beside it the process refuses to start, without it verifiers notice. */
async function restoredInSilence(ground: Ground, obtain: () => Promise<HeldToken>): Promise<void> {
  const { world, violations, counts } = ground;
  const { issuer } = world;
  await revoking(ground, 'before the backup', await obtain());
  const backup = backUpRecord(world);
  const lost = await obtain();
  const n = await ground.holder.revoke('after the backup', [{ kind: 'audience', value: payments }]);
  if (!(await isRefusedEverywhere(ground, lost))) violations.push('a revoked token is still admitted');
  await issuer.kill();
  await restoreRecord(world, backup);
  const refusal = await issuer.start().then(
    () => undefined,
    (error: Error) => error.message,
  );
  if (refusal === undefined || !refusal.includes('begin-epoch'))
    violations.push(`an older record in the same place was served: ${refusal}`);
  await issuer.kill();
  for (const end of ['', '-wal', '-shm']) await rm(`${issuer.database}.lock${end}`, { force: true });
  const told = world.history.facts.length;
  await issuer.start();
  const alarmed = () => new Set(alarms(world.history.facts.slice(told)).map(({ verifier }) => verifier)).size;
  if (!(await inTime(() => alarmed() === world.verifiers.length)))
    violations.push(`only ${alarmed()} verifiers noticed that the record lost position ${n}`);
  // issued by the record that has forgotten it, at a position below the watermark that verifiers remember
  const issuedSince = await obtain();
  for (const verifier of world.verifiers) {
    const { outcome, reason } = await ground.callers.call(verifier, 'standard', issuedSince);
    if (reason !== 'TOKEN_REVOKED') violations.push(`${verifier.terms.verifier} forgot what the record forgot: ${reason ?? outcome}`);
  }
  const isNobodyFresh = () => world.verifiers.every(({ freshness }) => freshness !== 'fresh');
  if (!(await inTime(isNobodyFresh))) violations.push('a verifier calls itself fresh with a record that is behind what it knows');
  counts['restored in silence: verifiers that raised the alarm'] = alarmed();
  await issuer.kill();
  await issuer.beginEpoch();
  await issuer.start();
  if (!(await inTime(() => world.verifiers.every(({ freshness }) => freshness === 'fresh'))))
    violations.push('verifiers did not recover by the new epoch');
}

const alarms = (facts: readonly Fact[]) =>
  facts.filter((fact) => fact.type === 'verifier' && fact.what === 'alarm') as Extract<Fact, { type: 'verifier' }>[]; // filtered by it

/** On the same file a second process is refused; on a copy of it there are two histories, and verifiers that hear both trust neither. */
async function twoAfterFailover(ground: Ground, obtain: () => Promise<HeldToken>): Promise<void> {
  const { world, violations, counts } = ground;
  const { mesh, issuer, verifiers } = world;
  await revoking(ground, 'before the failover', await obtain());
  const again = await issuer.startSecond('issuer').then(
    async (second) => {
      await second.kill();
      return undefined;
    },
    (error: Error) => error.message,
  );
  if (again === undefined || !again.includes('held by another process')) violations.push(`two processes served one file: ${again}`);

  const copy = join(mesh.directory, 'second');
  await cp(dirname(issuer.database), copy, { recursive: true, filter: (file) => !/\.db/.test(file) });
  await cp(backUpRecord(world), join(copy, 'record.db'));
  const second = await issuer.startSecond('second');
  try {
    const token = await obtain();
    await revoking(ground, 'at the first', token); // the second one has nothing at this position yet
    const told = world.history.facts.length;
    for (const { links } of verifiers) {
      links.tokenExchange.aim(second.port);
      links.tokenExchange.drop();
    }
    world.callersToIssuer.aim(second.port);
    world.callersToIssuer.drop();
    const other = await obtain();
    await revoking(ground, 'at the second', other);
    const alarmed = () => new Set(alarms(world.history.facts.slice(told)).map(({ verifier }) => verifier)).size;
    if (!(await inTime(() => alarmed() === verifiers.length)))
      violations.push(`only ${alarmed()} verifiers noticed that there are two histories`);
    counts['two after a failover: verifiers that raised the alarm'] = alarmed();
    for (const verifier of verifiers) {
      if ((await ground.callers.call(verifier, 'standard', token)).outcome === 'admitted') {
        violations.push(`${verifier.terms.verifier} admits what the first token-exchange revoked and it had heard of`);
      }
    }
  } finally {
    await second.kill();
  }
}
