import { fillNatsDisk, fillRecordDisk } from '../disk-faults.ts';
import { type Fact, referenceMs } from '../history.ts';
import { createWorld } from '../world.ts';
import { type JudgedTrial, type Part, recoveryMs, tryFault } from './part.ts';

const [fullMs, quickFullMs] = [12_000, 4_000];

/** F7: the disk is full at NATS, then at token-exchange, where the audit is on it as well. */
export const fullDisks: Part = {
  name: 'revocation, full disks (F7)',
  async run({ natsPath, noMount, quick, seed, report }) {
    await using opened = new AsyncDisposableStack();
    const world = opened.adopt(await createWorld({ natsPath }), (open) => open.close());
    const violations: string[] = [];
    const counts: Record<string, number | string> = {};
    const forMs = quick ? quickFullMs : fullMs;

    if (noMount === undefined) {
      report('the disk of NATS is full');
      const trial = await tryFault(world, { name: 'disk full at NATS', seed, atMs: 500, forMs, revokeEveryMs: 60, apply: fillNatsDisk });
      violations.push(...trial.violations);
      const answers = during(trial).filter((fact) => fact.type === 'acknowledged');
      const pending = answers.filter(({ broadcast }) => broadcast === 'BROADCAST_PENDING').length;
      if (pending === 0) violations.push('disk full at NATS: no revocation was answered with pending: the disk was not full');
      if (admittedIn(trial) === 0) violations.push('disk full at NATS: no call was admitted meanwhile');
      counts['NATS full: revocations acknowledged, of them pending'] = `${answers.length}, ${pending}`;
      counts['NATS full: calls admitted meanwhile'] = admittedIn(trial);
      counts['NATS full: ms until all had recovered'] = recoveryMs(trial.history);
    } else counts['NATS full'] = `left out: ${noMount}`;

    report('the disk of token-exchange is full');
    const full = { from: 0, to: 0 };
    const trial = await tryFault(world, {
      ...{ name: 'disk full at token-exchange', seed, atMs: 1_500, forMs },
      async apply({ issuer }) {
        const { detail, heal } = await fillRecordDisk(issuer.program.pid);
        full.from = referenceMs();
        const empty = async () => {
          full.to = referenceMs();
          await heal();
        };
        return { detail, heal: empty };
      },
    });
    violations.push(...trial.violations);
    const acknowledged = acknowledgedWithin(trial, full);
    const issued = issuedWithin(trial, full);
    if (acknowledged > 0)
      violations.push(`disk full at token-exchange: ${acknowledged} revocations were acknowledged that nothing could keep`);
    if (issued > 0) violations.push(`disk full at token-exchange: ${issued} tokens were issued that the audit could not hold`);
    if (admittedIn(trial) === 0) violations.push('disk full at token-exchange: no call was admitted meanwhile');
    counts['token-exchange full: revocations acknowledged, tokens issued'] = `${acknowledged}, ${issued}`;
    counts['token-exchange full: calls admitted meanwhile'] = admittedIn(trial);
    counts['token-exchange full: ms until all had recovered'] = recoveryMs(trial.history);
    const { holds, output } = await auditOf(world);
    if (!holds) violations.push(`the audit does not hold: ${output}`);
    return { counts, violations };
  },
};

async function auditOf({ issuer, mesh }: Awaited<ReturnType<typeof createWorld>>) {
  await issuer.kill();
  return await mesh.verifyAudit('issuer');
}

interface Period {
  readonly from: number;
  readonly to: number;
}

/** Revocations that were asked for in a period, and acknowledged in it. */
function acknowledgedWithin({ history: { facts } }: JudgedTrial, { from, to }: Period): number {
  const asked = new Set(facts.flatMap((fact) => (fact.type === 'revoking' && fact.at > from ? [fact.id] : [])));
  return facts.filter((fact) => fact.type === 'acknowledged' && asked.has(fact.id) && fact.at < to).length;
}

/** Tokens that were seen in a period and are dated in it; what was made before may have been on its way. */
function issuedWithin({ history: { facts } }: JudgedTrial, { from, to }: Period): number {
  const begun = facts.find(({ type }) => type === 'begun');
  if (begun?.type !== 'begun') throw new Error('a history begins with its terms');
  const fromWallMs = begun.wallMs + from - begun.at;
  return facts.filter((fact) => fact.type === 'issued' && fact.at < to && fact.iat * 1000 > fromWallMs).length;
}

/** What was seen while the fault was in force. */
function during({ history: { facts } }: JudgedTrial): readonly Fact[] {
  const faults = facts.filter((fact) => fact.type === 'fault');
  const from = faults.find(({ phase }) => phase === 'begun')?.at ?? 0;
  const to = faults.find(({ phase }) => phase === 'healed')?.at ?? 0;
  return facts.filter(({ at }) => at > from && at < to);
}

const admittedIn = (trial: JudgedTrial) => during(trial).filter((fact) => fact.type === 'decision' && fact.outcome === 'admitted').length;
