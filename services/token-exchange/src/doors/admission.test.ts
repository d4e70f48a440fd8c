import { exportJwk, TokenError } from '@tokenmesh/token';
import { beforeEach, describe, expect, it } from 'vitest';
import { asProved } from '../clients/client-authentication.ts';
import { createFederations } from '../clients/federation.ts';
import { configSchema } from '../config/config-schema.ts';
import type { TokenOperations } from '../grants/operations.ts';
import {
  authenticate,
  createTestLog,
  exchangeRequest,
  gateway,
  introspectRequest,
  issuerUrl,
  keyOf,
  orders,
  payments,
  revokeRequest,
} from '../testing.ts';
import { type Admission, type AdmissionLimits, type AdmissionRank, createAdmission } from './admission.ts';
import { admitOperations, claimedClient } from './admit-operations.ts';

const limits: AdmissionLimits = { perWorkload: 10, burst: 5, concurrency: 2, queue: 4 };
const registered = new Set([gateway, orders, payments]);
let nowMs: number;
let log: ReturnType<typeof createTestLog>;
let admission: Admission;
let inForce: AdmissionLimits;
/** Names of the work that was begun, in order, and what ends each. */
let begun: string[];
let ends: Map<string, (error?: Error) => void>;

beforeEach(() => {
  nowMs = 0;
  log = createTestLog();
  open(limits);
});

function open(with_: AdmissionLimits): void {
  [begun, ends, inForce] = [[], new Map(), with_];
  admission = createAdmission({ limits: () => inForce, isRegistered: (id) => registered.has(id), log, now: () => nowMs });
}

/** Work that goes on until it is ended by its name; resolves with `done` or with the milliseconds after which to ask again. */
function ask(name: string, clientId: string, rank: AdmissionRank = 'issue'): Promise<'done' | number> {
  const work = () =>
    new Promise<'done'>((resolve, reject) => {
      begun.push(name);
      ends.set(name, (error) => (error ? reject(error) : resolve('done')));
    });
  return admission.run(clientId, rank, work).catch((error: unknown) => {
    if (error instanceof TokenError && error.reason === 'EXCHANGE_OVERLOADED') return error.retryAfterMs ?? 0;
    throw error;
  });
}

async function end(name: string): Promise<void> {
  ends.get(name)?.();
  await settled();
}

/** Everything that was promised has happened: nothing here waits for a timer. */
const settled = () => new Promise((resolve) => setImmediate(resolve));
const instantly = async () => 'done' as const;

describe('the allowance of a workload', () => {
  it('is its burst, then its rate, and a refusal says when to come back', async () => {
    for (let count = 0; count < limits.burst; count++) await admission.run(gateway, 'issue', instantly);
    await expect(admission.run(gateway, 'issue', instantly)).rejects.toMatchObject({ reason: 'EXCHANGE_OVERLOADED', retryAfterMs: 100 });
    nowMs += 99;
    await expect(admission.run(gateway, 'issue', instantly)).rejects.toMatchObject({ retryAfterMs: 1 });
    nowMs += 1;
    expect(await admission.run(gateway, 'issue', instantly)).toBe('done');
  });

  it('is never more than its burst, however long it was quiet', async () => {
    nowMs += 3_600_000;
    const answers = await Promise.allSettled(Array.from({ length: 7 }, () => admission.run(gateway, 'issue', instantly)));
    expect(answers.filter(({ status }) => status === 'fulfilled')).toHaveLength(5);
  });

  it('is its own: a flood by one refuses nothing to another', async () => {
    const flood = await Promise.allSettled(Array.from({ length: 10_000 }, () => admission.run(gateway, 'issue', instantly)));
    expect(flood.filter(({ status }) => status === 'fulfilled')).toHaveLength(5);
    for (let count = 0; count < limits.burst; count++) expect(await admission.run(orders, 'issue', instantly)).toBe('done');
  });

  it('is shared by all that are not registered, however many names they make up', async () => {
    const flood = await Promise.allSettled(
      Array.from({ length: 1000 }, (_, index) => admission.run(`spiffe://shop.test/x${index}`, 'issue', instantly)),
    );
    expect(flood.filter(({ status }) => status === 'fulfilled')).toHaveLength(5);
    expect(await admission.run(gateway, 'issue', instantly)).toBe('done');
  });

  it.each(['CLIENT_AUTHENTICATION_FAILED', 'REQUEST_INVALID', 'GRANT_TYPE_UNSUPPORTED', 'KEYS_UNAVAILABLE'] as const)(
    'is not used up by somebody who only names it and is refused with %s',
    async (reason) => {
      const failing = () => Promise.reject(new TokenError(reason, 'forged'));
      for (let count = 0; count < 100; count++) await expect(admission.run(gateway, 'issue', failing)).rejects.toThrow('forged');
      expect(await admission.run(gateway, 'issue', instantly)).toBe('done');
    },
  );

  it('loses its rank, not its place, while others use its name', async () => {
    open({ ...limits, concurrency: 1, burst: 2 });
    const failing = () => Promise.reject(new TokenError('CLIENT_AUTHENTICATION_FAILED', 'forged'));
    const rankOfRevocation = async () => {
      begun = [];
      for (const name of ['first', 'issue']) void ask(name, orders);
      void ask('revoke', gateway, 'revoke');
      for (const name of ['first', 'revoke', 'issue', 'revoke']) await end(name);
      return begun;
    };
    expect(await rankOfRevocation()).toEqual(['first', 'revoke', 'issue']);
    nowMs += 1000;
    for (let count = 0; count < 2; count++) await expect(admission.run(gateway, 'revoke', failing)).rejects.toThrow('forged');
    expect(await rankOfRevocation()).toEqual(['first', 'issue', 'revoke']);
  });

  it('is used up by what is refused for another reason', async () => {
    const failing = () => Promise.reject(asProved(new TokenError('TARGET_REFUSED', 'no grant'), gateway));
    for (let count = 0; count < limits.burst; count++) await expect(admission.run(gateway, 'issue', failing)).rejects.toThrow('no grant');
    await expect(admission.run(gateway, 'issue', instantly)).rejects.toMatchObject({ reason: 'EXCHANGE_OVERLOADED' });
  });

  it('follows new limits', async () => {
    inForce = { ...limits, burst: 1 };
    await admission.run(gateway, 'issue', instantly);
    await expect(admission.run(gateway, 'issue', instantly)).rejects.toMatchObject({ reason: 'EXCHANGE_OVERLOADED' });
  });
});

