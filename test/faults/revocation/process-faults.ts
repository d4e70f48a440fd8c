import type { Fault } from './fault.ts';
import { namesOf, someVerifiers } from './link-faults.ts';

/** Processes that end, or stand still, and come back. */
export const processFaults: readonly Fault[] = [
  {
    ...{ name: 'NATS killed', holds: ['nats'], weight: 4, durationMs: [300, 3_500] },
    async apply({ nats }) {
      await nats.kill();
      return { detail: 'and started again with what is on its disk', heal: nats.start };
    },
  },
  {
    ...{ name: 'NATS stopped', holds: ['nats'], weight: 3, durationMs: [800, 3_500] },
    async apply({ nats }) {
      nats.pause();
      return { detail: 'its connections stay and nothing comes', heal: async () => nats.resume() };
    },
  },
  {
    ...{ name: 'token-exchange killed', holds: ['issuer'], weight: 3, durationMs: [100, 2_500] },
    async apply({ issuer }) {
      await issuer.kill();
      return { detail: 'and started again on its record', heal: () => issuer.start() };
    },
  },
  {
    ...{ name: 'token-exchange stopped', holds: ['issuer'], weight: 3, durationMs: [800, 3_500] },
    async apply({ issuer }) {
      issuer.pause();
      return { detail: 'its connections stay and nothing comes', heal: async () => issuer.resume() };
    },
  },
  {
    ...{ name: 'token-exchange and NATS killed', holds: ['issuer', 'nats'], weight: 2, durationMs: [1_000, 6_500] },
    async apply({ issuer, nats }) {
      await Promise.all([issuer.kill(), nats.kill()]);
      return { detail: 'and started again', heal: async () => void (await Promise.all([issuer.start(), nats.start()])) };
    },
  },
  {
    ...{ name: 'verifier killed', holds: ['verifiers'], weight: 4, durationMs: [50, 1_000] },
    async apply(world, random) {
      const some = someVerifiers(world, random);
      await Promise.all(some.map((verifier) => verifier.kill()));
      // back before the fault is over, so that it meets the others without knowing anything
      const restart = Promise.all(some.map((verifier) => verifier.start()));
      return { detail: `${namesOf(some)}, and started again at once`, heal: async () => void (await restart) };
    },
  },
  {
    ...{ name: 'verifier stopped', holds: ['verifiers'], weight: 4, durationMs: [500, 3_500] },
    async apply(world, random) {
      const some = someVerifiers(world, random);
      for (const verifier of some) verifier.pause();
      return {
        ...{ detail: namesOf(some), stops: some.map(({ terms }) => terms.verifier) },
        async heal() {
          for (const verifier of some) verifier.resume();
        },
      };
    },
  },
];
