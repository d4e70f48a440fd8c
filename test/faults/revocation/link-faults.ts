import type { Random } from '../random.ts';
import type { ByteProxy, LinkState } from './byte-proxy.ts';
import type { Fault, Held } from './fault.ts';
import type { VerifierProcess, World } from './world.ts';

/** The links of which some are broken together. */
interface LinkGroup {
  /** As in "a partition between …". */
  readonly between: string;
  readonly holds: readonly Held[];
  choose(world: World, random: Random): { readonly whose: string; readonly links: readonly ByteProxy[] };
}

/** One way in which links break. */
interface LinkBreak {
  readonly name: string;
  readonly weight: number;
  readonly durationMs: Fault['durationMs'];
  choose(random: Random): { readonly state: LinkState; readonly detail: string };
}

/** Any of them, at least one. */
export function someVerifiers({ verifiers }: World, random: Random): readonly VerifierProcess[] {
  const some = verifiers.filter(() => random.chance(0.6));
  return some.length > 0 ? some : [random.pick(verifiers)];
}

export const namesOf = (verifiers: readonly VerifierProcess[]) => verifiers.map(({ terms }) => terms.verifier).join(', ');

const groups: readonly LinkGroup[] = [
  {
    ...{ between: 'verifiers and NATS', holds: ['verifiers to NATS'] },
    choose(world, random) {
      const some = someVerifiers(world, random);
      return { whose: namesOf(some), links: some.map(({ links }) => links.nats) };
    },
  },
  {
    ...{ between: 'verifiers and token-exchange', holds: ['verifiers to issuer'] },
    choose(world, random) {
      const some = someVerifiers(world, random);
      return { whose: namesOf(some), links: some.map(({ links }) => links.tokenExchange) };
    },
  },
  {
    ...{ between: 'verifiers and both', holds: ['verifiers to NATS', 'verifiers to issuer'] },
    choose(world, random) {
      const some = someVerifiers(world, random);
      return { whose: namesOf(some), links: some.flatMap(({ links }) => [links.nats, links.tokenExchange]) };
    },
  },
  {
    ...{ between: 'token-exchange and NATS', holds: ['issuer to NATS'] },
    choose: ({ issuerToNats }) => ({ whose: 'token-exchange', links: [issuerToNats] }),
  },
];

const both = (direction: NonNullable<LinkState['toClient']>): LinkState => ({ toServer: direction, toClient: direction });

const breaks: readonly LinkBreak[] = [
  {
    ...{ name: 'partition between', weight: 3, durationMs: [800, 4_000] },
    choose: () => ({ state: both({ held: true }), detail: 'nothing passes' }),
  },
  {
    ...{ name: 'one way cut between', weight: 1, durationMs: [500, 3_000] },
    choose: (random) =>
      random.chance(0.5)
        ? { state: { toClient: { held: true } }, detail: 'no answers' }
        : { state: { toServer: { held: true } }, detail: 'no requests' },
  },
  {
    ...{ name: 'connections refused between', weight: 2, durationMs: [300, 3_000] },
    choose: () => ({ state: { refused: true }, detail: 'those that are open are reset' }),
  },
  {
    ...{ name: 'slow link between', weight: 2, durationMs: [1_000, 4_000] },
    choose(random) {
      const [delayMs, bytesPerSecond] = [random.whole(50, 1_500), random.whole(2_000, 50_000)];
      return { state: both({ delayMs, bytesPerSecond }), detail: `${delayMs} ms each way, ${bytesPerSecond} bytes a second` };
    },
  },
];

/** Every group of links, broken in every way. */
export const linkFaults: readonly Fault[] = groups.flatMap(({ between, holds, choose }) =>
  breaks.map(
    ({ name, weight, durationMs, choose: chooseBreak }): Fault => ({
      ...{ name: `${name} ${between}`, holds, weight, durationMs, blinds: holds.length > 1 && name.startsWith('partition') },
      async apply(world, random) {
        const { whose, links } = choose(world, random);
        const { state, detail } = chooseBreak(random);
        // what was under way arrives late, or never
        const isReset = random.chance(0.5);
        for (const link of links) {
          link.set(state);
          if (state.refused) link.drop();
        }
        return {
          detail: `${whose}: ${detail}${isReset ? '; then everything open is reset' : ''}`,
          async heal() {
            for (const link of links) {
              if (isReset) link.drop();
              link.set({});
            }
          },
        };
      },
    }),
  ),
);
