import { credentials, Metadata, Server, ServerCredentials, type ServiceError, status } from '@grpc/grpc-js';
import { type PaymentsHandlers, shop, shopPackage } from '@tokenmesh/proto/shop';
import type { Freshness } from '@tokenmesh/revocation';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { unary } from '../outgoing/unary.ts';
import { refusalOf } from '../status.ts';
import { createTestIssuer, gateway, type TestIssuer } from '../test-issuer.ts';
import { callerOf } from './caller.ts';
import type { Introspection } from './introspector.ts';
import { type ServerInterceptors, serverInterceptors } from './server-interceptor.ts';
import { stalenessOf } from './staleness.ts';

const payments = 'spiffe://shop.test/payments';
const [S, G] = [5_000, 900_000];
const heard = (ageMs: number): Freshness => {
  return { state: ageMs <= S ? 'fresh' : 'stale', freshAtMs: 0, ageMs, epoch: 'e1', n: 0, path: 'memory' };
};
const ages = {
  fresh: heard(S),
  stale: heard(S + 1),
  'at G': heard(G),
  'beyond G': heard(G + 1),
  'never heard': { state: 'empty' },
} as const;
type Age = keyof typeof ages;

describe('stalenessOf', () => {
  const standard = { class: 'standard', maxStaleMs: undefined, maxBlindMs: undefined } as const;
  const critical = { ...standard, class: 'critical' } as const;

  it.each([
    ['an age of 250 ms where it takes 250 ms', { ...critical, maxStaleMs: 250 }, 250, 'fresh'],
    ['an age of 251 ms where it takes 250 ms', { ...critical, maxStaleMs: 250 }, 251, 'asked'],
    ['an age of 251 ms where it takes 250 ms', { ...standard, maxStaleMs: 250 }, 251, 'tolerated'],
    ['an age beyond S where it takes more', { ...critical, maxStaleMs: S + 1 }, S + 1, 'fresh'],
    ['an age of 9 s where it goes on for 9 s', { ...standard, maxBlindMs: 9_000 }, 9_000, 'tolerated'],
    ['an age of 9 s and more where it goes on for 9 s', { ...standard, maxBlindMs: 9_000 }, 9_001, 'asked'],
    ['an age beyond G where it goes on for longer', { ...standard, maxBlindMs: G + 1 }, G + 1, 'tolerated'],
  ] as const)('goes by the times of the method: %s', (_, rule, ageMs, expected) => {
    expect(stalenessOf(heard(ageMs), rule, G)).toBe(expected);
  });
});

let issuer: TestIssuer;
let monotonicMs: number;
/** What the issuer says of a token when it is asked about it; rejects when it cannot be asked. */
let introspect: (() => Promise<Introspection>) | undefined;
let asked: number;
/** What the handler that was entered last saw of its caller. */
let seen: string;
let guard: ServerInterceptors;
let server: Server;
let client: InstanceType<typeof shop.Payments>;

beforeEach(async () => {
  issuer = createTestIssuer();
  [asked, monotonicMs] = [0, 0];
  guard = serverInterceptors({
    packages: [shopPackage],
    audience: payments,
    issuer: issuer.issuer,
    keys: issuer.keys,
    revocation: issuer.revocation,
    now: issuer.now,
    monotonicNow: () => monotonicMs,
    introspect() {
      asked++;
      return introspect?.() ?? Promise.reject(new Error('nobody is asked in this test'));
    },
  });
  server = new Server({ interceptors: guard.interceptors });
  const handlers: PaymentsHandlers = {
    Charge(call, callback) {
      seen = callerOf(call).stale ? 'stale' : 'admitted';
      callback(null, {});
    },
    Refund(call, callback) {
      seen = callerOf(call).stale ? 'stale' : 'admitted';
      callback(null, {});
    },
    WatchCharges: (call) => call.end(),
  };
  server.addService(shop.Payments.service, handlers);
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) => (error ? reject(error) : resolve(bound)));
  });
  client = new shop.Payments(`127.0.0.1:${port}`, credentials.createInsecure());
});

afterEach(() => {
  client.close();
  guard.close();
  server.forceShutdown();
});

const claims = { aud: payments, scope: 'payments.charge payments.refund', jti: 'j1' };
const active = async (): Promise<Introspection> => ({ active: true, claims: { jti: 'j1' } });

/** `admitted`, `stale` when the handler saw its caller marked so, or status and reason of the refusal. */
async function outcomeOf(methodClass: 'standard' | 'critical', token: string): Promise<string> {
  const metadata = new Metadata();
  metadata.set('authorization', `Bearer ${token}`);
  seen = 'no handler';
  const call = unary(client, methodClass === 'standard' ? 'charge' : 'refund', {}, { metadata }).then(() => seen);
  return await call.catch((error: ServiceError) => `${status[error.code]} ${refusalOf(error)?.reason}`);
}

