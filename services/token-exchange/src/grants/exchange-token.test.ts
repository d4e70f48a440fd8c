import type { ExchangeTokenRequest } from '@tokenmesh/proto';
import {
  generateSigningKey,
  type ServiceTokenClaims,
  signClientAssertion,
  signJws,
  signServiceToken,
  verifyServiceToken,
} from '@tokenmesh/token';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  authenticate,
  createTestIssuer,
  exchangeRequest,
  gateway,
  issuerUrl,
  keyOf,
  newId,
  operator,
  orders,
  own,
  payments,
  reasonOf,
  type TestIssuer,
} from '../testing.ts';
import { exchangeToken } from './exchange-token.ts';

const accessToken = 'urn:ietf:params:oauth:token-type:access_token';
const jwt = 'urn:ietf:params:oauth:token-type:jwt';
const tokenExchange = 'urn:ietf:params:oauth:grant-type:token-exchange';

let issuer: TestIssuer;
beforeEach(async () => {
  issuer = await createTestIssuer();
});
afterEach(() => issuer.close());

/** A workload's request for its own token. */
function ownRequest(clientId: string, audience: string, parameters: Partial<ExchangeTokenRequest> = {}): ExchangeTokenRequest {
  return exchangeRequest({ ...authenticate(clientId, issuer.now), grant_type: 'client_credentials', audience, ...parameters });
}

/** A workload's request on behalf of the subject of a token. */
function delegatedRequest(clientId: string, audience: string, subject_token: string, parameters: Partial<ExchangeTokenRequest> = {}) {
  return ownRequest(clientId, audience, { grant_type: tokenExchange, subject_token, subject_token_type: accessToken, ...parameters });
}

const exchange = (request: ExchangeTokenRequest) => exchangeToken(request, issuer);
const refused = (request: ExchangeTokenRequest) => reasonOf(exchange(request));

/** A token of gateway for orders, as if it had been issued; claims given here replace the usual ones. */
function subjectToken(claims: Partial<ServiceTokenClaims> = {}): string {
  const iat = Math.floor(issuer.now() / 1000);
  const usual = {
    iss: issuerUrl,
    sub: gateway,
    aud: orders,
    iat,
    exp: iat + 300,
    jti: newId(),
    client_id: gateway,
    scope: 'orders.write',
    txn: 'chain-1',
    rn: 0,
  };
  return signServiceToken({ ...usual, ...claims }, issuer.keys.token.signing);
}

