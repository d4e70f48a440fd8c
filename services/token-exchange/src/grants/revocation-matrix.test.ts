// T-24: every way to a token, every kind of token, every kind of target: what covers it ends it wherever it is looked at, what does not leaves it alone.
import type { BindingEvidence, ExchangeTokenRequest } from '@tokenmesh/proto';
import { type TargetKind, targetKinds } from '@tokenmesh/revocation';
import { exportJwk, generateSigningKey, signDpopProof, signJws, TokenError } from '@tokenmesh/token';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ClientEvidence } from '../clients/client-evidence.ts';
import type { Binding } from '../clients/token-binding.ts';
import {
  authenticate,
  createTestIssuer,
  exchangeRequest,
  gateway,
  grants,
  introspectRequest,
  issuerUrl,
  newId,
  operator,
  orders,
  own,
  payments,
  type TestIssuer,
} from '../testing.ts';
import { exchangeToken, type IssuedToken } from './exchange-token.ts';
import { introspectToken } from './introspect-token.ts';
import { createPolicy } from './policy.ts';
import { createSubjectIssuers } from './subject-issuer.ts';

const accessToken = 'urn:ietf:params:oauth:token-type:access_token';
const forms = { signed: 'urn:ietf:params:oauth:token-type:jwt', opaque: 'https://tokenmesh.dev/token-type/opaque' } as const;
const tokenExchange = 'urn:ietf:params:oauth:grant-type:token-exchange';
const htu = 'https://token-exchange.shop.test/tokenmesh.v1.TokenExchange/ExchangeToken';
const thumbprint = 'A'.repeat(43);
const provider = 'https://accounts.shop.test';
const [providerKey, proofKey] = [generateSigningKey(), generateSigningKey()];

let issuer: TestIssuer;
beforeEach(async () => {
  const opened = await createTestIssuer();
  const subjectIssuers = createSubjectIssuers(
    [
      {
        ...{
          issuer: provider,
          audience: issuerUrl,
          algorithms: ['ES256'],
          subjectClaim: 'sub',
          subjectPrefix: 'user:',
          requiredClaims: {},
        },
        keys: { jwks: JSON.stringify({ keys: [exportJwk(providerKey)] }) },
      },
    ],
    opened.now,
  );
  issuer = { ...opened, subjectIssuers };
});
afterEach(() => issuer.close());

/** Grants under which everything can be got: sessions, subjects of the provider, and tokens that are bound in this way. */
function under(binding: Binding): TestIssuer {
  const generous = grants.map((grant) => ({
    ...grant,
    ...{ binding, refresh: grant.to !== own },
    delegation: grant.delegation && { ...grant.delegation, issuers: [provider] },
  }));
  return { ...issuer, policy: createPolicy({ grants: generous, ownAudience: own, lifeSeconds: 300 }) };
}

/** What clients prove beside their assertion, for their tokens to be bound to. */
const evidenceOf: Readonly<Record<Binding, () => ClientEvidence>> = {
  none: () => ({}),
  certificate: () => ({ certificate: { uri: undefined, thumbprint } }),
  dpop: () => ({ dpop: { htu, proof: signDpopProof({ key: proofKey, htm: 'POST', htu, now: issuer.now, newId }) } }),
};
/** What the receiver of such a token states about it. */
const bindingOf: Readonly<Record<Binding, BindingEvidence | null>> = {
  none: null,
  certificate: { x5t_s256: thumbprint, jkt: '' },
  dpop: { x5t_s256: '', jkt: proofKey.kid },
};

type Parameters = Partial<ExchangeTokenRequest>;
const ask = (clientId: string, parameters: Parameters, binding: Binding = 'none') =>
  exchangeToken(exchangeRequest({ ...authenticate(clientId, issuer.now), ...parameters }), under(binding), evidenceOf[binding]());
const ownToken = (clientId: string, audience: string, parameters: Parameters = {}, binding: Binding = 'none') =>
  ask(clientId, { grant_type: 'client_credentials', audience, ...parameters }, binding);
const bearer = ({ response }: IssuedToken) => response.access_token;
const onBehalf = (subject_token: string, parameters: Parameters, binding: Binding) =>
  ask(orders, { grant_type: tokenExchange, audience: payments, subject_token, subject_token_type: accessToken, ...parameters }, binding);

/** A token of gateway for orders, or of orders on behalf of somebody for payments. */
const ways: Readonly<Record<string, (requested_token_type: string, binding: Binding) => Promise<IssuedToken>>> = {
  client_credentials: (requested_token_type, binding) => ownToken(gateway, orders, { requested_token_type }, binding),
  'token-exchange': async (requested_token_type, binding) =>
    onBehalf(bearer(await ownToken(gateway, orders)), { requested_token_type }, binding),
  'token-exchange with an actor token': async (requested_token_type, binding) => {
    const actor = { actor_token: bearer(await ownToken(payments, own)), actor_token_type: accessToken };
    return await onBehalf(bearer(await ownToken(gateway, orders)), { requested_token_type, ...actor }, binding);
  },
  'token-exchange for a foreign subject': (requested_token_type, binding) => {
    const iat = Math.floor(issuer.now() / 1000);
    const subject = signJws({ iss: provider, sub: 'ada', aud: issuerUrl, iat, exp: iat + 120 }, { typ: 'JWT', key: providerKey });
    return onBehalf(subject, { requested_token_type }, binding);
  },
  refresh_token: async (requested_token_type, binding) => {
    const { response } = await ownToken(gateway, orders, { requested_token_type }, binding);
    return await ask(gateway, { grant_type: 'refresh_token', refresh_token: response.refresh_token }, binding);
  },
};

