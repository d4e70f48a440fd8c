import { type Context, context } from '@opentelemetry/api';
import { carryTogether } from './obtain-span.ts';

/**
 * Sends what is asked for in the same turn of the event loop together. What is sent belongs to the first one's span that is recorded, and those of the others
 * are linked to it.
 *
 * @param options.several Answers in the order of the requests: an answer, or the error of that request alone. When it rejects, all of them fail.
 */
export function togetherInOneTurn<Request, Answer>(options: {
  readonly one: (request: Request) => Promise<Answer>;
  readonly several: (requests: readonly Request[]) => Promise<readonly (Answer | Error)[]>;
  /** Requests that travel together, at most. */
  readonly max: number;
}): (request: Request) => Promise<Answer> {
  const { one, several, max } = options;
  let waiting: Waiting<Request, Answer>[] = [];

  function send(): void {
    const all = waiting;
    waiting = [];
    for (let first = 0; first < all.length; first += max) sendTogether(all.slice(first, first + max));
  }

  function sendTogether(group: readonly Waiting<Request, Answer>[]): void {
    const [first, ...others] = group;
    if (!first) return;
    if (others.length === 0) {
      context.with(first.context, () => one(first.request)).then(first.resolve, first.reject);
      return;
    }
    const carrier = carryTogether(
      first.context,
      others.map((waiting) => waiting.context),
    );
    context
      .with(carrier, () => several(group.map(({ request }) => request)))
      .then(
        (answers) => {
          group.forEach(({ resolve, reject }, index) => {
            const answer = answers[index] ?? new Error('fewer answers than requests');
            if (answer instanceof Error) reject(answer);
            else resolve(answer);
          });
        },
        (error: unknown) => {
          for (const { reject } of group) reject(error);
        },
      );
  }

  return (request) =>
    new Promise((resolve, reject) => {
      if (waiting.push({ request, resolve, reject, context: context.active() }) === 1) queueMicrotask(send);
    });
}

interface Waiting<Request, Answer> {
  readonly context: Context;
  readonly request: Request;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: unknown) => void;
}