/** Answers of token-exchange, by what they are called below. */
const answers: Readonly<Record<string, () => Promise<Introspection>>> = {
  active,
  inactive: async () => ({ active: false }),
  unreachable: () => Promise.reject(new Error('down')),
  late() {
    issuer.nowMs += S + 1; // it was true at some moment since the question
    return active();
  },
  'of another token': async () => ({ active: true, claims: { jti: 'j2' } }),
};
const refused = 'UNAVAILABLE REVOCATION_STALE';
const revoked = 'UNAUTHENTICATED TOKEN_REVOKED';
const introspected = { active: 'admitted', inactive: revoked, unreachable: refused, late: refused, 'of another token': revoked };

/** The table of freshness: what a call comes to, whatever token-exchange would say, or by what it says. */
const table: Readonly<Record<Age, Readonly<Record<'critical' | 'standard', string | typeof introspected>>>> = {
  fresh: { critical: 'admitted', standard: 'admitted' },
  stale: { critical: introspected, standard: 'stale' },
  'at G': { critical: introspected, standard: 'stale' },
  'beyond G': { critical: introspected, standard: introspected },
  'never heard': { critical: refused, standard: refused },
};
const rows = Object.entries(table).flatMap(([age, classes]) =>
  Object.entries(classes).flatMap(([methodClass, outcomes]) =>
    // the keys are those of the table, of its columns and of the answers
    Object.keys(answers).map((answer) => {
      const outcome = typeof outcomes === 'string' ? outcomes : outcomes[answer as keyof typeof introspected];
      return [age as Age, methodClass as 'critical' | 'standard', answer, outcome, typeof outcomes === 'string' ? 0 : 1] as const;
    }),
  ),
);

describe('a call over gRPC', () => {
  it.each(rows)(
    'with revocations %s, of a %s method, and an answer that is %s: %s',
    async (age, methodClass, answer, outcome, questions) => {
      introspect = answers[answer];
      issuer.freshness = ages[age];
      expect(await outcomeOf(methodClass, issuer.token(claims))).toBe(outcome);
      expect(asked).toBe(questions);
    },
  );

  it.each(rows)(
    'that a revocation covers is refused with revocations %s, of a %s method, whatever is answered: %s',
    async (age, methodClass, answer) => {
      introspect = answers[answer];
      issuer.freshness = ages[age];
      const token = issuer.token(claims);
      issuer.revoke({ kind: 'client', value: gateway });
      expect(await outcomeOf(methodClass, token)).toBe(revoked);
      expect(asked).toBe(0);
    },
  );
});

describe("token-exchange's word", () => {
  let token: string;
  beforeEach(() => {
    token = issuer.token(claims);
    issuer.freshness = ages.stale;
    introspect = active;
  });
  const refund = () => outcomeOf('critical', token);

  it('is asked for once by all calls with the token that come meanwhile', async () => {
    const gate = Promise.withResolvers<void>();
    introspect = () => gate.promise.then(active);
    const calls = Array.from({ length: 20 }, refund);
    await expect.poll(() => asked).toBe(1);
    gate.resolve();
    expect(await Promise.all(calls)).toEqual(Array.from({ length: 20 }, () => 'admitted'));
    expect(asked).toBe(1);
  });

  it('is kept for a second, and not a millisecond longer', async () => {
    await refund();
    introspect = answers.inactive;
    issuer.nowMs += 999;
    expect(await refund()).toBe('admitted');
    issuer.nowMs += 1;
    expect(await refund()).toBe(revoked);
    expect(asked).toBe(2);
  });

  it('is not kept for longer because the clock was set back', async () => {
    token = issuer.token({ ...claims, iat: issuer.nowMs / 1000 - 60 });
    await refund();
    introspect = answers.inactive;
    issuer.nowMs -= 10_000;
    monotonicMs += 1_000;
    expect(await refund()).toBe(revoked);
  });

  it('does not outlive a revocation that comes while it is kept', async () => {
    expect(await refund()).toBe('admitted');
    issuer.revoke({ kind: 'token', value: 'j1' });
    expect(await refund()).toBe(revoked);
    expect(asked).toBe(1);
  });

  it('does not outlive a revocation that comes while it is on its way', async () => {
    const gate = Promise.withResolvers<void>();
    introspect = () => gate.promise.then(active);
    const call = refund();
    await expect.poll(() => asked).toBe(1);
    issuer.revoke({ kind: 'token', value: 'j1' });
    gate.resolve();
    expect(await call).toBe(revoked);
  });

  it('does not outlive the token while it is on its way', async () => {
    token = issuer.token({ ...claims, exp: issuer.nowMs / 1000 + 1 });
    introspect = () => {
      issuer.nowMs += 1_000; // within S, and with tolerance
      return active();
    };
    expect(await refund()).toBe('admitted');
    token = issuer.token({ ...claims, iat: issuer.nowMs / 1000 - 60, exp: issuer.nowMs / 1000 - 3 });
    introspect = () => {
      issuer.nowMs += 2_000;
      return active();
    };
    expect(await refund()).toBe('UNAUTHENTICATED TOKEN_EXPIRED');
  });
});
