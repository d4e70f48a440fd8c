// What the tests of this room share: a mesh of three workloads with real keys and a real record, and clients that authenticate.
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExchangeTokenRequest, IntrospectTokenRequest, RevokeTokenRequest } from '@tokenmesh/proto';
import { exportJwk, generateSigningKey, importJwks, type Reason, type SigningKey, signClientAssertion, TokenError } from '@tokenmesh/token';
import { jwtBearerAssertion } from './clients/client-authentication.ts';
import type { Config, Workload } from './config/config.ts';
import type { EventLog, LogEntry } from './event-log.ts';
import type { Issuer } from './grants/issuer.ts';
import { createPolicy, type Grant } from './grants/policy.ts';
import { createKeyEncryption, type KeyEncryption } from './keys/key-encryption.ts';
import { openKeyRing } from './keys/keys.ts';
import { type LogLevel, logEvents } from './log-events.ts';
import { openSqliteStore } from './record/sqlite.ts';
import type { Store } from './record/store.ts';
import { openRevocationLog, type RevocationLogOptions } from './revocation/revocation-log.ts';

export const mesh = 'shop.test';
export const issuerUrl = 'https://token-exchange.shop.test';
export const own = 'spiffe://shop.test/token-exchange';
export const gateway = 'spiffe://shop.test/gateway';
export const orders = 'spiffe://shop.test/orders';
export const payments = 'spiffe://shop.test/payments';
export const operator = 'spiffe://shop.test/operator';
const workloadIds = [gateway, orders, payments, operator];

const workloadKeys: ReadonlyMap<string, SigningKey> = new Map(workloadIds.map((id) => [id, generateSigningKey()]));
export const workloads: ReadonlyMap<string, Workload> = new Map(
  workloadIds.map((id) => [id, { id, keys: importJwks([exportJwk(keyOf(id))]) }]),
);

/** gateway → orders → payments, each for itself and on behalf of others, and payments → payments: as long a chain as a test wants. */
export const grants: readonly Grant[] = [
  { from: gateway, to: orders, scopes: ['orders.read', 'orders.write'], delegation: { scopes: ['orders.write'] } },
  {
    from: orders,
    to: payments,
    scopes: ['payments.charge', 'payments.refund'],
    maxLifeSeconds: 60,
    delegation: { scopes: ['payments.charge'] },
  },
  { from: payments, to: payments, scopes: ['payments.charge'], delegation: { scopes: ['payments.charge'] } },
  { from: gateway, to: payments, scopes: ['payments.read'], delegation: false },
  { from: operator, to: own, scopes: ['admin.read', 'admin.revoke'], delegation: false },
];

/** {@link grants}, and the operator may rotate and withdraw keys as well. */
export const grantsWithKeys: readonly Grant[] = grants.map((grant) =>
  grant.from === operator ? { ...grant, scopes: [...grant.scopes, 'admin.keys'] } : grant,
);

export const encryption: KeyEncryption = createKeyEncryption(Buffer.alloc(32, 7).toString('base64'), 'the test');

export function newId(): string {
  return randomBytes(16).toString('base64url');
}

/** A clock that tests move; milliseconds since epoch. */
export interface TestClock {
  nowMs: number;
  now(): number;
}

function createClock(): TestClock {
  const clock = { nowMs: Date.UTC(2026, 5, 1), now: () => clock.nowMs };
  return clock;
}

/** A directory that is there until `remove`. */
export function temporaryDirectory(): { path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), 'token-exchange-'));
  return { path, remove: () => rmSync(path, { recursive: true }) };
}

/**
 * A configuration of the service for {@link workloads} and {@link grants}: on any free port of 127.0.0.1, over gRPC alone, with tokens of five minutes,
 * keys that are not rotated while a test lasts, and neither NATS nor limits.
 *
 * @param given What every test says for itself, its certificate and its record, and whatever it wants otherwise.
 */
export function testConfig(given: Pick<Config, 'tls' | 'store'> & Partial<Config>): Config {
  return {
    issuer: issuerUrl,
    trustDomain: mesh,
    audience: own,
    listen: { host: '127.0.0.1', port: 0 },
    keys: { alg: 'ES256', rotateEveryMs: 86_400_000, activationTimeoutMs: 1_200_000 },
    tokens: { lifeSeconds: 300, ceilingSeconds: 900, sessionSeconds: 28_800 },
    revocation: { staleAfterMs: 5000 },
    workloads,
    grants,
    ...given,
  };
}

