/**
 * Sends what is asked for in the same turn of the event loop together.
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
    const [first] = group;
    if (first && group.length === 1) {
      one(first.request).then(first.resolve, first.reject);
      return;
    }
    several(group.map(({ request }) => request)).then(
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
      if (waiting.push({ request, resolve, reject }) === 1) queueMicrotask(send);
    });
}

interface Waiting<Request, Answer> {
  readonly request: Request;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: unknown) => void;
}
