import type { Random } from '../random.ts';
import type { Fault } from './fault.ts';
import { namesOf, someVerifiers } from './link-faults.ts';
import type { MessageRelay, NatsMessage } from './message-relay.ts';

/** What NATS carries to some verifiers goes wrong on its way; or, in the end, NATS is not to be trusted at all. */
export const messageFaults: readonly Fault[] = [
  relayFault('messages lost', 3, (random) => {
    const share = random.pick([0.3, 0.6, 1]);
    const only = random.pick(['events', 'checkpoints', '']);
    return {
      detail: `${share * 100} % of the ${only || 'messages'}`,
      decide: ({ subject }) => (subject.endsWith(only) && random.chance(share) ? 'lose' : 'pass'),
    };
  }),
  relayFault('messages repeated and out of order', 3, (random) => {
    const longestMs = random.whole(20, 1_500);
    return {
      detail: `up to ${longestMs} ms late`,
      decide: () => (random.chance(0.3) ? 'repeat' : random.chance(0.5) ? random.whole(1, longestMs) : 'pass'),
    };
  }),
  relayFault('the past played again', 3, (random) => ({
    detail: 'events and checkpoints of before, among those of now',
    decide: () => 'pass',
    every: (relay) => playAgain(relay, relay.seen, random),
  })),
  relayFault('messages forged', 2, (random) => ({
    detail: 'one character of a genuine one changed, or nothing that makes sense',
    decide: () => 'pass',
    every: (relay) => forge(relay, random),
  })),
  {
    ...{ name: 'a broker that lives in the past', holds: ['messages', 'verifiers to issuer'], weight: 3, durationMs: [2_000, 4_400] },
    blinds: true,
    async apply(world, random) {
      const some = someVerifiers(world, random);
      const playing = some.map(({ messages, links }) => {
        const past = [...messages.seen];
        messages.set(() => 'lose');
        links.tokenExchange.set({ refused: true });
        links.tokenExchange.drop();
        return setInterval(() => playAgain(messages, past, random), playEveryMs);
      });
      return {
        detail: `${namesOf(some)}: what is new is lost, old events and checkpoints come instead, and token-exchange is out of reach`,
        async heal() {
          for (const timer of playing) clearInterval(timer);
          for (const { messages, links } of some) {
            messages.set(undefined);
            links.tokenExchange.set({});
          }
        },
      };
    },
  },
];

const playEveryMs = 80;

interface RelayBreak {
  readonly detail: string;
  readonly decide: Parameters<MessageRelay['set']>[0];
  /** Done again and again while it is in force. */
  readonly every?: (relay: MessageRelay) => void;
}

function relayFault(name: string, weight: number, choose: (random: Random) => RelayBreak): Fault {
  return {
    ...{ name, holds: ['messages'], weight, durationMs: [800, 4_000] },
    async apply(world, random) {
      const some = someVerifiers(world, random);
      const { detail, decide, every } = choose(random);
      const timers = some.map(({ messages }) => {
        messages.set(decide);
        return setInterval(() => every?.(messages), playEveryMs);
      });
      return {
        detail: `${namesOf(some)}: ${detail}`,
        async heal() {
          for (const timer of timers) clearInterval(timer);
          for (const { messages } of some) messages.set(undefined);
        },
      };
    },
  };
}

function playAgain(relay: MessageRelay, past: readonly NatsMessage[], random: Random): void {
  if (past.length > 0) relay.inject(random.pick(past));
}

function forge(relay: MessageRelay, random: Random): void {
  if (relay.seen.length === 0) return;
  const genuine: NatsMessage = random.pick(relay.seen);
  const payload = Buffer.from(genuine.payload);
  if (random.chance(0.2)) payload.fill('x');
  else payload[random.whole(0, payload.length - 1)] = 'A'.charCodeAt(0) + random.whole(0, 25);
  relay.inject({ subject: genuine.subject, payload });
}
