import type { Mutation } from './mutation.ts';

const src = 'services/token-exchange/src';
const grants = `${src}/grants`;
const exchange = `${grants}/exchange-token.ts`;
const exchangeTest = `${grants}/exchange-token.test.ts`;
const grantsTest = `${grants}/grants.test.ts`;
const introspectTest = `${grants}/introspect-and-revoke.test.ts`;
const refreshTest = `${grants}/refresh-token.test.ts`;
const facade = `${src}/doors/facade.ts`;
const facadeTest = `${src}/doors/facade.test.ts`;
const clients = `${src}/clients/client-authentication.ts`;

/** Defences of services/token-exchange that docs/reference/conformance.md names: tokens, introspection and revocation. */
export const tokenExchangeMutations: readonly Mutation[] = [
  {
    of: ['RFC 8693 2.1'],
    file: exchange,
    find: "  if (isDelegated && !subject_token) throw invalid('subject_token is missing');\n",
    put: '',
    fails: { file: exchangeTest, title: 'refuses %s', case: 'no subject token' },
  },
  {
    of: ['RFC 8693 2.1'],
    file: exchange,
    find: 'if (isDelegated && !isRequestableTokenType(subject_token_type)',
    put: 'if (isDelegated && subject_token_type && !isRequestableTokenType(subject_token_type)',
    fails: { file: exchangeTest, title: 'refuses %s', case: 'no subject_token_type' },
  },
  {
    of: ['RFC 8693 2.1'],
    file: exchange,
    find: 'if (!isDelegated && (subject_token || subject_token_type',
    put: 'if (!isDelegated && (subject_token_type',
    fails: { file: exchangeTest, title: 'refuses %s', case: 'a subject token without the grant for it' },
  },
  {
    of: ['RFC 8693 2.1'],
    file: exchange,
    find: 'if (actor_token ? !isRequestableTokenType(actor_token_type)',
    put: 'if (actor_token ? actor_token_type && !isRequestableTokenType(actor_token_type)',
    fails: { file: exchangeTest, title: 'refuses %s', case: 'an actor token without a type' },
  },
  {
    of: ['RFC 8693 2.1'],
    file: exchange,
    find: ': actor_token_type || actor_token_binding) {',
    put: ': actor_token_binding) {',
    fails: { file: exchangeTest, title: 'refuses %s', case: 'a type of no actor token' },
  },
  {
    of: ['RFC 8693 2.1'],
    file: `${grants}/own-token.ts`,
    find: "if (!isOpaqueToken(text, 'access')) return await verifyOwnToken(text, issuer);",
    put: "if (!isOpaqueToken(text, 'access')) return unverified(text);\n  function unverified(compact: string): VerifiedToken {\n    const { payload, kid } = parseJws(compact, { typ: 'at+jwt' });\n    const claims = parseServiceTokenClaims(payload);\n    return { claims, kid, scope: parseScope(claims.scope) };\n  }",
    also: [{ file: `${grants}/own-token.ts`, find: 'import { parseScope,', put: 'import { parseJws, parseScope,' }],
    fails: { file: exchangeTest, title: 'refuses %s', case: 'a subject token signed by a workload' },
  },
  {
    of: ['RFC 8693 2.1', 'T-26'],
    file: `${src}/clients/issuer-jwt.ts`,
    find: 'const { payload } = await jwtVerify(compact,',
    put: 'const decoded = async (..._unused: unknown[]) => ({ payload: decodeJwt(compact) });\n  const { payload } = await decoded(compact,',
    fails: { file: grantsTest, title: 'T-26 is refused with a token %s', case: 'signed by somebody else under the same kid' },
  },
  {
    of: ['RFC 8693 2.1', 'T-26'],
    file: `${grants}/subject-issuer.ts`,
    find: 'if (given !== value && !(Array.isArray(given) && given.includes(value))) throw',
    put: 'if (given === undefined) throw',
    fails: { file: grantsTest, title: 'T-26 is refused with a token %s', case: 'with another value of a required claim' },
  },
  {
    of: ['RFC 8693 2.1', 'T-27'],
    file: `${grants}/subject-token.ts`,
    find: "  if (!audiences.includes(aud)) throw invalid(role, 'its audience is not the client');\n",
    put: '',
    fails: { file: grantsTest, title: 'T-27 is refused %s', case: 'for another audience' },
  },
  {
    of: ['RFC 8693 2.2.1'],
    file: `${grants}/access-token.ts`,
    find: 'expires_in: claims.exp - claims.iat,',
    put: 'expires_in: claims.exp,',
    fails: { file: exchangeTest, title: 'issues the workload’s own token, which its audience accepts' },
  },
  {
    of: ['RFC 8693 2.2.1'],
    file: `${grants}/access-token.ts`,
    find: '    scope: claims.scope,\n',
    put: "    scope: '',\n",
    fails: { file: exchangeTest, title: 'narrows to what the grant allows for delegated subjects' },
  },
  {
    of: ['RFC 8693 2.2.2'],
    file: `${grants}/subject-token.ts`,
    find: "return new TokenError('SUBJECT_TOKEN_INVALID',",
    put: "return new TokenError('GRANT_INVALID',",
    fails: { file: facadeTest, title: 'refuses %s', case: 'a subject token that is none' },
  },
  {
    of: ['RFC 8693 4.1', 'T-27'],
    file: exchange,
    find: '...(subject && { act: { sub: actor?.sub ?? client.id, ...(subject.act && { act: subject.act }) } }),',
    put: '...(subject && { act: { sub: actor?.sub ?? client.id } }),',
    fails: {
      file: exchangeTest,
      title: 'issues a token for the subject, with the exchanger as the current actor, in the same chain',
    },
  },
  {
    of: ['RFC 8693 4.4'],
    file: `${grants}/policy.ts`,
    find: 'const isNamed = !subject.may_act || subject.may_act.sub === actor.id;',
    put: 'const isNamed = true;',
    fails: { file: exchangeTest, title: 'refuses an exchanger whom may_act does not name' },
  },
  {
    of: ['RFC 9068 2.2'],
    file: exchange,
    find: 'sub: subject?.sub ?? client.id,',
    put: 'sub: subject?.sub ?? audience,',
    fails: { file: exchangeTest, title: 'issues the workload’s own token, which its audience accepts' },
  },
  {
    of: ['RFC 9068 3'],
    file: exchange,
    find: '    aud: audience,\n',
    put: '    aud: request.audience || issuer.config.audience,\n',
    fails: { file: exchangeTest, title: 'takes the same target by resource, and answers with the type asked for' },
  },
  {
    of: ['RFC 7662 2.1'],
    file: facade,
    find: "app.post('/introspect',",
    put: "app.all('/introspect',",
    fails: { file: facadeTest, title: '%s %s is answered %i', case: '/introspect' },
  },
  {
    of: ['RFC 7662 2.1', 'T-33'],
    file: clients,
    find: "if (!client_assertion) throw failed('no client assertion');",
    put: "if (!client_assertion) return { client: registered(request.client_id, issuer.config), method: 'private_key_jwt' };",
    fails: { file: introspectTest, title: 'needs a client that authenticates, is not suspended, and asks about something' },
  },
  {
    of: ['RFC 7662 2.1'],
    file: `${grants}/introspect-token.ts`,
    find: '    await refuseSuspended(transaction, client);\n',
    put: '',
    fails: { file: introspectTest, title: 'needs a client that authenticates, is not suspended, and asks about something' },
  },
  {
    of: ['RFC 7662 2.1'],
    file: `${grants}/introspect-token.ts`,
    find: '    const token = await findOwnToken(request.token, transaction, issuer);\n',
    put: "    const token = request.token_type_hint === 'refresh_token' ? undefined : await findOwnToken(request.token, transaction, issuer);\n",
    fails: { file: introspectTest, title: 'finds the token whatever the hint says' },
  },
  {
    of: ['RFC 7662 2.2'],
    file: `${grants}/introspect-token.ts`,
    find: '(client.id !== aud && client.id !== client_id)',
    put: 'client.id !== aud',
    fails: { file: introspectTest, title: 'tells the audience and the client of a token what it holds' },
  },
  {
    of: ['RFC 7662 2.2', 'T-25'],
    file: `${grants}/introspect-token.ts`,
    find: 'if (isRevoked || (client.id !== aud && client.id !== client_id)) return',
    put: 'if (isRevoked) return',
    fails: {
      file: introspectTest,
      title: 'T-25 tells everybody else, its subject included, what it tells of no token at all',
    },
  },
  {
    of: ['RFC 7662 2.2', 'T-25'],
    file: `${grants}/introspect-token.ts`,
    find: '(client.id !== aud && client.id !== client_id)) return { active: false };',
    put: '(client.id !== aud && client.id !== client_id)) return { ...describe(token), active: false };',
    // the door leaves everything else out as well
    also: [{ file: facade, find: 'response.active ? toIntrospection(response) : { active: false }', put: 'toIntrospection(response)' }],
    fails: { file: facadeTest, title: 'a token that its asker may not know about is introspected as inactive, with nothing beside' },
  },
  {
    of: ['RFC 7662 4'],
    file: `${grants}/introspect-token.ts`,
    find: 'const isRevoked = await transaction.isRevoked(handlesOf(token));',
    put: 'const isRevoked = false;',
    fails: { file: introspectTest, title: 'sees a revocation that was acknowledged before' },
  },
  {
    of: ['RFC 7662 4'],
    file: `${grants}/own-token.ts`,
    find: "  if (stored.exp * 1000 <= issuer.now()) throw new TokenError('TOKEN_EXPIRED', 'the opaque token has expired');\n",
    put: '',
    fails: { file: grantsTest, title: 'is over at its exp, and forgotten later' },
  },
  {
    of: ['RFC 7009 2'],
    file: facade,
    find: "app.post('/revoke',",
    put: "app.all('/revoke',",
    fails: { file: facadeTest, title: '%s %s is answered %i', case: '/revoke' },
  },
  {
    of: ['RFC 7009 2.1', 'T-33'],
    file: clients,
    find: "if (!client_assertion) throw failed('no client assertion');",
    put: "if (!client_assertion) return { client: registered(request.client_id, issuer.config), method: 'private_key_jwt' };",
    fails: { file: introspectTest, title: 'T-33 needs a client that authenticates' },
  },
  {
    of: ['RFC 7009 2.1'],
    file: `${grants}/revoke-token.ts`,
    find: 'if (client_id !== client.id) throw',
    put: 'if (client_id !== client.id && client.id !== token.claims.aud) throw',
    fails: { file: introspectTest, title: 'is refused to every client but the one the token was issued to' },
  },
  {
    of: ['RFC 7009 2.1'],
    file: `${src}/record/revocation-records.ts`,
    find: "            and([eb('kind', '=', 'token'), eb('value', '=', jti)]),\n",
    put: '',
    fails: { file: introspectTest, title: 'takes back the token alone' },
  },
  {
    of: ['RFC 7009 2.1'],
    file: `${grants}/revoke-token.ts`,
    find: ": { kind: 'token', value: jti, exp };",
    put: ": { kind: 'chain', value: txn };",
    fails: { file: introspectTest, title: 'takes back the token alone' },
  },
  {
    of: ['RFC 7009 2.1'],
    file: `${grants}/issuer.ts`,
    find: "  if (sid !== undefined) watermarks.push({ kind: 'session', value: sid });\n",
    put: '',
    fails: { file: refreshTest, title: 'ends with the revocation of its refresh token, access tokens included' },
  },
  {
    of: ['RFC 7009 2.1'],
    file: `${grants}/revoke-token.ts`,
    find: '    const session = await findRefreshToken(request.token, transaction);\n',
    put: "    const session = request.token_type_hint === 'access_token' ? undefined : await findRefreshToken(request.token, transaction);\n    if (request.token_type_hint === 'refresh_token' && !session) return undefined;\n",
    fails: { file: introspectTest, title: 'finds the token whatever the hint says' },
  },
  {
    of: ['RFC 7009 2.2'],
    file: `${grants}/revoke-token.ts`,
    find: '    if (!token) return undefined;\n',
    put: "    if (!token) throw new TokenError('REQUEST_INVALID', 'no token');\n",
    fails: { file: facadeTest, title: 'revoking what is no token succeeds' },
  },
];
