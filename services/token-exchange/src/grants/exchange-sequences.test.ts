import { type Actor, actorChain, parseScope, type ServiceTokenClaims, signServiceToken, TokenError } from '@tokenmesh/token';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  authenticate,
  createTestIssuer,
  exchangeRequest,
  gateway,
  issuerUrl,
  newId,
  operator,
  orders,
  own,
  payments,
  type TestIssuer,
} from '../testing.ts';
import { clientCredentialsGrant, exchangeToken, tokenExchangeGrant } from './exchange-token.ts';
import type { Issuer } from './issuer.ts';
import { createPolicy, type Grant } from './policy.ts';

// Every sequence goes through the real operation on a real record. A counterexample prints its seed and path: put them into fc.assert to repeat it.

const ids = [gateway, orders, payments, operator];
const scopes = ['a', 'b', 'c', 'd'];
const lifeSeconds = 300;
const maxActDepth = 5;

let issuer: TestIssuer;
beforeAll(async () => {
  issuer = await createTestIssuer();
});
afterAll(() => issuer.close());

const scopeSet = (min: number) => fc.subarray(scopes, { minLength: min });
const terms = fc.record({ scopes: scopeSet(1), delegated: scopeSet(0), maxLifeSeconds: fc.integer({ min: 1, max: 600 }) });
/** From each to each a grant, mostly. The configuration refuses a delegation that is wider than its grant, so none is. */
const policy: fc.Arbitrary<readonly Grant[]> = fc
  .tuple(
    ...ids.flatMap((from) =>
      ids.map((to) =>
        fc.option(
          terms.map((given) => ({ from, to, ...given })),
          { freq: 5 },
        ),
      ),
    ),
  )
  .map((grants) =>
    grants.flatMap((given) => {
      if (!given) return [];
      const { delegated, ...rest } = given;
      const within = delegated.filter((scope) => rest.scopes.includes(scope));
      return [{ ...rest, delegation: within.length > 0 && { scopes: within } }];
    }),
  );

/** `undefined`, mostly. */
const seldom = <T>(value: fc.Arbitrary<T>) => fc.oneof({ weight: 5, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: value });

/** One exchange: on behalf of the subject of an earlier token (its index, modulo what there is), or of nobody. Time goes on before it. */
const step = fc.record({
  subject: fc.option(fc.nat(), { nil: undefined, freq: 6 }),
  // mostly the audience of the subject token: everybody else is refused at once
  client: seldom(fc.constantFrom(...ids)),
  audience: fc.constantFrom(...ids),
  scope: fc.oneof(fc.constant([]), scopeSet(1)),
  elapsedSeconds: fc.integer({ min: 0, max: 60 }),
});
const steps = fc.array(step, { minLength: 6, maxLength: 14 });

/** The token that everything begins with, as if it had been issued: with a chain of actors, and with a say about who may be the next. */
const root = fc.record({
  aud: fc.constantFrom(...ids),
  actors: fc.array(fc.constantFrom(...ids), { maxLength: 3 }),
  mayAct: seldom(fc.constantFrom(...ids)),
  lifeSeconds: fc.integer({ min: 1, max: 900 }),
});

interface Issued {
  readonly claims: ServiceTokenClaims;
  readonly token: string;
  /** Absent for the root. */
  readonly from?: { readonly parent?: Issued; readonly grant: Grant; readonly asked: readonly string[] };
}

type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;
type Root = typeof root extends fc.Arbitrary<infer T> ? T : never;

function begin({ aud, actors, mayAct, lifeSeconds: life }: Root): Issued {
  const iat = Math.floor(issuer.now() / 1000);
  const act = actors.reduce<Actor | undefined>((inner, sub) => ({ sub, ...(inner && { act: inner }) }), undefined);
  const claims: ServiceTokenClaims = {
    ...{
      iss: issuerUrl,
      sub: 'spiffe://shop.test/user',
      aud,
      iat,
      exp: iat + life,
      jti: newId(),
      client_id: gateway,
      scope: 'a',
      txn: newId(),
      rn: 0,
    },
    ...(act && { act }),
    ...(mayAct !== undefined && { may_act: { sub: mayAct } }),
  };
  return { claims, token: signServiceToken(claims, issuer.keys.token.signing) };
}