describe('what is worked on at once', () => {
  beforeEach(() => open({ ...limits, burst: 1000 }));

  it('is limited; the rest waits, in order', async () => {
    const all = ['a', 'b', 'c', 'd'].map((name) => ask(name, gateway));
    expect(begun).toEqual(['a', 'b']);
    await end('b');
    expect(begun).toEqual(['a', 'b', 'c']);
    for (const name of ['a', 'c', 'd']) await end(name);
    expect(await Promise.all(all)).toEqual(['done', 'done', 'done', 'done']);
  });

  it('goes on after work that failed', async () => {
    const failing = ask('a', gateway).catch((error: Error) => error.message);
    void ask('b', gateway);
    void ask('c', gateway);
    ends.get('a')?.(new Error('broken'));
    expect(await failing).toBe('broken');
    await settled();
    expect(begun).toEqual(['a', 'b', 'c']);
  });

  it('refuses beyond the queue, at exactly its length, with a delay that grows with what is before it', async () => {
    void ask('a', gateway);
    void ask('b', gateway);
    const queue = ['c', 'd', 'e', 'f'].map((name) => ask(name, gateway));
    expect(await ask('g', gateway)).toBe(13); // five of 5 ms each, two at a time
    nowMs += 400; // work takes longer than was thought
    await end('a');
    void ask('h', gateway);
    expect(await ask('i', gateway)).toBe(112); // five of 44.5 ms
    for (const name of ['b', 'c', 'd', 'e', 'f']) await end(name);
    expect(await Promise.all(queue)).toEqual(['done', 'done', 'done', 'done']);
  });

  it('lets a renewal pass first issues, and a revocation both', async () => {
    void ask('a', gateway);
    void ask('b', gateway);
    void ask('issue', gateway);
    void ask('renew', gateway, 'renew');
    void ask('revoke', gateway, 'revoke');
    for (const name of ['a', 'b', 'revoke', 'renew']) await end(name);
    expect(begun).toEqual(['a', 'b', 'revoke', 'renew', 'issue']);
  });

  it('gives up the latest first issue in a full queue for a renewal, and nothing for another first issue', async () => {
    void ask('a', gateway);
    void ask('b', gateway);
    const [, , , latest] = ['c', 'd', 'e', 'f'].map((name) => ask(name, gateway));
    const renewal = ask('renew', gateway, 'renew');
    expect(await latest).toBeGreaterThan(0);
    expect(await ask('g', gateway)).toBeGreaterThan(0);
    await end('a');
    expect(begun).toEqual(['a', 'b', 'renew']);
    await end('renew');
    expect(await renewal).toBe('done');
  });

  it('takes another workload first when one has everything under way, and keeps a place in the queue for it', async () => {
    for (const name of ['a', 'b', 'c', 'd', 'e', 'f']) void ask(name, gateway).catch(() => undefined);
    const other = ask('other', orders);
    await end('a');
    expect(begun).toEqual(['a', 'b', 'other']);
    await end('other');
    expect(await other).toBe('done');
  });
});

