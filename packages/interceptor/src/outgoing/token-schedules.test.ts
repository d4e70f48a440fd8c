import { type InterceptingCall, type InterceptorOptions, Metadata, type StatusObject, status } from '@grpc/grpc-js';
import { shop } from '@tokenmesh/proto/shop';
import { createRevocationSet } from '@tokenmesh/revocation';
import { type VerifiedToken, verifyServiceToken } from '@tokenmesh/token';
import fc from 'fast-check';
import { afterAll, expect, it } from 'vitest';
import { type Caller, createCaller } from '../incoming/caller.ts';
import { refusalStatus } from '../status.ts';
import { createTestIssuer, gateway, orders } from '../test-issuer.ts';
import { bearerInterceptor } from './client-interceptor.ts';
import { createTokenSource, type IssuedToken, type TokenRequest } from './token-source.ts';

// The real token source and the real interceptor, between a token-exchange and a channel that answer in an order, and with an outcome, that
// fast-check chooses, under a clock that only the schedule moves. A counterexample prints its seed and path: put them into fc.assert to repeat it.

/** What an exchange comes to. `stale`: revoked before it arrives. */
type Outcome = { readonly kind: 'token'; readonly lifeSeconds: number } | { readonly kind: 'stale' | 'lost' | 'refused' | 'busy' };
type Action =
  | { readonly do: 'call'; readonly entry: number; readonly deadlineMs: number | undefined }
  | { readonly do: 'cancel'; readonly index: number }
  | { readonly do: 'advance'; readonly ms: number }
  | { readonly do: 'revoke'; readonly kind: 'client' | 'token' | 'chain'; readonly isHeard: boolean }
  | { readonly do: 'hear' };

const outcomes = fc.array(
  fc.oneof(
    { weight: 8, arbitrary: fc.record({ kind: fc.constant('token' as const), lifeSeconds: fc.constantFrom(1, 60, 300, 300) }) },
    { weight: 3, arbitrary: fc.record({ kind: fc.constantFrom('stale' as const, 'lost' as const, 'refused' as const, 'busy' as const) }) },
  ),
  { minLength: 1, maxLength: 12 },
);
const actions = fc.array(
  fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({
        do: fc.constant('call' as const),
        entry: fc.nat(2),
        deadlineMs: fc.option(fc.constantFrom(1, 500, 5_000), { nil: undefined }),
      }),
    },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('cancel' as const), index: fc.nat(20) }) },
    {
      weight: 4,
      arbitrary: fc.record({ do: fc.constant('advance' as const), ms: fc.constantFrom(1, 1, 400, 1_000, 1_000, 31_000, 140_000, 271_000) }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        do: fc.constant('revoke' as const),
        kind: fc.constantFrom('client' as const, 'token' as const, 'chain' as const),
        isHeard: fc.boolean(),
      }),
    },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('hear' as const) }) },
  ),
  { minLength: 1, maxLength: 40, size: 'max' },
);

/** What happened over all schedules: a property that never sees a case proves nothing about it. */
const seen = { presented: 0, refused: 0, repeated: 0, deadline: 0, cancelled: 0, shared: 0, evicted: 0, failed: 0 };