/** By what a revocation names this token; absent: nothing of the kind covers it. */
function nameOf(kind: TargetKind, { claims, response }: IssuedToken): string | undefined {
  const { jti, sub, client_id, sid, txn, act, aud } = claims;
  const isSigned = response.access_token.includes('.');
  const kid = isSigned ? String(JSON.parse(Buffer.from(response.access_token.split('.')[0] ?? '', 'base64url').toString()).kid) : undefined;
  const values: Readonly<Record<TargetKind, string | undefined>> = {
    ...{ token: jti, subject: sub, client: client_id, session: sid, chain: txn, actor: act?.sub, audience: aud, key: kid, all: '' },
    grant: `${client_id} ${aud}`,
  };
  return values[kind];
}

/** Values of the kind that look much the same, and are another's. */
function othersOf(kind: TargetKind, issued: IssuedToken): readonly string[] {
  const { client_id, aud, sub } = issued.claims;
  if (kind === 'all' || kind === 'key') return []; // of `all` there is one; a key that nobody has is no target
  if (kind === 'grant') return [`${client_id} ${operator}`, `${operator} ${aud}`, `${aud} ${client_id}`];
  const value = nameOf(kind, issued) ?? sub;
  return [`${value}x`, value.slice(0, -1), value.toUpperCase()].filter((other) => other !== value);
}

/** Wherever a token is looked at, whether it counts there. */
async function placesWhere(issued: IssuedToken, binding: Binding): Promise<Readonly<Record<string, boolean>>> {
  const { aud, client_id, jti } = issued.claims;
  const at = under('none');
  const introspect = async (clientId: string, token: string) =>
    (await introspectToken(introspectRequest({ ...authenticate(clientId, at.now), token }), at)).active ?? false;
  const exchange = async () =>
    await exchangeToken(
      exchangeRequest({
        ...{ ...authenticate(aud, at.now), grant_type: tokenExchange, audience: payments },
        ...{ subject_token: bearer(issued), subject_token_type: accessToken, subject_token_binding: bindingOf[binding] },
      }),
      at,
    ).then(
      () => true,
      (error: unknown) => {
        expect([jti, error instanceof TokenError && error.reason]).toEqual([jti, 'SUBJECT_TOKEN_INVALID']);
        return false;
      },
    );
  const kid = nameOf('key', issued);
  const { refresh_token } = issued.response;
  return {
    'introspected by its audience': await introspect(aud, bearer(issued)),
    'introspected by its client': await introspect(client_id, bearer(issued)),
    exchanged: await exchange(),
    // what every verifier asks on every call
    ...(kid !== undefined && { verified: issuer.revocations.view.set.find({ claims: issued.claims, kid }) === undefined }),
    ...(refresh_token !== '' && { 'refresh token': await introspect(client_id, refresh_token) }),
  };
}

const table = Object.keys(ways).flatMap((way) =>
  (['signed', 'opaque'] as const).flatMap((form) =>
    (['none', 'certificate', 'dpop'] as const).map((binding) => [way, form, binding] as const),
  ),
);

describe('T-24 a revocation', () => {
  it.each(table)('of every kind ends what %s gave, %s and bound to %s, and nothing else', async (way, form, binding) => {
    const give = async () => {
      issuer.clock.nowMs += 1000; // a foreign subject's token has no position in the log, only a time
      const issued = await ways[way]?.(forms[form], binding);
      if (!issued) throw new Error(`no way ${way}`);
      return issued;
    };
    const revoke = (...targets: { kind: TargetKind; value: string }[]) => issuer.revocations.append({ targets, requestedBy: operator });
    const spared = await give();
    await revoke(...targetKinds.flatMap((kind) => othersOf(kind, spared).map((value) => ({ kind, value }))));
    const places = await placesWhere(spared, binding);
    expect(Object.values(places)).not.toContain(false);

    const missing: TargetKind[] = [];
    for (const kind of targetKinds) {
      const issued = await give();
      const value = nameOf(kind, issued);
      if (value === undefined) {
        missing.push(kind);
        continue;
      }
      await revoke({ kind, value });
      // a session outlives its access tokens, and the key that signed one of them
      const outlives = kind === 'token' || kind === 'key';
      const after = Object.fromEntries(Object.keys(places).map((place) => [place, place === 'refresh token' && outlives]));
      expect([kind, await placesWhere(issued, binding)]).toEqual([kind, after]);
    }
    const withoutActor = way === 'client_credentials' || way === 'refresh_token';
    expect(missing).toEqual([...(withoutActor ? ['actor'] : []), ...(form === 'opaque' ? ['key'] : [])]);
    expect(await placesWhere(await give(), binding)).toEqual(places);
  });
});