/** The operations with everything behind them, but no socket. */
export interface TestIssuer extends Issuer {
  readonly clock: TestClock;
  readonly problems: unknown[];
  close(): Promise<void>;
}

export async function createTestIssuer(
  options: { store?: (store: Store) => Store; keyStore?: Store; log?: Partial<RevocationLogOptions>; ceilingSeconds?: number } = {},
): Promise<TestIssuer> {
  const { ceilingSeconds = 900 } = options;
  const clock = createClock();
  const { now } = clock;
  const directory = temporaryDirectory();
  const opened = await openSqliteStore(join(directory.path, 'record.db'), { newId });
  const store = options.store?.(opened) ?? opened;
  const keys = await openKeyRing({ store: options.keyStore ?? opened, encryption, alg: 'ES256', now });
  const problems: unknown[] = [];
  const revocations = await openRevocationLog({
    store,
    keys,
    issuer: issuerUrl,
    mesh,
    staleAfterMs: 5000,
    ceilingSeconds,
    onProblem: (problem, error) => problems.push([problem, error]),
    now,
    newId,
    ...options.log,
  });
  return {
    config: { issuer: issuerUrl, audience: own, workloads, tokens: { lifeSeconds: 300, ceilingSeconds, sessionSeconds: 28_800 } },
    policy: createPolicy({ grants, ownAudience: own, lifeSeconds: 300 }),
    ...{ keys, store, revocations, now, newId, clock, problems },
    async close() {
      await revocations.close();
      await opened.close();
      directory.remove();
    },
  };
}

export function keyOf(workload: string): SigningKey {
  const key = workloadKeys.get(workload);
  if (!key) throw new Error(`no test workload ${workload}`);
  return key;
}

/** Client authentication of a workload, good for one request. */
export function authenticate(clientId: string, now: () => number, audience: string = issuerUrl) {
  return {
    client_id: clientId,
    client_assertion_type: jwtBearerAssertion,
    client_assertion: signClientAssertion({ clientId, audience, key: keyOf(clientId), now, newId }),
    client_secret: '',
  };
}

/** A request as it arrives: every parameter that is not given is empty. */
export function exchangeRequest(parameters: Partial<ExchangeTokenRequest>): ExchangeTokenRequest {
  const names = [
    'grant_type',
    'client_id',
    'client_assertion_type',
    'client_assertion',
    'client_secret',
    'audience',
    'resource',
    'scope',
  ] as const;
  const others = [
    'requested_token_type',
    'subject_token',
    'subject_token_type',
    'actor_token',
    'actor_token_type',
    'refresh_token',
  ] as const;
  const empty = Object.fromEntries([...names, ...others].map((name) => [name, '']));
  // every text of the message is there
  return { ...(empty as unknown as ExchangeTokenRequest), subject_token_binding: null, actor_token_binding: null, ...parameters };
}

export function introspectRequest(parameters: Partial<IntrospectTokenRequest>): IntrospectTokenRequest {
  return {
    token: '',
    token_type_hint: '',
    client_id: '',
    client_assertion_type: '',
    client_assertion: '',
    client_secret: '',
    ...parameters,
  };
}

export function revokeRequest(parameters: Partial<RevokeTokenRequest>): RevokeTokenRequest {
  return { ...introspectRequest({}), cascade: false, request_id: '', ...parameters };
}

/** The reason with which something is refused; fails when it is not, or with another kind of error. */
export async function reasonOf(promise: Promise<unknown>): Promise<Reason> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof TokenError) return error.reason;
    throw error;
  }
  throw new Error('expected a refusal');
}

/** Keeps what is logged, and throws on a level or member that `logEvents` does not list. */
export function createTestLog(): EventLog & { readonly entries: LogEntry[] } {
  const entries: LogEntry[] = [];
  const addAt = (level: LogLevel) => (entry: LogEntry) => {
    const { event, ...members } = entry;
    const { levels, members: listed } = logEvents[event] as { readonly levels: readonly string[]; readonly members: readonly string[] }; // as they satisfy
    const unlisted = [...(levels.includes(level) ? [] : [level]), ...Object.keys(members).filter((name) => !listed.includes(name))];
    if (unlisted.length > 0) throw new Error(`not in the list of log events: ${event}: ${unlisted.join(', ')}`);
    entries.push(entry);
  };
  return { entries, info: addAt('info'), warn: addAt('warn'), error: addAt('error') };
}