describe('client_credentials', () => {
  it('issues the workload’s own token, which its audience accepts', async () => {
    const { response, claims, rule } = await exchange(ownRequest(gateway, orders, { scope: 'orders.read' }));
    expect(response).toMatchObject({ issued_token_type: accessToken, token_type: 'Bearer', expires_in: 300, scope: 'orders.read' });
    const verified = await verifyServiceToken(response.access_token, {
      issuer: issuerUrl,
      audience: orders,
      keys: issuer.keys.token,
      now: issuer.now,
    });
    expect(verified.claims).toEqual(claims);
    expect(verified.claims).toMatchObject({ iss: issuerUrl, sub: gateway, client_id: gateway, aud: orders, scope: 'orders.read', rn: 0 });
    expect(verified.claims.act).toBeUndefined();
    expect(Buffer.from(claims.jti, 'base64url')).toHaveLength(16);
    expect(rule).toBe(`grant from ${gateway} to ${orders}`);
  });

  it('begins a new chain each time', async () => {
    const first = await exchange(ownRequest(gateway, orders));
    const second = await exchange(ownRequest(gateway, orders));
    expect(first.claims.jti).not.toBe(second.claims.jti);
    expect([first, second].map(({ claims }) => claims.txn)).toEqual([first.claims.jti, second.claims.jti]);
  });

  it('stamps the last durable position of the revocation log', async () => {
    const { n } = await issuer.revocations.append({ targets: [{ kind: 'subject', value: 'somebody' }], requestedBy: operator });
    expect((await exchange(ownRequest(gateway, orders))).claims.rn).toBe(n);
  });

  it('caps the life by the grant', async () => {
    expect((await exchange(ownRequest(orders, payments))).response.expires_in).toBe(60);
  });

  it('gives token-exchange’s own audience to everybody, with the scope of the feed', async () => {
    expect((await exchange(ownRequest(orders, own))).response.scope).toBe('revocation.read');
    expect(await refused(ownRequest(orders, own, { scope: 'admin.revoke' }))).toBe('SCOPE_REFUSED');
    expect((await exchange(ownRequest(operator, own, { scope: 'admin.revoke' }))).response.scope).toBe('admin.revoke');
  });

  it('takes the same target by resource, and answers with the type asked for', async () => {
    const { response, claims } = await exchange(ownRequest(gateway, '', { resource: orders, requested_token_type: jwt }));
    expect(claims.aud).toBe(orders);
    expect(response.issued_token_type).toBe(jwt);
  });

  it.each<[string, Partial<ExchangeTokenRequest>, string]>([
    ['no grant_type', { grant_type: '' }, 'REQUEST_INVALID'],
    ['a grant that is not offered', { grant_type: 'password' }, 'GRANT_TYPE_UNSUPPORTED'],
    ['the refresh grant with what is no refresh token', { grant_type: 'refresh_token', refresh_token: 'x' }, 'GRANT_INVALID'],
    ['the refresh grant without a refresh token', { grant_type: 'refresh_token' }, 'REQUEST_INVALID'],
    ['no target', { audience: '' }, 'REQUEST_INVALID'],
    ['audience and resource at once', { resource: orders }, 'REQUEST_INVALID'],
    ['a resource that is no URI', { audience: '', resource: 'orders' }, 'TARGET_REFUSED'],
    ['a resource with a fragment', { audience: '', resource: `${orders}#x` }, 'TARGET_REFUSED'],
    ['an opaque token', { requested_token_type: 'urn:ietf:params:oauth:token-type:opaque' }, 'REQUEST_INVALID'],
    ['a refresh token in return', { requested_token_type: 'urn:ietf:params:oauth:token-type:refresh_token' }, 'REQUEST_INVALID'],
    ['a malformed scope', { scope: 'a  b' }, 'REQUEST_INVALID'],
    ['a subject token without the grant for it', { subject_token: 'x' }, 'REQUEST_INVALID'],
    ['a binding without a subject token', { subject_token_binding: { x5t_s256: 'x', jkt: '' } }, 'REQUEST_INVALID'],
    ['an actor token', { actor_token: 'x', actor_token_type: accessToken }, 'REQUEST_INVALID'],
    ['a refresh token', { refresh_token: 'x' }, 'REQUEST_INVALID'],
  ])('refuses %s', async (_, parameters, reason) => {
    expect(await refused(ownRequest(gateway, orders, parameters))).toBe(reason);
  });

  it('T-30 refuses every other spelling of a target or a scope', async () => {
    const spellings = [
      `${orders} `,
      ` ${orders}`,
      orders.toUpperCase(),
      orders.replace('o', 'о'),
      `${orders}/`,
      `${orders}%20`,
      `${orders}\u0000`,
      `${orders}\n`,
    ];
    for (const audience of spellings) expect(await refused(ownRequest(gateway, audience)), JSON.stringify(audience)).toBe('TARGET_REFUSED');
    for (const scope of ['ORDERS.READ', 'orders.read\u200b', 'orders.reаd']) {
      expect(['SCOPE_REFUSED', 'REQUEST_INVALID'], scope).toContain(await refused(ownRequest(gateway, orders, { scope })));
    }
  });
});

