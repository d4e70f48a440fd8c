// T-26: one table of what is allowed, through every way to a token. What it does not list is refused, by all of them alike.
import { unary } from '@tokenmesh/interceptor';
import type { ExchangeTokenRequest, SimulateRequest } from '@tokenmesh/proto';
import { exportJwk, generateSigningKey, type SigningKey, signJws, signServiceToken, TokenError } from '@tokenmesh/token';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { exchangeToken } from '../grants/exchange-token.ts';
import { exchangeTokens } from '../grants/exchange-tokens.ts';
import { createPolicy } from '../grants/policy.ts';
import { createSubjectIssuers, type SubjectIssuer } from '../grants/subject-issuer.ts';
import { authenticate, createTestIssuer, exchangeRequest, grants, issuerUrl, newId, own, type TestIssuer } from '../testing.ts';
import { openTestDoors, type TestDoors } from './test-doors.ts';

const idOf = (name: string) => `spiffe://shop.test/${name}`;
const clients = ['gateway', 'orders', 'payments', 'operator'];
const audiences = [...clients, 'token-exchange', 'nobody'];
const subjects = ['itself', 'a subject of the mesh', 'ada', 'ada of another provider', 'ada of a stranger'] as const;
type Subject = (typeof subjects)[number];

/** Written out, not computed: client, on whose behalf, audience, and all that it may get there. */
const allowed: Readonly<Record<string, readonly string[]>> = {
  'gateway for itself to orders': ['orders.read', 'orders.write'],
  'gateway for itself to payments': ['payments.read'],
  'orders for itself to payments': ['payments.charge', 'payments.refund'],
  'payments for itself to payments': ['payments.charge'],
  'gateway for itself to token-exchange': ['revocation.read'],
  'orders for itself to token-exchange': ['revocation.read'],
  'payments for itself to token-exchange': ['revocation.read'],
  'operator for itself to token-exchange': ['admin.read', 'admin.revoke', 'revocation.read'],
  'gateway for a subject of the mesh to orders': ['orders.write'],
  'orders for a subject of the mesh to payments': ['payments.charge'],
  'payments for a subject of the mesh to payments': ['payments.charge'],
  'orders for ada to payments': ['payments.charge'],
};
const scopes = [...new Set(Object.values(allowed).flat()), 'admin.keys', 'x'];

interface Row {
  readonly client: string;
  readonly subject: Subject;
  readonly audience: string;
  readonly scope: string;
}

/** Every combination with everything that is allowed; where something is, each scope as well. */
const rows: readonly Row[] = clients.flatMap((client) =>
  subjects.flatMap((subject) =>
    audiences.flatMap((audience) => {
      const each = allowed[`${client} for ${subject} to ${audience}`] ? scopes : [];
      return ['', ...each].map((scope) => ({ client, subject, audience, scope }));
    }),
  ),
);

/** What the table says: the scope that is issued, or `undefined`. */
function expectedOf({ client, subject, audience, scope }: Row): string | undefined {
  const granted = allowed[`${client} for ${subject} to ${audience}`] ?? [];
  if (scope === '') return granted.join(' ') || undefined;
  return granted.includes(scope) ? scope : undefined;
}

const provider = 'https://accounts.shop.test';
const keys = { provider: generateSigningKey(), another: generateSigningKey(), stranger: generateSigningKey() };
const trust = (issuer: string, key: SigningKey, subjectPrefix: string): SubjectIssuer => ({
  ...{ issuer, audience: issuerUrl, algorithms: ['ES256'], subjectClaim: 'sub', subjectPrefix, requiredClaims: {} },
  keys: { jwks: JSON.stringify({ keys: [exportJwk(key)] }) },
});
const subjectIssuers = [trust(provider, keys.provider, 'user:'), trust('https://another.test', keys.another, 'other:')];
const withProvider = grants.map((grant) =>
  grant.from === idOf('orders') && grant.delegation ? { ...grant, delegation: { ...grant.delegation, issuers: [provider] } } : grant,
);

let doors: TestDoors;
/** The operations themselves, over the record of the doors. */
let issuer: TestIssuer;
beforeAll(async () => {
  doors = await openTestDoors({ grants: withProvider, subjectIssuers });
  const { store } = doors;
  const opened = await createTestIssuer({ store: () => store, keyStore: store });
  issuer = {
    ...opened,
    now: Date.now, // the doors have no other clock
    policy: createPolicy({ grants: withProvider, ownAudience: own, lifeSeconds: 300 }),
    subjectIssuers: createSubjectIssuers(subjectIssuers, Date.now),
  };
});
afterAll(async () => {
  await issuer.close();
  await doors.close();
});