describe('by the default limits', () => {
  const { per_workload: perWorkload, burst, concurrency, queue } = configSchema.shape.limits.parse(undefined);
  const slowly = () => new Promise<'done'>((resolve) => setImmediate(resolve, 'done'));
  const refused = async (count: number, clientId: string) => {
    const asked = Array.from({ length: count }, () => admission.run(clientId, 'issue', slowly));
    return (await Promise.allSettled(asked)).filter(({ status }) => status === 'rejected').length;
  };
  beforeEach(() => open({ perWorkload, burst, concurrency, queue }));

  it('a thousand instances of a workload may start at the same instant, with six exchanges each', async () => {
    expect(await refused(6000, gateway)).toBe(0);
    expect(await refused(burst - 6000, gateway)).toBe(0);
    expect(await refused(1, gateway)).toBe(1);
  });

  it('what is asked at the same instant is refused beyond what is worked on and what waits', async () => {
    expect(await refused(concurrency + queue, gateway)).toBe(0);
    expect(await refused(concurrency + queue + 1, orders)).toBe(1);
  });
});

describe('refusals', () => {
  it('are counted in a line of the log each second, never one each', async () => {
    for (let count = 0; count < 1000; count++) await admission.run(gateway, 'issue', instantly).catch(() => undefined);
    expect(log.entries).toEqual([{ event: 'exchange.overloaded', refused: { [gateway]: 1 }, running: 0, waiting: 0 }]);
    nowMs += 1000;
    for (let count = 0; count < 10; count++) await admission.run('nobody', 'issue', instantly).catch(() => undefined);
    expect(log.entries.slice(1)).toEqual([
      { event: 'exchange.overloaded', refused: { [gateway]: 994, unregistered: 1 }, running: 0, waiting: 0 },
    ]);
  });
});

describe('the operations behind it', () => {
  it('are run for the client that a request names, by client_id or by its assertion, with their rank', async () => {
    const seen: [string, AdmissionRank][] = [];
    const recording: Admission = {
      ...admission,
      run: (claimed, rank, work) => {
        seen.push([claimed, rank]);
        return work();
      },
    };
    const answer = async () => ({}) as never; // nobody looks at it
    const operations: TokenOperations = {
      exchange: answer,
      exchangeSeveral: answer,
      introspect: answer,
      revoke: answer,
      jwks: () => ({}) as never,
      metadata: () => ({}) as never,
    };
    const admitted = admitOperations(operations, recording);
    const { client_assertion } = authenticate(orders, Date.now, issuerUrl);
    await admitted.exchange(exchangeRequest({ client_id: gateway, grant_type: 'client_credentials' }));
    await admitted.exchange(exchangeRequest({ client_assertion, grant_type: 'refresh_token' }));
    await admitted.introspect(introspectRequest({ client_assertion: 'no assertion' }));
    await admitted.revoke(revokeRequest({ client_id: payments }));
    expect(seen).toEqual([
      [gateway, 'issue'],
      [orders, 'renew'],
      ['', 'renew'],
      [payments, 'revoke'],
    ]);
  });

  it('are run for the workload that the JWT of an issuer that vouches would stand for, and for nobody when it would be refused', async () => {
    const federations = createFederations(
      [
        {
          ...{
            issuer: 'https://cluster.test',
            audience: issuerUrl,
            allowOtherAudiences: false,
            algorithms: ['ES256'],
            maxLifeSeconds: 3600,
          },
          keys: { jwks: JSON.stringify({ keys: [exportJwk(keyOf(orders))] }) },
          workloads: [{ id: payments, claims: { sub: 'its-payments' } }],
        },
      ],
      Date.now,
    );
    const jwt = (claims: object) => ['eyJhbGciOiJFUzI1NiJ9', Buffer.from(JSON.stringify(claims)).toString('base64url'), 'AAAA'].join('.');
    const claimed = (client_assertion: string, client_id = '') =>
      claimedClient(exchangeRequest({ client_assertion, client_id }), { federations });
    expect(claimed(jwt({ iss: 'https://cluster.test', sub: 'its-payments' }))).toBe(payments);
    expect(claimed(jwt({ iss: 'https://cluster.test', sub: 'another' }))).toBe('');
    expect(claimed(jwt({ iss: 'https://cluster.test' }))).toBe('');
    expect(claimed(jwt({ iss: 'https://unheard.test', sub: 'its-payments' }))).toBe('');
    expect(claimed('no assertion')).toBe('');
    expect(claimed(jwt({ iss: 'https://cluster.test', sub: 'its-payments' }), gateway)).toBe(gateway);
    expect(claimed(authenticate(orders, Date.now, issuerUrl).client_assertion)).toBe(orders);
  });
});
