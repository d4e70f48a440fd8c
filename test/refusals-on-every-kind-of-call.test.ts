import { createHash, randomUUID } from 'node:crypto';
import type { OutgoingHttpHeaders } from 'node:http2';
import { status } from '@grpc/grpc-js';
import { refusalOf, refusalStatus } from '@tokenmesh/interceptor';
import {
  generateSigningKey,
  type Reason,
  reasons,
  type ServiceTokenClaims,
  type SigningKey,
  signDpopProof,
  signJws,
  signServiceToken,
} from '@tokenmesh/token';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { exchangeReasons } from './exchange-reasons.ts';
import { callKinds } from './four-kinds.ts';
import { issuer, openRefusingServers, pathOf, type RefusingServers, type ServerName, type ServiceName, self } from './refusing-servers.ts';
import { heldBy, type WireAnswer, wireCall } from './wire-call.ts';

/** What the table of refusals says of a reason, written down a second time. */
interface Row {
  readonly code: status;
  /** `www-authenticate` up to its description; absent: none. */
  readonly challenge?: string;
  readonly retries?: true;
}

const { UNAUTHENTICATED, INVALID_ARGUMENT, PERMISSION_DENIED, UNAVAILABLE } = status;
const invalidToken: Row = { code: UNAUTHENTICATED, challenge: 'Bearer error="invalid_token"' };
const invalidProof: Row = { code: UNAUTHENTICATED, challenge: 'DPoP error="invalid_dpop_proof"' };
const insufficient: Row = { code: PERMISSION_DENIED, challenge: 'Bearer error="insufficient_scope"' };
const later: Row = { code: UNAVAILABLE, retries: true };

/** One way to be refused. */
interface Cause {
  /** Default `Scoped`. */
  readonly service?: ServiceName;
  /** Default `guarded`. */
  readonly server?: ServerName;
  /** What the call carries, given its full method name. */
  present(method: string): OutgoingHttpHeaders | Promise<OutgoingHttpHeaders>;
}

const authority = 'orders.shop.test';
const otherHash = createHash('sha256').update('another').digest('base64url');
const key = generateSigningKey('ES256', 'kid-of-the-issuer');
const proofKey = generateSigningKey();
const nowSeconds = () => Math.floor(Date.now() / 1000);

/** Tokens and proofs that were made for the call at hand, and what must not come back of them. */
let presented: string[];
const [subject, client, actor] = ['subject', 'client', 'actor'].map((name) => `spiffe://shop.test/secret-${name}`) as [
  string,
  string,
  string,
]; // as many
const [scope, txn, sid] = ['secret.scope', 'secret-txn-AAAAAAAAAAA', 'secret-sid'];
const secretTexts = [subject, client, actor, scope, txn, sid, 'secret-jti', key.kid];

function token(claims: Partial<ServiceTokenClaims> = {}, signer: SigningKey = key): string {
  const iat = nowSeconds();
  const usual: ServiceTokenClaims = {
    ...{ iss: issuer, aud: self, sub: subject, client_id: client, scope: `needed.scope ${scope}`, iat, exp: iat + 300, rn: 0 },
    ...{ txn, jti: `secret-jti-${randomUUID()}`, sid },
  };
  return kept(signServiceToken({ ...usual, ...claims }, signer));
}

function kept(credential: string): string {
  presented.push(credential);
  return credential;
}

const bearer = (claims?: Partial<ServiceTokenClaims>, signer?: SigningKey) => ({ authorization: `Bearer ${token(claims, signer)}` });

function withProof(method: string, { by = proofKey, jkt = proofKey.kid, nonce = undefined as string | undefined } = {}) {
  const accessToken = token({ cnf: { jkt } });
  const htu = `https://${authority}${method}`;
  const dpop = kept(signDpopProof({ key: by, htm: 'POST', htu, accessToken, nonce, now: Date.now, newId: randomUUID }));
  return { authorization: `DPoP ${accessToken}`, dpop };
}