function subjectToken({ client, subject }: Row): string {
  const iat = Math.floor(issuer.now() / 1000);
  if (subject === 'a subject of the mesh') {
    const claims = { iss: issuerUrl, sub: idOf('user'), aud: idOf(client), iat, exp: iat + 300, jti: newId(), client_id: idOf('gateway') };
    return signServiceToken({ ...claims, scope: scopes.join(' '), txn: newId(), rn: 0 }, issuer.keys.token.signing);
  }
  const [iss, key] =
    subject === 'ada'
      ? [provider, keys.provider]
      : subject === 'ada of another provider'
        ? ['https://another.test', keys.another]
        : ['https://stranger.test', keys.stranger];
  return signJws({ iss, sub: 'ada', aud: issuerUrl, iat, exp: iat + 300 }, { typ: 'JWT', key });
}

/** What is asked for, without the client's proof. */
function parametersOf(row: Row): Partial<ExchangeTokenRequest> {
  const target = { audience: idOf(row.audience), scope: row.scope };
  if (row.subject === 'itself') return { ...target, grant_type: 'client_credentials' };
  return {
    ...target,
    grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
    subject_token: subjectToken(row),
    subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
  };
}

const proofOf = ({ client }: Row) => authenticate(idOf(client), issuer.now);
/** The scope that a door issued, and `undefined` when it refused; what went wrong otherwise is an error. */
type Verdict = string | undefined;
type Door = (row: Row) => Promise<Verdict>;

const inOrder: Readonly<Record<string, Door>> = {
  'the operation': (row) =>
    exchangeToken(exchangeRequest({ ...parametersOf(row), ...proofOf(row) }), issuer).then(
      ({ claims }) => claims.scope,
      (error: unknown) => {
        if (!(error instanceof TokenError)) throw error;
        return undefined;
      },
    ),
  'the operation for several': async (row) => {
    const [outcome] = await exchangeTokens({ ...proofOf(row), requests: [exchangeRequest(parametersOf(row))] }, issuer);
    return outcome instanceof TokenError ? undefined : outcome?.claims.scope;
  },
  'gRPC ExchangeToken': (row) =>
    unary(doors.exchange, 'exchangeToken', { ...parametersOf(row), ...proofOf(row) }).then(({ scope }) => scope, refusedByGrpc),
  'gRPC ExchangeTokens': async (row) => {
    const { results } = await unary(doors.exchange, 'exchangeTokens', { ...proofOf(row), requests: [parametersOf(row)] });
    expect(results).toHaveLength(1);
    return results[0]?.response?.scope;
  },
  'HTTP POST /token': async (row) => {
    const { subject_token_binding: _subject, actor_token_binding: _actor, ...form } = { ...parametersOf(row), ...proofOf(row) };
    const { status, body } = await doors.http('POST', '/token', form);
    const answer = JSON.parse(body) as { scope?: string; access_token?: string; error?: string };
    if (status === 200) return answer.scope;
    expect([status, answer.access_token]).toEqual([400, undefined]);
    return undefined;
  },
};

function refusedByGrpc(error: { readonly code?: number }): undefined {
  // INVALID_ARGUMENT and PERMISSION_DENIED: anything else is no refusal by the policy
  expect([3, 7]).toContain(error.code);
  return undefined;
}

describe('the policy', () => {
  it.each(Object.entries(inOrder))('T-26 is the same through %s: what it does not allow is refused', async (_, door) => {
    const wrong: string[] = [];
    for (const row of rows) {
      const verdict = await door(row);
      if (verdict !== expectedOf(row)) wrong.push(`${Object.values(row).join(' ')}: ${verdict}, not ${expectedOf(row)}`);
    }
    expect(wrong).toEqual([]);
    expect(rows.filter(expectedOf).length).toBeGreaterThan(20); // not all of them are refusals
  });

  it('T-26 is what Simulate tells', async () => {
    const { metadata } = await doors.bearer(idOf('operator'), 'admin.read');
    const issuers = { ada: provider, 'ada of another provider': 'https://another.test', 'ada of a stranger': 'https://stranger.test' };
    const wrong: string[] = [];
    for (const row of rows) {
      const { client, subject, audience, scope } = row;
      const about = subject === 'itself' ? null : { sub: 'user:ada', issuer: subject === 'a subject of the mesh' ? '' : issuers[subject] };
      const question: Partial<SimulateRequest> = {
        ...{ client_id: idOf(client), audience: idOf(audience), scope },
        grant_type: about ? 'urn:ietf:params:oauth:grant-type:token-exchange' : 'client_credentials',
        subject: about && { actors: [], may_act: '', ...about },
      };
      const answer = await unary(doors.admin, 'simulate', question, { metadata });
      const verdict = answer.allowed ? answer.scope : undefined;
      if (verdict !== expectedOf(row)) wrong.push(`${Object.values(row).join(' ')}: ${verdict}, not ${expectedOf(row)}`);
    }
    expect(wrong).toEqual([]);
  });
});