/** What a sequence issued, in order, after its root. Refusals are part of the game; any other error is not. */
async function play(grants: readonly Grant[], first: Root, sequence: readonly Step[]): Promise<readonly Issued[]> {
  const under: Issuer = { ...issuer, policy: createPolicy({ grants, ownAudience: own, lifeSeconds, maxActDepth }) };
  const issued = [begin(first)];
  for (const { subject, client: other, audience, scope, elapsedSeconds } of sequence) {
    issuer.clock.nowMs += elapsedSeconds * 1000;
    const parent = subject === undefined ? undefined : issued[subject % issued.length];
    const client = other ?? parent?.claims.aud ?? gateway;
    const grant = grants.find(({ from, to }) => from === client && to === audience);
    const request = exchangeRequest({
      ...authenticate(client, issuer.now),
      grant_type: parent ? tokenExchangeGrant : clientCredentialsGrant,
      audience,
      scope: scope.join(' '),
      ...(parent && { subject_token: parent.token, subject_token_type: 'urn:ietf:params:oauth:token-type:access_token' }),
    });
    const answer = await exchangeToken(request, under).catch((error: unknown) => {
      if (error instanceof TokenError) return undefined;
      throw error;
    });
    if (!answer) continue;
    if (!grant) throw new Error('a token without a grant');
    const { claims, response } = answer;
    issued.push({ claims, token: response.access_token, from: { ...(parent && { parent }), grant, asked: scope } });
  }
  return issued;
}

/** Runs random sequences; `holds` looks at each token that was issued. Every run must have something to look at. */
async function always(holds: (token: Issued, from: NonNullable<Issued['from']>) => void): Promise<void> {
  let [looked, deepest] = [0, 0];
  const sequences = fc.asyncProperty(policy, root, steps, async (grants, first, sequence) => {
    for (const token of await play(grants, first, sequence)) {
      if (!token.from) continue;
      holds(token, token.from);
      looked++;
      deepest = Math.max(deepest, actorChain(token.claims).length);
    }
  });
  await fc.assert(sequences, { numRuns: 50 });
  expect(looked).toBeGreaterThan(30);
  expect(deepest).toBeGreaterThan(2);
}

describe('no sequence of exchanges', () => {
  it('gives more scope than was asked for, or than any grant on its path allows', async () => {
    await always(({ claims }, { parent, grant, asked }) => {
      const delegated = grant.delegation ? grant.delegation.scopes : [];
      const allowed = parent ? grant.scopes.filter((scope) => delegated.includes(scope)) : grant.scopes;
      const most = asked.length > 0 ? allowed.filter((scope) => asked.includes(scope)) : allowed;
      expect(most).toEqual(expect.arrayContaining([...parseScope(claims.scope)]));
    });
  });

  it('outlives the token it came from, the grant, or the configured life', async () => {
    await always(({ claims: { iat, exp } }, { parent, grant }) => {
      expect(exp).toBeGreaterThan(iat);
      expect(exp - iat).toBeLessThanOrEqual(Math.min(lifeSeconds, grant.maxLifeSeconds ?? lifeSeconds));
      if (parent) expect(exp).toBeLessThanOrEqual(parent.claims.exp);
    });
  });

  it('shortens, drops or rewrites the chain of actors, or makes it longer than is allowed', async () => {
    await always(({ claims }, { parent }) => {
      const before = parent?.claims.act;
      expect(claims.act).toEqual(parent && { sub: claims.client_id, ...(before && { act: before }) });
      expect(actorChain(claims).length).toBeLessThanOrEqual(maxActDepth);
    });
  });

  it('drops or rewrites may_act, or gets past it', async () => {
    await always(({ claims }, { parent }) => {
      expect(claims.may_act).toEqual(parent?.claims.may_act);
      if (claims.may_act) expect(claims.client_id).toBe(claims.may_act.sub);
    });
  });

  it('leaves its call chain or changes its subject', async () => {
    await always(({ claims }, { parent }) => {
      if (parent) expect([claims.txn, claims.sub]).toEqual([parent.claims.txn, parent.claims.sub]);
      else expect(claims.sub).toBe(claims.client_id);
    });
  });
});
