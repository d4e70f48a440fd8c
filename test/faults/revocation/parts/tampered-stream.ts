import { setTimeout as delay } from 'node:timers/promises';
import { claimedPosition } from '@tokenmesh/revocation';
import { revocationStreamName } from '@tokenmesh/revocation/nats';
import { createRandom } from '../../random.ts';
import type { AppliedFault } from '../fault.ts';
import { referenceMs } from '../history.ts';
import { connectNatsWire } from '../nats-wire.ts';
import { askJetStream, backUpStore, createStream, flipBit, restoreStore, trustDomain } from '../stream-faults.ts';
import { createWorld, type World } from '../world.ts';
import { type Part, tryFault } from './part.ts';

const stream = revocationStreamName(trustDomain);
/** The auditor looks every 10 s; on a busy machine it may be late, and never is what must not be. */
const findWithinMs = 30_000;
const lookEveryMs = 200;
/** Events are in the stream before it is tampered with. */
const firstMs = 1_500;
const findings = ['recreated', 'rewound', 'missing', 'altered', 'foreign'];

interface Tampering {
  readonly name: string;
  apply(world: World, seed: number): Promise<AppliedFault>;
  /** What may be found, any of them. */
  readonly found: readonly string[];
}

const done = async (detail: string, ...work: readonly Promise<unknown>[]): Promise<AppliedFault> => {
  for (const one of work) await one;
  return { detail, heal: async () => {} };
};

const tamperings: readonly Tampering[] = [
  {
    ...{ name: 'recreated', found: ['recreated', 'rewound', 'missing'] },
    async apply({ nats }) {
      await askJetStream(nats, 'STREAM.DELETE');
      return await done('deleted, and created again', createStream(nats));
    },
  },
  {
    ...{ name: 'bit-flipped', found: ['rewound', 'missing', 'altered', 'foreign', 'nothing'] },
    async apply({ nats }, seed) {
      return await done(await flipBit(nats, createRandom(seed).of('bit')));
    },
  },
  {
    ...{ name: 'rewound', found: ['rewound', 'missing'] },
    async apply(world) {
      const backup = await backUpStore(world);
      return { detail: 'an older copy of its files', heal: () => restoreStore(world, backup) };
    },
  },
  { ...{ name: 'purged', found: ['missing', 'rewound'] }, apply: ({ nats }) => done('purged', askJetStream(nats, 'STREAM.PURGE')) },
  {
    ...{ name: 'deleted', found: ['recreated', 'rewound', 'missing'] },
    async apply({ nats }) {
      await askJetStream(nats, 'STREAM.DELETE');
      return { detail: 'and created again by the operator later', heal: () => createStream(nats) };
    },
  },
];

/** F6: what is done to the stream is found, and mended, and nobody relies on it meanwhile. */
export const tamperedStream: Part = {
  name: 'revocation, stream tampered with (F6)',
  async run({ natsPath, quick, seed, report }) {
    await using opened = new AsyncDisposableStack();
    const world = opened.adopt(await createWorld({ natsPath }), (open) => open.close());
    const violations: string[] = [];
    const counts: Record<string, number | string> = {};
    let decisions = 0;
    for (const { name, apply, found } of quick ? tamperings.slice(0, 2) : tamperings) {
      report(`stream ${name}`);
      const before = countFindings(world);
      let tamperedAt = 0;
      const {
        history,
        judgement,
        violations: seen,
      } = await tryFault(world, {
        ...{ name: `stream ${name}`, seed, atMs: firstMs, forMs: 1_500 },
        async apply(broken) {
          const applied = await apply(broken, seed);
          tamperedAt = referenceMs();
          const heal = async () => {
            await applied.heal();
            tamperedAt = referenceMs();
          };
          return { ...applied, heal };
        },
      });
      violations.push(...seen);
      decisions += judgement.counts.decisions;
      const acknowledged = new Set(history.facts.flatMap((fact) => (fact.type === 'acknowledged' ? [fact.n] : [])));
      const mended = await waitUntilWhole(world, acknowledged);
      const isFound = () => found.includes('nothing') || found.some((kind) => countOf(world, kind) > (before.get(kind) ?? 0));
      if (!mended) violations.push(`stream ${name}: ${findWithinMs} ms later it still lacked events that were acknowledged`);
      while (!isFound() && referenceMs() - tamperedAt < findWithinMs) await delay(lookEveryMs);
      if (!isFound()) violations.push(`stream ${name}: token-exchange never said that it was ${found.join(' or ')}`);
      const kinds = findings.filter((kind) => countOf(world, kind) > (before.get(kind) ?? 0));
      counts[`${name}: ms until found and whole`] = Math.round(referenceMs() - tamperedAt);
      counts[`${name}: what was found`] = kinds.join(', ') || 'nothing: every event was whole';
    }
    return { counts: { ...counts, 'calls judged': decisions }, violations };
  },
};

const countOf = ({ issuer }: World, kind: string) => issuer.program.events.get(`stream.${kind}`) ?? 0;

function countFindings(world: World): ReadonlyMap<string, number> {
  return new Map(findings.map((kind) => [kind, countOf(world, kind)]));
}

/** Whether the stream comes to hold every one of these events in time. */
async function waitUntilWhole(world: World, positions: ReadonlySet<number>): Promise<boolean> {
  const giveUpAt = referenceMs() + findWithinMs;
  while (referenceMs() < giveUpAt) {
    const held = await positionsIn(world);
    if ([...positions].every((n) => held.has(n))) return true;
    await delay(lookEveryMs);
  }
  return false;
}

/** The positions of the events that the stream holds now. */
async function positionsIn({ nats }: World): Promise<ReadonlySet<number>> {
  const { state } = await askJetStream(nats, 'STREAM.INFO');
  const wire = await connectNatsWire({ port: nats.port });
  const positions = new Set<number>();
  try {
    for (let seq = state.first_seq; seq <= state.last_seq; seq++) {
      const answer = JSON.parse(String(await wire.request(`$JS.API.STREAM.MSG.GET.${stream}`, JSON.stringify({ seq })))) as {
        readonly message?: { readonly data: string };
      };
      const n = answer.message && claimedPosition(Buffer.from(answer.message.data, 'base64').toString('latin1'))?.n;
      if (n !== undefined) positions.add(n);
    }
  } finally {
    wire.close();
  }
  return positions;
}