async function run(scheduler: fc.Scheduler, plan: readonly Action[], answers: readonly Outcome[]): Promise<void> {
  const issuer = createTestIssuer();
  const heard = createRevocationSet();
  const listeners = new Set<() => void>();
  const revocations: Parameters<typeof heard.apply>[0][] = [];
  let position = 0;
  const tokens = new Map<string, VerifiedToken>();
  const inFlight = new Map<string, number>();
  const calls: { readonly cancel: () => void; readonly expire: () => void; ended: StatusObject | undefined }[] = [];
  const violations: string[] = []; // what is thrown would be the outcome of an exchange or a call
  let exchanges = 0;

  function must(holds: boolean, what: string): void {
    if (!holds) violations.push(what);
  }

  function issue(request: TokenRequest, lifeSeconds: number): IssuedToken {
    const iat = Math.floor(issuer.nowMs / 1000);
    const accessToken = issuer.token({
      aud: request.audience,
      iat,
      exp: iat + lifeSeconds,
      txn: `chain-${request.audience}`,
    });
    const { keys, now } = issuer;
    // a promise only where a key has to be fetched
    const verified = verifyServiceToken(accessToken, { issuer: issuer.issuer, audience: request.audience, keys, now }) as VerifiedToken;
    tokens.set(accessToken, verified);
    return { accessToken, tokenType: 'Bearer', expiresInSeconds: lifeSeconds };
  }

  async function exchange(request: TokenRequest): Promise<IssuedToken> {
    const key = JSON.stringify([request.audience, request.onBehalfOf?.jti]);
    inFlight.set(key, (inFlight.get(key) ?? 0) + 1);
    must(inFlight.get(key) === 1, 'one exchange in flight for an entry');
    try {
      const outcome = answers[exchanges++ % answers.length] as Outcome; // there is at least one
      const early = outcome.kind === 'stale' ? issue(request, 300) : undefined;
      await scheduler.schedule(Promise.resolve(), `exchange for ${key}: ${outcome.kind}`);
      if (early) return early;
      if (outcome.kind === 'token') return issue(request, outcome.lifeSeconds);
      if (outcome.kind === 'lost')
        throw Object.assign(new Error('lost'), { code: status.UNAVAILABLE, details: 'lost', metadata: new Metadata() });
      throw Object.assign(new Error(outcome.kind), refusalStatus(outcome.kind === 'busy' ? 'EXCHANGE_OVERLOADED' : 'TARGET_REFUSED'));
    } finally {
      inFlight.set(key, (inFlight.get(key) ?? 0) - 1);
    }
  }

  const source = createTokenSource({
    exchange,
    revoked: heard,
    onRevocation: (listener) => listeners.add(listener),
    onChange: ({ change }) => {
      if (change === 'evicted') seen.evicted++;
    },
    now: issuer.now,
    random: () => 0.5,
  });

  /** What is under an interceptor, as grpc-js has it: credentials for each attempt, and an end by deadline or cancel at any time. */
  function channelOf(call: (typeof calls)[number], deadlineMs: number | undefined) {
    return (options: InterceptorOptions): InstanceType<typeof InterceptingCall> => {
      let listener: { onReceiveStatus?(result: StatusObject): void } = {};
      let over = false;
      const end = (code: status, details = '', metadata = new Metadata()) => {
        if (over) return;
        over = true;
        listener.onReceiveStatus?.({ code, details, metadata });
      };
      Object.assign(call, {
        cancel: () => end(status.CANCELLED),
        expire: () => {
          if (deadlineMs !== undefined && issuer.nowMs >= deadlineMs) end(status.DEADLINE_EXCEEDED);
        },
      });
      async function attempt(): Promise<void> {
        let metadata: Metadata;
        try {
          metadata =
            (await options.credentials?.generateMetadata({ service_url: 'https://orders', method_name: 'Create' })) ?? new Metadata();
        } catch (error) {
          return end(status.UNAUTHENTICATED, `Getting metadata from plugin failed with error: ${(error as Error).message}`);
        }
        if (!over) present(String(metadata.get('authorization')[0]).slice('Bearer '.length));
        await scheduler.schedule(Promise.resolve(), 'answer of the service');
        const token = tokens.get(String(metadata.get('authorization')[0]).slice('Bearer '.length));
        if (token && issuer.revocation.set.find(token)) {
          seen.refused++;
          const { code, details, metadata: trailers } = refusalStatus('TOKEN_REVOKED');
          return end(code, details, trailers);
        }
        end(status.OK);
      }
      // True: an interceptor calls nothing else of it.
      return {
        start(_: Metadata, given: typeof listener) {
          listener = given;
          if (deadlineMs !== undefined && issuer.nowMs >= deadlineMs) return end(status.DEADLINE_EXCEEDED);
          void attempt();
        },
        sendMessageWithContext() {},
        sendMessage() {},
        halfClose() {},
        startRead() {},
        cancelWithStatus: (code: status) => end(code),
      } as unknown as InstanceType<typeof InterceptingCall>;
    };
  }

  function present(compact: string): void {
    const token = tokens.get(compact);
    seen.presented++;
    must(token !== undefined, 'what is presented was issued');
    if (!token) return;
    // `expires_in` counts whole seconds
    must(issuer.nowMs < token.claims.exp * 1000 + 1000, 'what is presented is not over');
    must(heard.find(token) === undefined, 'what is presented is not covered by a revocation that was heard of');
  }

  const subject = createCaller(
    {
      kid: 'k',
      scope: [],
      claims: {
        ...{ iss: '', sub: 'alice', aud: gateway, iat: 0, jti: 'alice-1', client_id: 'web', scope: '', txn: '', rn: 0 },
        exp: Math.floor(issuer.nowMs / 1000) + 400,
      },
    },
    'compact',
  );
  const entries: readonly { readonly audience: string; readonly onBehalfOf: Caller | undefined }[] = [
    { audience: orders, onBehalfOf: undefined },
    { audience: gateway, onBehalfOf: undefined },
    { audience: orders, onBehalfOf: subject },
  ];

  function call(entry: number, deadlineMs: number | undefined): void {
    const { audience, onBehalfOf } = entries[entry] as (typeof entries)[number]; // the arbitrary knows how many
    if ([...inFlight.values()].some((count) => count > 0)) seen.shared++;
    const made: (typeof calls)[number] = { cancel() {}, expire() {}, ended: undefined };
    calls.push(made);
    let attempts = 0;
    const channel = channelOf(made, deadlineMs === undefined ? undefined : issuer.nowMs + deadlineMs);
    const started = bearerInterceptor(audience, source)(
      { method_definition: shop.Orders.service.Create, onBehalfOf } as InterceptorOptions,
      (options) => {
        if (++attempts > 1) seen.repeated++;
        must(attempts <= 2, 'a call is made twice at most');
        return channel(options as InterceptorOptions);
      },
    );
    started.start(new Metadata(), {
      onReceiveMetadata() {},
      onReceiveMessage() {},
      onReceiveStatus(result) {
        must(made.ended === undefined, 'a call ends once');
        made.ended = result;
        if (result.code === status.DEADLINE_EXCEEDED) seen.deadline++;
        else if (result.code === status.CANCELLED) seen.cancelled++;
        else if (result.code !== status.OK) seen.failed++;
      },
    });
    started.sendMessage({});
    started.halfClose();
    started.startRead();
  }

  function hear(): void {
    for (const event of revocations.splice(0)) heard.apply(event);
    for (const listener of listeners) listener();
  }

  function act(action: Action): void {
    switch (action.do) {
      case 'call':
        call(action.entry, action.deadlineMs);
        return;
      case 'cancel': {
        const open = calls.filter(({ ended }) => !ended);
        open[action.index % open.length]?.cancel();
        return;
      }
      case 'advance':
        issuer.nowMs += action.ms;
        for (const { expire } of calls) expire();
        return;
      case 'revoke': {
        const jti = [...tokens.values()].at(-1)?.claims.jti ?? 'none';
        const value = { client: gateway, token: jti, chain: `chain-${orders}` }[action.kind];
        issuer.revoke({ kind: action.kind, value });
        revocations.push({ n: ++position, t: issuer.nowMs, targets: [{ kind: action.kind, value, exp: 9_999_999_999 }] });
        if (action.isHeard) hear();
        return;
      }
      case 'hear':
        hear();
    }
  }

  scheduler.scheduleSequence(plan.map((action) => ({ label: JSON.stringify(action), builder: async () => act(action) })));
  await scheduler.waitIdle();
  // a call without a deadline ends once everything is answered: nothing waits for what will never come
  expect(calls.filter(({ ended }) => !ended)).toEqual([]);
  expect(violations).toEqual([]);
}

it('no schedule of answers, failures, deadlines, cancels and revocations makes a call hang, or presents a token that is over or known to be revoked, or asks twice at once', async () => {
  const schedules = fc.asyncProperty(fc.scheduler(), actions, outcomes, run);
  await fc.assert(schedules, { numRuns: 1_000 });
}, 120_000);

afterAll(() => {
  for (const [what, count] of Object.entries(seen)) expect(count, what).toBeGreaterThan(20);
});
