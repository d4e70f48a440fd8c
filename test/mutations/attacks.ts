import type { Mutation } from './mutation.ts';

const src = 'services/token-exchange/src';
const grants = `${src}/grants`;
const exchange = `${grants}/exchange-token.ts`;
const exchangeTest = `${grants}/exchange-token.test.ts`;
const grantsTest = `${grants}/grants.test.ts`;
const policy = `${grants}/policy.ts`;
const refresh = `${grants}/refresh-token.ts`;
const refreshTest = `${grants}/refresh-token.test.ts`;
const matrixTest = `${grants}/revocation-matrix.test.ts`;
const facade = `${src}/doors/facade.ts`;
const doorsTest = `${src}/doors/policy-at-every-door.test.ts`;
const clients = `${src}/clients/client-authentication.ts`;
const clientsTest = `${src}/clients/client-authentication.test.ts`;
const records = `${src}/record/grant-records.ts`;

const everyWay = 'of every kind ends what %s gave, %s and bound to %s, and nothing else';
const everyDoor = 'T-26 is the same through %s: what it does not allow is refused';

/** Defences of services/token-exchange against attacks on proofs, refresh tokens, revocation and delegation: T-17 to T-27. */
export const attackMutations: readonly Mutation[] = [
  {
    of: ['T-17'],
    file: `${src}/record/fixed-statements.ts`,
    find: 'assertionId, [clientId, jti, exp]);\n      return changes === 1;',
    put: 'assertionId, [clientId, jti, exp]);\n      return changes >= 0;',
    fails: {
      file: clientsTest,
      title: 'T-17: %s is good for one of 20 simultaneous requests',
      case: 'private_key_jwt',
    },
  },
  {
    of: ['T-17'],
    file: `${src}/clients/federation.ts`,
    find: "const isSingleUse = typeof jti === 'string'",
    put: "const isSingleUse = typeof jti === 'number'",
    fails: {
      file: clientsTest,
      title: 'T-17: %s is good for one of 20 simultaneous requests',
      case: 'federated JWT for one request',
    },
  },
  {
    of: ['T-17'],
    file: clients,
    find: '      if (error instanceof TokenError) return { refusal: error };\n',
    put: '',
    fails: { file: exchangeTest, title: 'T-17 uses an assertion up although what was asked for is refused' },
  },
  {
    of: ['T-17'],
    file: `${src}/record/fixed-statements.ts`,
    find: 'assertionId, [clientId, jti, exp]);\n      return changes === 1;',
    put: 'assertionId, [clientId, jti, exp]);\n      return changes >= 0;',
    fails: { file: `${src}/doors/facade.test.ts`, title: 'T-17: takes an assertion once, over HTTP as over gRPC' },
  },
  {
    of: ['T-18'],
    file: clients,
    find: 'transaction.useAssertionId(singleUse.issuedBy, singleUse.jti, singleUse.exp))) {',
    put: 'transaction.useAssertionId(singleUse.issuedBy, singleUse.jti, singleUse.exp).catch(() => true))) {',
    fails: {
      file: exchangeTest,
      title: 'T-18 issues nothing when the record cannot take the assertion’s id, and accepts the assertion when it can again',
    },
  },
  {
    of: ['T-18'],
    file: clients,
    find: 'const outcome = await issuer.store.transaction(async (transaction) => {',
    put: 'let early: { value: T } | undefined;\n  const outcome = await issuer.store.transaction(async (transaction) => {',
    also: [
      {
        file: clients,
        find: 'return { value: await work(transaction, authenticated) };',
        put: 'early = { value: await work(transaction, authenticated) };\n      return early;',
      },
      {
        file: clients,
        find: "  });\n  if ('refusal' in outcome) {",
        put: "  }).catch((error: unknown) => {\n    if (early) return early;\n    throw error;\n  });\n  if ('refusal' in outcome) {",
      },
    ],
    fails: { file: exchangeTest, title: 'T-18 issues nothing when the commit fails' },
  },
  {
    of: ['T-19'],
    file: clients,
    find: '{ audience: config.issuer, keys: client.keys, now }',
    put: "{ audience: JSON.parse(Buffer.from(client_assertion.split('.')[1] ?? '', 'base64url').toString()).aud, keys: client.keys, now }",
    fails: { file: exchangeTest, title: 'T-19 refuses an assertion whose aud is %s' },
  },
  {
    of: ['T-19'],
    file: `${src}/clients/issuer-jwt.ts`,
    find: 'if (!allowOtherAudiences && Array.isArray(aud) && aud.length > 1) throw',
    put: 'if (!allowOtherAudiences && aud === undefined) throw',
    fails: { file: clientsTest, title: 'refuses a token with %s', case: 'T-19: another audience beside' },
  },
  {
    of: ['T-20'],
    file: refresh,
    find: 'use.digest === digestOf(request) && ',
    put: '',
    fails: {
      file: refreshTest,
      title: 'T-20 gives one of many different requests at the same instant a token, signals the others, and ends the session',
    },
  },
  {
    of: ['T-20'],
    file: refresh,
    find: "targets: [{ kind: 'session', value: sid }],",
    put: "targets: [{ kind: 'token', value: sid, exp: 0 }],",
    fails: {
      file: refreshTest,
      title: 'T-20 gives one of many different requests at the same instant a token, signals the others, and ends the session',
    },
  },
  {
    of: ['T-20'],
    file: records,
    find: "        .where('used_at', '=', 0)\n",
    put: '',
    fails: {
      file: refreshTest,
      title: 'T-20 gives 100 different requests at the same instant one token, identical ones one answer',
    },
  },
  {
    of: ['T-21'],
    file: records,
    find: 'const result = await db\n        .updateTable(',
    put: 'if (usedHere.has(hash)) return false;\n      usedHere.set(hash, { usedAtMs, digest, sealedAnswer });\n      if (usedHere.size > 0) return true;\n      const result = await db\n        .updateTable(',
    also: [
      {
        file: records,
        find: 'return { hash, sid: row.sid, ...(row.used_at !== 0 && { use }) };',
        put: 'const here = usedHere.get(hash);\n      return { hash, sid: row.sid, ...(row.used_at === 0 ? here && { use: here } : { use }) };',
      },
      {
        file: records,
        find: 'export const retryWindowMs = 2000;\n',
        put: 'export const retryWindowMs = 2000;\n\nconst usedHere = new Map<string, { usedAtMs: number; digest: string; sealedAnswer: string }>();\n',
      },
    ],
    fails: {
      file: `${src}/refresh-races.test.ts`,
      title: 'T-21 is killed after a refresh token was used: the token stays used, and its replay ends the session',
    },
  },
  {
    of: ['T-22'],
    file: refresh,
    find: '  const isFirst = await transaction.useRefreshToken(',
    put: "  if (usedHere.has(hash)) throw invalid('used');\n  usedHere.add(hash);\n  const isFirst = await transaction.useRefreshToken(",
    also: [
      {
        file: refresh,
        find: "export const refreshTokenGrant = 'refresh_token';\n",
        put: "export const refreshTokenGrant = 'refresh_token';\n\nconst usedHere = new Set<string>();\n",
      },
    ],
    fails: { file: refreshTest, title: 'T-22 can be used still when the commit failed' },
  },
  {
    of: ['T-23', 'T-24'],
    file: refresh,
    find: 'watermarks: [...watermarks, ...(subjectHandles?.watermarks ?? [])],',
    put: "watermarks: watermarks.filter(({ kind }) => kind !== 'audience'),",
    fails: {
      file: refreshTest,
      title: 'T-23 T-24 ends with a revocation of its %s, and stays ended for as long as it would have lived',
      case: 'audience',
    },
  },
  {
    of: ['T-24'],
    file: `${grants}/issuer.ts`,
    find: "    { kind: 'audience', value: aud },\n",
    put: '',
    fails: { file: matrixTest, title: everyWay, case: 'client_credentials' },
  },
  {
    of: ['T-24'],
    file: `${grants}/introspect-token.ts`,
    find: 'const isRevoked = await transaction.isRevoked(handlesOf(token));',
    put: "const isRevoked = token.kid !== '' && (await transaction.isRevoked(handlesOf(token)));",
    fails: { file: matrixTest, title: everyWay, case: 'opaque' },
  },
  {
    of: ['T-24'],
    file: `${grants}/subject-token.ts`,
    find: '  await refuseRevoked(role, token, handles, transaction);\n',
    put: '  if (!cnf) await refuseRevoked(role, token, handles, transaction);\n',
    fails: { file: matrixTest, title: everyWay, case: 'dpop' },
  },
  {
    of: ['T-24'],
    file: `${src}/record/revocation-records.ts`,
    find: "eb('value', '=', value), eb('n', '>', rn)])),",
    put: "eb('value', 'like', value.concat('%')), eb('n', '>', rn)])),",
    fails: { file: matrixTest, title: everyWay, case: 'client_credentials' },
  },
  {
    of: ['T-24'],
    file: 'packages/revocation/src/revocation-set.ts',
    find: 'act !== undefined && table.has(kindIndex.actor)',
    put: 'act === null && table.has(kindIndex.actor)',
    fails: { file: matrixTest, title: everyWay, case: 'token-exchange' },
  },
  {
    of: ['T-25'],
    file: `${grants}/introspect-token.ts`,
    find: ' || family.clientId !== client.id) return { active: false };',
    put: ') return { active: false };',
    fails: { file: refreshTest, title: 'is told to its client alone, as long as its refresh token can be used' },
  },
  {
    of: ['T-26'],
    file: policy,
    find: 'allowed = intersectScope(sorted(grant.scopes), sorted(grant.delegation.scopes));',
    put: 'allowed = sorted(grant.scopes);',
    fails: { file: doorsTest, title: everyDoor, case: 'the operation' },
  },
  {
    of: ['T-26'],
    file: policy,
    find: "      if (!grant?.delegation) return refuse('DELEGATION_NOT_ALLOWED', rule);\n",
    put: "      if (!grant) return refuse('DELEGATION_NOT_ALLOWED', rule);\n      if (!grant.delegation) return { allowed: true, rule, scope: sorted(grant.scopes), maxLifeSeconds: lifeSeconds };\n",
    fails: { file: doorsTest, title: everyDoor, case: 'gRPC ExchangeToken' },
  },
  {
    of: ['T-26'],
    file: policy,
    find: 'const isTrusted = grant.delegation.issuers?.includes(subjectIssuer) ?? false;',
    put: 'const isTrusted = true;',
    fails: { file: doorsTest, title: everyDoor, case: 'HTTP POST /token' },
  },
  {
    of: ['T-26'],
    file: `${grants}/exchange-tokens.ts`,
    find: 'return await issueToken(readRequest(request), client, transaction, issuer);',
    put: 'const decide: typeof issuer.policy.decide = (asked, _subject, actor) => issuer.policy.decide(asked, undefined, actor);\n  return await issueToken(readRequest(request), client, transaction, { ...issuer, policy: { ...issuer.policy, decide } });',
    fails: { file: doorsTest, title: everyDoor, case: 'the operation for several' },
  },
  {
    of: ['T-26'],
    file: `${src}/doors/exchange-service.ts`,
    find: 'operations.exchange(call.request, evidenceOf(call, authority))',
    put: "operations.exchange({ ...call.request, scope: '' }, evidenceOf(call, authority))",
    fails: { file: doorsTest, title: everyDoor, case: 'gRPC ExchangeToken' },
  },
  {
    of: ['T-26'],
    file: facade,
    find: '...(await readParameters(c, exchangeParameters)) }, evidenceOf(c, url));',
    put: "...(await readParameters(c, exchangeParameters)), scope: '' }, evidenceOf(c, url));",
    fails: { file: doorsTest, title: everyDoor, case: 'HTTP POST /token' },
  },
  {
    of: ['T-26'],
    file: `${grants}/simulate.ts`,
    find: 'scope: asked.scope, ...(subject?.issuer && { subjectIssuer: subject.issuer }) };',
    put: 'scope: asked.scope };',
    fails: { file: doorsTest, title: 'T-26 is what Simulate tells' },
  },
  {
    of: ['T-26', 'T-27'],
    file: exchange,
    find: '  if (!forActor.allowed) return forActor;\n',
    put: '  if (!forActor.allowed) return forClient;\n',
    fails: { file: grantsTest, title: 'T-26 has to be allowed what the client is allowed, and the client what it is' },
  },
  {
    of: ['T-27'],
    file: `${grants}/issuer.ts`,
    find: "for (let actor = act; actor; actor = actor.act) watermarks.push({ kind: 'actor', value: actor.sub });",
    put: "if (act) watermarks.push({ kind: 'actor', value: act.sub });",
    fails: { file: exchangeTest, title: 'T-27 gets no token by a subject token whose %s was revoked', case: 'actor' },
  },
  {
    of: ['T-27'],
    file: `${grants}/subject-token.ts`,
    find: "  if (claims.act) throw invalid('actor', 'it was itself obtained on behalf of another');\n",
    put: '',
    fails: { file: grantsTest, title: 'T-27 is refused %s', case: 'that was itself obtained on behalf of another' },
  },
  {
    of: ['T-27'],
    file: `${grants}/subject-issuer.ts`,
    find: "  if (act !== undefined) throw refused('it has an act, which cannot be vouched for');\n",
    put: '',
    fails: { file: grantsTest, title: 'T-26 is refused with a token %s', case: 'T-27 with actors of its own' },
  },
  {
    of: ['T-27'],
    file: `${grants}/subject-token.ts`,
    find: 'suspendedAmong([claims.sub, claims.client_id, ...actorChain(claims)]);',
    put: 'suspendedAmong([claims.sub, claims.client_id]);',
    fails: { file: exchangeTest, title: 'holds back a suspended client, subject or actor until it is resumed' },
  },
  {
    of: ['T-27'],
    file: exchange,
    find: "    ...(actors.length > 0 && { act: actors.join(' ') }),\n",
    put: '',
    fails: {
      file: `${src}/audit/audit-service.test.ts`,
      title: 'T-27 holds every issuance with who, for whom, by which rule, and the chain of actors',
    },
  },
  {
    of: ['T-27'],
    file: `${src}/record/audit-records.ts`,
    find: 'const canonical = JSON.stringify([chain, seq, t, kind, who, what,',
    put: "const canonical = JSON.stringify([chain, seq, t, kind, who, '',",
    fails: { file: `${src}/record/audit-records.test.ts`, title: 'T-27 shows that somebody changed %s of an event', case: 'what' },
  },
];