const causes: Readonly<Partial<Record<Reason, Row & { readonly by: Readonly<Record<string, Cause>> }>>> = {
  CREDENTIAL_MISSING: {
    ...{ code: UNAUTHENTICATED, challenge: 'Bearer' },
    by: {
      nothing: { present: () => ({}) },
      'a token where nobody looks for one': { present: () => ({ 'authorization-bin': token(), 'x-token': `Bearer ${token()}` }) },
    },
  },
  CREDENTIAL_AMBIGUOUS: {
    ...{ code: INVALID_ARGUMENT, challenge: 'Bearer error="invalid_request"' },
    by: {
      'two in one value': { present: () => ({ authorization: `Bearer ${token()}, Bearer ${token()}` }) },
      'another scheme': { present: () => ({ authorization: `Basic ${token()}` }) },
      'one under each key': { present: () => ({ ...bearer(), 'tokenmesh-token': `Bearer ${token()}` }) },
      'two under the compact key': { present: () => ({ 'tokenmesh-token': [`Bearer ${token()}`, `Bearer ${token()}`] }) },
      'more bytes than a credential has': { present: () => ({ authorization: `Bearer ${kept(token().padEnd(8193, 'x'))}` }) },
    },
  },
  TOKEN_MALFORMED: {
    ...invalidToken,
    by: {
      'no JWS': { present: () => ({ authorization: `Bearer ${kept('secret-secret-secret-secret')}` }) },
      'a token without its signature': { present: () => ({ authorization: `Bearer ${token().replace(/[^.]+$/, '')}` }) },
      'a token that names no algorithm': {
        present: () => ({ authorization: `Bearer ${kept(token().replace(/^[^.]+/, unsigned))}` }),
      },
    },
  },
  TOKEN_SIGNATURE_INVALID: {
    ...invalidToken,
    by: { 'another key of the same name': { present: () => bearer({}, generateSigningKey('ES256', key.kid)) } },
  },
  TOKEN_TYPE_REJECTED: {
    ...invalidToken,
    by: {
      'an event of the feed': {
        present: () => ({ authorization: `Bearer ${kept(signJws({ sub: subject }, { typ: 'secevent+jwt', key }))}` }),
      },
    },
  },
  SIGNING_KEY_UNKNOWN: {
    ...invalidToken,
    by: { 'another key': { present: () => bearer({}, generateSigningKey('ES256', 'kid-of-nobody')) } },
  },
  TOKEN_EXPIRED: { ...invalidToken, by: { 'an old token': { present: () => bearer({ iat: nowSeconds() - 306, exp: nowSeconds() - 6 }) } } },
  TOKEN_NOT_YET_VALID: { ...invalidToken, by: { 'a token of tomorrow': { present: () => bearer({ nbf: nowSeconds() + 60 }) } } },
  TOKEN_REVOKED: {
    ...invalidToken,
    by: {
      'a token that was taken back': { present: () => revoked('token', { jti: `secret-jti-${randomUUID()}` }) },
      'a subject that was taken back': { present: () => revoked('subject', { sub: `${subject}/${randomUUID()}` }) },
    },
  },
  AUDIENCE_MISMATCH: {
    ...invalidToken,
    by: { 'a token for another': { present: () => bearer({ aud: 'spiffe://shop.test/secret-client' }) } },
  },
  ISSUER_UNTRUSTED: {
    ...invalidToken,
    by: { 'a token of another': { present: () => bearer({ iss: 'https://token-exchange.other.test' }) } },
  },
  BINDING_MISMATCH: {
    ...invalidToken,
    by: {
      'the certificate of another': { present: () => bearer({ cnf: { 'x5t#S256': otherHash } }) },
      'another network': { present: () => bearer({ net: ['10.9.8.0/24'] }) },
      'the key of another': { present: (method) => withProof(method, { by: generateSigningKey() }) },
      'no binding where one is needed': { service: 'Bound', present: () => bearer() },
    },
  },
  PROOF_INVALID: {
    ...invalidProof,
    by: {
      'no proof': { present: () => ({ authorization: `DPoP ${token({ cnf: { jkt: proofKey.kid } })}` }) },
      'the proof for another method': { present: (method) => withProof(`${method}s`) },
      'two proofs': {
        present: (method) => {
          const { authorization, dpop } = withProof(method);
          return { authorization, dpop: [dpop, dpop] };
        },
      },
    },
  },
  PROOF_REPLAYED: {
    ...invalidProof,
    by: {
      'a proof that was used': {
        async present(path) {
          const headers = withProof(path);
          expect((await wireCall(servers.targets.guarded, { path, headers, messages: [Buffer.from('x')] })).code).toBe(status.OK);
          servers.entered.length = 0;
          return headers;
        },
      },
    },
  },
  BOUND_TOKEN_AS_BEARER: {
    ...{ code: UNAUTHENTICATED, challenge: 'DPoP error="invalid_token"' },
    by: { 'a bound token without its proof': { present: () => bearer({ cnf: { jkt: proofKey.kid } }) } },
  },
  PROOF_NONCE_REQUIRED: {
    ...{ code: UNAUTHENTICATED, challenge: 'DPoP error="use_dpop_nonce"' },
    by: {
      'no nonce': { server: 'wantsNonce', present: (method) => withProof(method) },
      'a nonce of another': { server: 'wantsNonce', present: (method) => withProof(method, { nonce: otherHash }) },
    },
  },
  SCOPE_INSUFFICIENT: { ...insufficient, by: { 'other scopes': { present: () => bearer({ scope }) } } },
  CALLER_NOT_ALLOWED: {
    ...insufficient,
    by: {
      'a caller that is not listed': { service: 'Listed', present: () => bearer() },
      'a service without rules': { service: 'Unruled', present: () => bearer() },
    },
  },
  DELEGATION_NOT_ALLOWED: {
    ...insufficient,
    by: { 'an actor': { service: 'Undelegated', present: () => bearer({ act: { sub: actor } }) } },
  },
  DELEGATION_TOO_DEEP: {
    ...insufficient,
    by: { 'two actors': { service: 'Shallow', present: () => bearer({ act: { sub: actor, act: { sub: actor } } }) } },
  },
  KEYS_UNAVAILABLE: { ...later, by: { 'a token-exchange that was never reached': { server: 'alone', present: () => bearer() } } },
  REVOCATION_STALE: {
    ...later,
    by: { 'a feed that is silent': { server: 'uninformed', service: 'Critical', present: () => bearer() } },
  },
};

