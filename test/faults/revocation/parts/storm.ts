import { createRandom } from '../../random.ts';
import type { RevokedTarget } from '../history.ts';
import { createHistory, referenceMs } from '../history.ts';
import { judge } from '../oracle.ts';
import { seeRecovery } from '../recovery.ts';
import { createTokenHolder } from '../token-holder.ts';
import { createTrialCallers } from '../trial-callers.ts';
import { startTrialLoad } from '../trial-load.ts';
import { createWorld } from '../world.ts';
import type { Part } from './part.ts';

const [requests, quickRequests] = [200, 20];
/** What one event holds. */
const targetsEach = 500;
/** Requests under way at a time. */
const inFlight = 8;
const tokensFirst = 6;

/** A hundred thousand revocations at once, and then one of everything while NATS is out of reach for the verifiers and streams are open. */
export const storm: Part = {
  name: 'revocation, storm of 100 000 and a watermark over everything',
  async run({ natsPath, quick, seed, report }) {
    await using opened = new AsyncDisposableStack();
    const world = opened.adopt(await createWorld({ natsPath }), (open) => open.close());
    world.history = createHistory('storm');
    const verifiers = world.verifiers.map(({ terms }) => terms);
    world.note({ type: 'begun', at: referenceMs(), wallMs: Date.now(), seed, schedule: 'storm', verifiers });
    const random = createRandom(seed).of('storm');
    const holder = opened.adopt(createTokenHolder(world), (open) => open.close());
    const callers = opened.adopt(createTrialCallers(world), (open) => open.close());
    const load = opened.adopt(startTrialLoad(world, holder, callers, random), (open) => open.stop());
    await load.held(tokensFirst);

    const count = quick ? quickRequests : requests;
    const startedAt = performance.now();
    let next = 0;
    const revokeInTurn = async () => {
      while (next < count) {
        const request = next++;
        // tokens that nobody holds, and one that somebody does
        const targets = Array.from(
          { length: targetsEach - 1 },
          (_, index): RevokedTarget => ({ kind: 'token', value: `storm-${request}-${index}` }),
        );
        const held = load.live().at(0);
        await holder.revoke(`storm ${request}`, held ? [...targets, { kind: 'token', value: held.jti }] : targets);
        if (request % 10 === 0) report(`storm: ${request} of ${count} requests`);
      }
    };
    await Promise.all(Array.from({ length: inFlight }, revokeInTurn));
    const stormMs = performance.now() - startedAt;

    report('storm: everything is revoked while NATS is out of reach');
    await load.held(tokensFirst);
    for (const { links } of world.verifiers) links.nats.set({ toServer: { held: true }, toClient: { held: true } });
    await load.revoke('all', random);
    for (const { links } of world.verifiers) links.nats.set({});
    world.note({ type: 'healed', at: referenceMs() });
    await seeRecovery(world, { holder, callers, load, random: random.of('recovery') }, 30_000);
    await load.stop();
    const { violations, counts } = judge(world.history.facts);
    return {
      counts: {
        'revocations acknowledged': count * targetsEach,
        'seconds that took, with everything else going on': Math.round(stormMs / 1000),
        'calls judged': counts.decisions,
        'calls with a revoked token': counts.covered,
        'of them admitted, all within the bound': counts.coveredAdmitted,
        'streams that a revocation ended': counts.coveredStreams,
      },
      violations,
    };
  },
};