describe('client authentication', () => {
  it('T-17 serves an assertion exactly once, however many come at the same instant', async () => {
    for (let round = 0; round < 100; round++) {
      const request = ownRequest(gateway, orders);
      const outcomes = await Promise.allSettled([exchange(request), exchange(request), exchange(request)]);
      expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    }
    const replayed = ownRequest(gateway, orders);
    await exchange(replayed);
    expect(await refused(replayed)).toBe('CLIENT_AUTHENTICATION_FAILED');
  });

  it('T-17 uses an assertion up although what was asked for is refused', async () => {
    const credential = authenticate(gateway, issuer.now);
    expect(await refused(ownRequest(gateway, orders, { ...credential, scope: 'admin' }))).toBe('SCOPE_REFUSED');
    expect(await refused(ownRequest(gateway, orders, credential))).toBe('CLIENT_AUTHENTICATION_FAILED');
  });

  it('T-18 issues nothing when the record cannot take the assertion’s id, and accepts the assertion when it can again', async () => {
    await issuer.close();
    let broken = true;
    issuer = await createTestIssuer({
      store: (store) => ({
        ...store,
        transaction: (work) =>
          store.transaction((transaction) =>
            work({
              ...transaction,
              useAssertionId: (...id) => (broken ? Promise.reject(new Error('disk full')) : transaction.useAssertionId(...id)),
            }),
          ),
      }),
    });
    const request = ownRequest(gateway, orders);
    await expect(exchange(request)).rejects.toThrow('disk full');
    broken = false;
    await exchange(request);
  });

  it('T-18 issues nothing when the commit fails', async () => {
    await issuer.close();
    let broken = false;
    issuer = await createTestIssuer({
      store: (store) => ({
        ...store,
        transaction: (work) =>
          store.transaction(async (transaction) => {
            const value = await work(transaction);
            if (broken) throw new Error('commit failed');
            return value;
          }),
      }),
    });
    broken = true;
    await expect(exchange(ownRequest(gateway, orders))).rejects.toThrow('commit failed');
  });

  it.each<[string, string]>([
    ['a token endpoint', `${issuerUrl}/token`],
    ['another issuer', 'https://token-exchange.evil.test'],
    ['the issuer with a slash', `${issuerUrl}/`],
    ['token-exchange’s audience', own],
  ])('T-19 refuses an assertion whose aud is %s', async (_, aud) => {
    expect(await refused(ownRequest(gateway, orders, authenticate(gateway, issuer.now, aud)))).toBe('CLIENT_AUTHENTICATION_FAILED');
  });

  it('T-19 refuses an assertion whose aud is a list, the issuer alone in it included', async () => {
    const iat = Math.floor(issuer.now() / 1000);
    for (const aud of [[issuerUrl], [issuerUrl, 'https://token-exchange.evil.test']]) {
      const claims = { iss: gateway, sub: gateway, aud, iat, exp: iat + 30, jti: newId() };
      const client_assertion = signJws(claims, { typ: 'client-authentication+jwt', key: keyOf(gateway) });
      expect(await refused(ownRequest(gateway, orders, { client_assertion }))).toBe('CLIENT_AUTHENTICATION_FAILED');
    }
  });

  it.each<[string, () => Partial<ExchangeTokenRequest>, string]>([
    ['no assertion', () => ({ client_assertion: '' }), 'CLIENT_AUTHENTICATION_FAILED'],
    [
      'another assertion type',
      () => ({ client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:saml2-bearer' }),
      'CLIENT_AUTHENTICATION_FAILED',
    ],
    ['a client_id that is another workload', () => ({ client_id: orders }), 'CLIENT_AUTHENTICATION_FAILED'],
    ['a client secret', () => ({ client_assertion: '', client_assertion_type: '', client_secret: 's' }), 'CLIENT_AUTHENTICATION_FAILED'],
    ['two methods at once', () => ({ client_secret: 's' }), 'REQUEST_INVALID'],
    ['an assertion signed by another workload', () => forged(gateway, keyOf(orders)), 'CLIENT_AUTHENTICATION_FAILED'],
    ['a workload that is not registered', () => forged('spiffe://shop.test/nobody', generateSigningKey()), 'CLIENT_AUTHENTICATION_FAILED'],
    ['an assertion that has expired', () => forged(gateway, keyOf(gateway), -60_000), 'CLIENT_AUTHENTICATION_FAILED'],
    ['a service token as assertion', () => ({ client_assertion: subjectToken() }), 'CLIENT_AUTHENTICATION_FAILED'],
  ])('refuses %s', async (_, parameters, reason) => {
    expect(await refused(ownRequest(gateway, orders, parameters()))).toBe(reason);
  });

  function forged(clientId: string, key: ReturnType<typeof keyOf>, offsetMs = 0): Partial<ExchangeTokenRequest> {
    const now = () => issuer.now() + offsetMs;
    return { client_id: clientId, client_assertion: signClientAssertion({ clientId, audience: issuerUrl, key, now, newId }) };
  }
});

describe('the token-exchange grant', () => {
  it('issues a token for the subject, with the exchanger as the current actor, in the same chain', async () => {
    const first = await exchange(ownRequest(gateway, orders));
    const second = await exchange(delegatedRequest(orders, payments, first.response.access_token));
    expect(second.claims).toMatchObject({
      sub: gateway,
      client_id: orders,
      aud: payments,
      scope: 'payments.charge',
      txn: first.claims.jti,
      act: { sub: orders },
    });
    const third = await exchange(delegatedRequest(payments, payments, second.response.access_token));
    expect(third.claims.act).toEqual({ sub: payments, act: { sub: orders } });
    expect(third.claims.sub).toBe(gateway);
  });

  it('T-27 never takes an actor from anywhere but the subject token', async () => {
    const request = delegatedRequest(orders, payments, subjectToken({ act: { sub: gateway, act: { sub: operator } } }));
    expect((await exchange(request)).claims.act).toEqual({ sub: orders, act: { sub: gateway, act: { sub: operator } } });
  });

  it('keeps may_act and the session of the subject token, and takes neither its binding nor its network', async () => {
    const cnf = { jkt: 'A'.repeat(43) };
    const subject = subjectToken({ may_act: { sub: orders }, sid: 'family-1', cnf, net: ['10.0.0.0/8'] });
    const { claims } = await exchange(
      delegatedRequest(orders, payments, subject, { subject_token_binding: { x5t_s256: '', jkt: cnf.jkt } }),
    );
    expect(claims).toMatchObject({ may_act: { sub: orders }, sid: 'family-1' });
    expect(claims.cnf).toBeUndefined();
    expect(claims.net).toBeUndefined();
  });

  it('lets the token live no longer than the subject token', async () => {
    const iat = Math.floor(issuer.now() / 1000);
    const request = (exp: number) => delegatedRequest(orders, payments, subjectToken({ iat: iat - 200, exp }));
    expect((await exchange(request(iat + 59))).claims.exp).toBe(iat + 59);
    expect((await exchange(request(iat + 61))).claims.exp).toBe(iat + 60); // the grant's own 60 s
    expect((await exchange(request(iat + 1))).response.expires_in).toBe(1);
    expect(await refused(request(iat))).toBe('SUBJECT_TOKEN_INVALID');
  });

  it('narrows to what the grant allows for delegated subjects', async () => {
    const request = (scope: string) => delegatedRequest(orders, payments, subjectToken(), { scope });
    expect((await exchange(request('payments.charge payments.refund'))).response.scope).toBe('payments.charge');
    expect(await refused(request('payments.refund'))).toBe('SCOPE_REFUSED');
  });

  it('accepts four actors before the exchanger and refuses five', async () => {
    const chain = (length: number): NonNullable<ServiceTokenClaims['act']> => ({
      sub: gateway,
      ...(length > 1 && { act: chain(length - 1) }),
    });
    expect((await exchange(delegatedRequest(orders, payments, subjectToken({ act: chain(4) })))).claims.act?.sub).toBe(orders);
    expect(await refused(delegatedRequest(orders, payments, subjectToken({ act: chain(5) })))).toBe('DELEGATION_TOO_DEEP');
  });

  it('refuses an exchanger whom may_act does not name', async () => {
    expect(await refused(delegatedRequest(orders, payments, subjectToken({ may_act: { sub: gateway } })))).toBe('CLIENT_NOT_ALLOWED');
  });

  it('T-26 refuses where no grant, or no delegation, allows it', async () => {
    const forOperator = subjectToken({ aud: operator });
    expect(await refused(delegatedRequest(operator, payments, forOperator))).toBe('TARGET_REFUSED');
    expect(await refused(delegatedRequest(operator, 'spiffe://shop.test/nobody', forOperator))).toBe('TARGET_REFUSED');
    expect(await refused(delegatedRequest(operator, own, forOperator))).toBe('DELEGATION_NOT_ALLOWED');
  });

  it.each<[string, () => Partial<ExchangeTokenRequest>, string]>([
    ['no subject token', () => ({ subject_token: '' }), 'REQUEST_INVALID'],
    ['no subject_token_type', () => ({ subject_token_type: '' }), 'REQUEST_INVALID'],
    ['a SAML subject token', () => ({ subject_token_type: 'urn:ietf:params:oauth:token-type:saml2' }), 'REQUEST_INVALID'],
    ['an actor token without a type', () => ({ actor_token: subjectToken() }), 'REQUEST_INVALID'],
    ['a type of no actor token', () => ({ actor_token_type: accessToken }), 'REQUEST_INVALID'],
    ['a subject token for another audience', () => ({ subject_token: subjectToken({ aud: payments }) }), 'SUBJECT_TOKEN_INVALID'],
    ['an expired subject token', () => ({ subject_token: expired() }), 'SUBJECT_TOKEN_INVALID'],
    ['a subject token of another issuer', () => ({ subject_token: subjectToken({ iss: 'https://evil.test' }) }), 'SUBJECT_TOKEN_INVALID'],
    ['a subject token signed by a workload', () => ({ subject_token: signedBy(keyOf(gateway)) }), 'SUBJECT_TOKEN_INVALID'],
    [
      'T-28 a subject token signed by the feed’s key',
      () => ({ subject_token: signedBy(issuer.keys.feed.signing) }),
      'SUBJECT_TOKEN_INVALID',
    ],
    ['text that is no token', () => ({ subject_token: 'not a token' }), 'SUBJECT_TOKEN_INVALID'],
    [
      'a bound subject token without evidence',
      () => ({ subject_token: subjectToken({ cnf: { jkt: 'A'.repeat(43) } }) }),
      'SUBJECT_TOKEN_INVALID',
    ],
    [
      'a bound subject token with other evidence',
      () => ({
        subject_token: subjectToken({ cnf: { jkt: 'A'.repeat(43) } }),
        subject_token_binding: { x5t_s256: '', jkt: `${'A'.repeat(42)}E` },
      }),
      'SUBJECT_TOKEN_INVALID',
    ],
    [
      'evidence for one of two bindings',
      () => ({
        subject_token: subjectToken({ cnf: { jkt: 'A'.repeat(43), 'x5t#S256': 'A'.repeat(43) } }),
        subject_token_binding: { x5t_s256: '', jkt: 'A'.repeat(43) },
      }),
      'SUBJECT_TOKEN_INVALID',
    ],
  ])('refuses %s', async (_, parameters, reason) => {
    expect(await refused(delegatedRequest(orders, payments, subjectToken(), parameters()))).toBe(reason);
  });

  function expired(): string {
    const iat = Math.floor(issuer.now() / 1000) - 400;
    return subjectToken({ iat, exp: iat + 300 });
  }

  function signedBy(key: ReturnType<typeof keyOf>): string {
    const iat = Math.floor(issuer.now() / 1000);
    const claims = {
      iss: issuerUrl,
      sub: gateway,
      aud: orders,
      iat,
      exp: iat + 300,
      jti: 'j',
      client_id: gateway,
      scope: 's',
      txn: 't',
      rn: 0,
    };
    return signServiceToken(claims, key);
  }
});

describe('what was revoked', () => {
  const revoke = (
    kind: 'token' | 'subject' | 'client' | 'actor' | 'chain' | 'session' | 'audience' | 'grant' | 'key' | 'all',
    value: string,
  ) => issuer.revocations.append({ targets: [{ kind, value }], requestedBy: operator });

  it.each([
    ['token', 'jti-1'],
    ['subject', gateway],
    ['client', gateway],
    ['chain', 'chain-1'],
    ['session', 'family-1'],
    ['actor', operator],
    ['audience', orders],
    ['grant', `${gateway} ${orders}`],
    ['all', ''],
  ] as const)('T-27 gets no token by a subject token whose %s was revoked', async (kind, value) => {
    const subject = subjectToken({ jti: 'jti-1', sid: 'family-1', act: { sub: gateway, act: { sub: operator } } });
    await exchange(delegatedRequest(orders, payments, subject));
    await revoke(kind, value);
    expect(await refused(delegatedRequest(orders, payments, subject))).toBe('SUBJECT_TOKEN_INVALID');
  });

  it('gets no token by a subject token whose signing key was revoked', async () => {
    const [subject, kid] = [subjectToken({ rn: 99 }), issuer.keys.token.signing.kid];
    await exchange(delegatedRequest(orders, payments, subject));
    await revoke('key', kid);
    expect(await refused(delegatedRequest(orders, payments, subject))).toBe('SUBJECT_TOKEN_INVALID');
    expect(issuer.keys.token.signing.kid).not.toBe(kid);
    await exchange(delegatedRequest(orders, payments, subjectToken({ rn: 99 })));
  });

  it('does not hold back what is issued after a watermark', async () => {
    await revoke('subject', gateway);
    const { response } = await exchange(ownRequest(gateway, orders));
    await exchange(delegatedRequest(orders, payments, response.access_token));
  });

  it('holds back a suspended client, subject or actor until it is resumed', async () => {
    const suspend = (clientId: string) =>
      issuer.revocations.append({ targets: [{ kind: 'client', value: clientId }], requestedBy: operator, suspend: clientId });
    const resume = (clientId: string) => issuer.store.transaction((transaction) => transaction.resume(clientId));
    // issued after the watermark, so that the suspension alone is what refuses
    const later = (claims: Partial<ServiceTokenClaims> = {}) => subjectToken({ rn: 99, ...claims });

    await suspend(gateway);
    expect(await refused(ownRequest(gateway, orders))).toBe('CLIENT_NOT_ALLOWED');
    expect(await refused(delegatedRequest(orders, payments, later()))).toBe('SUBJECT_TOKEN_INVALID');
    expect(await refused(delegatedRequest(orders, payments, later({ sub: 'user', client_id: operator, act: { sub: gateway } })))).toBe(
      'SUBJECT_TOKEN_INVALID',
    );
    await resume(gateway);
    await exchange(ownRequest(gateway, orders));
    await exchange(delegatedRequest(orders, payments, later()));
  });

  it('cannot slip between the look-up and the position that is stamped', async () => {
    const subject = subjectToken();
    const outcomes = await Promise.allSettled([
      ...Array.from({ length: 20 }, () => exchange(delegatedRequest(orders, payments, subject))),
      revoke('chain', 'chain-1').then(() => undefined),
      ...Array.from({ length: 20 }, () => exchange(delegatedRequest(orders, payments, subject))),
    ]);
    const { n } = await issuer.store.head();
    for (const outcome of outcomes) if (outcome.status === 'fulfilled' && outcome.value) expect(outcome.value.claims.rn).toBeLessThan(n);
  });
});