const unsigned = Buffer.from(JSON.stringify({ alg: 'none', typ: 'at+jwt', kid: key.kid })).toString('base64url');

/** Fields that an answer may have. `dpop-nonce` comes with what carries a proof to a service that wants nonces. */
const allowedFields = [':status', 'content-type', 'date', 'grpc-status', 'grpc-message', 'grpc-status-details-bin', 'www-authenticate'];

let servers: RefusingServers;

beforeAll(async () => {
  servers = await openRefusingServers(key, client);
});

afterAll(() => servers.close());

beforeEach(() => {
  presented = [];
  servers.entered.length = 0;
});

/** A token of what is revoked while nobody looks, and known to be before the call. */
async function revoked(
  kind: 'token' | 'subject',
  claims: { readonly jti: string } | { readonly sub: string },
): Promise<OutgoingHttpHeaders> {
  const headers = bearer(claims);
  await servers.revoke(kind, Object.values(claims)[0] ?? '');
  return headers;
}

function only(answer: WireAnswer, name: string): string | undefined {
  const values = answer.fields.filter(([field]) => field === name).map(([, value]) => value);
  expect(values.length, name).toBeLessThanOrEqual(1);
  return values[0];
}

describe('the closed list of reasons', () => {
  it('has no reason that is not made to happen here, at a service or at token-exchange', () => {
    expect([...Object.keys(causes), ...exchangeReasons].sort()).toEqual([...reasons].sort());
  });
});

const cases = reasons.flatMap((reason) => {
  const caused = causes[reason];
  if (!caused) return [];
  const { by, ...row } = caused;
  return Object.entries(by).flatMap(([title, cause]) => callKinds.map((kind) => [reason, title, kind, row, cause] as const));
});

describe('a service refuses with', () => {
  it.each(cases)('%s, for %s, a %s call, and gives away nothing', async (reason, _title, kind, row, cause) => {
    const { service = 'Scoped', server = 'guarded' } = cause;
    const path = pathOf(service, kind);
    const headers = await cause.present(path);
    const answer = await wireCall(servers.targets[server], { path, headers, messages: [Buffer.from('a message')] });

    expect(answer.code).toBe(row.code);
    const refusal = refusalOf(answer);
    expect(refusal?.reason).toBe(reason);
    const facts = reason === 'SCOPE_INSUFFICIENT' && { scope: 'needed.scope' };
    expect(refusal?.info).toEqual(service === 'Unruled' ? {} : { method: path, admitted: 'false', ...facts });
    expect((refusal?.retryAfterMs ?? 0) > 0).toBe(row.retries === true);

    const challenge = only(answer, 'www-authenticate');
    const sentence = decodeURIComponent(only(answer, 'grpc-message') ?? '');
    expect(sentence).toBe(refusalStatus(reason).details);
    const described = row.challenge?.includes('error=') ? `${row.challenge}, error_description="${sentence}"` : row.challenge;
    expect(challenge).toBe(facts ? `${described}, scope="needed.scope"` : described);

    const mayHaveNonce = server === 'wantsNonce' ? ['dpop-nonce'] : [];
    expect(answer.fields.map(([name]) => name).filter((name) => ![...allowedFields, ...mayHaveNonce].includes(name))).toEqual([]);
    expect(answer.messages).toEqual([]);
    expect(heldBy(answer, { tokens: presented, texts: secretTexts })).toEqual([]);
    expect(servers.entered).toEqual([]);
  });

  it.each(callKinds)('none of them, when all is right: a %s call is answered', async (kind) => {
    const path = pathOf('Scoped', kind);
    const answer = await wireCall(servers.targets.guarded, { path, headers: bearer(), messages: [Buffer.from('a message')] });
    expect(answer.code).toBe(status.OK);
    expect(answer.messages.map(String)).toEqual(['a message']);
    expect(servers.entered).toEqual([kind]);
    expect(heldBy(answer, { tokens: ['a message that'], texts: ['a message'] })).toEqual(['a message']);
  });
});
