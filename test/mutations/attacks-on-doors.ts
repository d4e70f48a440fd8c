import type { Edit, Mutation } from './mutation.ts';

const src = 'services/token-exchange/src';
const grants = `${src}/grants`;
const exchange = `${grants}/exchange-token.ts`;
const exchangeTest = `${grants}/exchange-token.test.ts`;
const policy = `${grants}/policy.ts`;
const policyTest = `${grants}/attacks-on-policy.test.ts`;
const refresh = `${grants}/refresh-token.ts`;
const refreshTest = `${grants}/refresh-token.test.ts`;
const facade = `${src}/doors/facade.ts`;
const nobodyTest = `${src}/doors/unauthenticated.test.ts`;
const clientLimitsTest = `${src}/clients/client-limits.test.ts`;
const limitsTest = `${src}/doors/limits.test.ts`;
const clients = `${src}/clients/client-authentication.ts`;
const issuerKeys = `${src}/clients/issuer-keys.ts`;
const issuerKeysTest = `${src}/clients/issuer-keys.test.ts`;
const records = `${src}/record/grant-records.ts`;
const configSchema = `${src}/config/config-schema.ts`;
// what processes read, made of the .proto files
const contract = 'proto/src/gen/tokenmesh.json';

const nobody = 'nothing is answered but what anybody may read, and the record stays as it is';
const atItsLimit = '%s is taken at its limit and refused one past it';

/** Defences of services/token-exchange against attacks on keys, names, addresses and whatever comes in by a door: T-28 to T-44. */
export const attackOnDoorMutations: readonly Mutation[] = [
  {
    of: ['T-28'],
    file: `${grants}/issuer.ts`,
    find: '    keys: keys.token,\n',
    put: '    keys: { find: (kid) => keys.token.find(kid) ?? keys.feed.verification.get(kid) },\n',
    fails: { file: exchangeTest, title: 'refuses %s', case: 'T-28 a subject token signed by the feed’s key' },
  },
  {
    of: ['T-28'],
    file: `${src}/keys/keys.ts`,
    find: 'find: (kid) => last()?.verification.get(kid),',
    put: 'find: (kid) => [...opened.values()].map(({ verification }) => verification.get(kid)).find((key) => key),',
    fails: { file: `${src}/keys/keys.test.ts`, title: 'T-28 keeps token keys and feed keys apart' },
  },
  {
    of: ['T-29'],
    file: configSchema,
    find: ".min(1, { error: 'no audience is configured, expected at least one' })",
    put: '',
    fails: {
      file: `${src}/config/config.test.ts`,
      title: 'with %s is refused at its place, with the way out',
      case: 'no audience (T-29)',
    },
  },
  {
    of: ['T-30'],
    file: configSchema,
    find: '  .refine(isSpiffeId, {',
    put: '  .refine((text) => isSpiffeId(text.trim().toLowerCase()), {',
    fails: { file: policyTest, title: '%j is refused wherever an identity stands in the configuration' },
  },
  {
    of: ['T-30'],
    file: configSchema,
    find: '.regex(/^[\\x21\\x23-\\x5B\\x5D-\\x7E]{1,128}$/, {',
    put: '.regex(/^[^ ]{1,128}$/, {',
    fails: { file: policyTest, title: 'scope %j is refused in the configuration' },
  },
  {
    of: ['T-30'],
    file: policy,
    find: 'const grant = grants.get(pair(actor.id, audience));',
    put: "const grant = grants.get(pair(actor.id, audience.trim().normalize('NFKC').toLowerCase()));",
    fails: { file: policyTest, title: '%j is no target that a grant opens, and no client that a key proves' },
  },
  {
    of: ['T-30'],
    file: `${src}/doors/admin-service.ts`,
    find: "kind === 'all' ? [] : value.split(' ');",
    put: "kind === 'all' ? [] : value.trim().split(' ');",
    fails: { file: `${src}/service.test.ts`, title: 'refuses to revoke by %s', case: 'a value with a space (T-30)' },
  },
  {
    of: ['T-31'],
    file: facade,
    find: "    if (seen.has(name)) throw new TokenError('REQUEST_INVALID', 'a parameter is given twice');\n",
    put: '',
    fails: {
      file: `${src}/doors/facade.test.ts`,
      title: 'T-31: refuses a parameter that is given twice, whether it is known or not',
    },
  },
  {
    of: ['T-31'],
    file: facade,
    find: "if (seen.has(name)) throw new TokenError('REQUEST_INVALID', 'a parameter is given twice');",
    put: "if (seen.has(name) && known.has('grant_type')) throw new TokenError('REQUEST_INVALID', 'a parameter is given twice');",
    fails: { file: nobodyTest, title: 'T-31 no parameter is taken twice, and none from the address, at any endpoint' },
  },
  {
    of: ['T-31'],
    file: facade,
    find: 'const form = new URLSearchParams(await c.req.text());',
    put: 'const form = new URLSearchParams([...new URLSearchParams(await c.req.text()), ...Object.entries(c.req.query())]);',
    fails: { file: nobodyTest, title: 'T-31 no parameter is taken twice, and none from the address, at any endpoint' },
  },
  {
    of: ['T-31', 'T-34'],
    file: issuerKeys,
    find: "if (!/^application\\/(jwk-set\\+)?json *(;|$)/i.test(type)) return fail('the keys were not answered as JSON');",
    put: "if (type === 'image/png') return fail('the keys were not answered as JSON');",
    fails: { file: issuerKeysTest, title: 'T-34, T-43: are not taken from %s', case: 'an HTML page' },
  },
  {
    of: ['T-32'],
    file: `${src}/revocation/applied-log.ts`,
    find: '  await enforceTargets(n);\n',
    put: '',
    fails: { file: `${src}/revocation/revocation-log.test.ts`, title: 'T-32 outlasts a restart' },
  },
  {
    of: ['T-32'],
    file: records,
    find: '      return row?.exp ?? 0;\n',
    put: '      return row === undefined ? 0 : 1;\n',
    fails: {
      file: refreshTest,
      title: 'T-23 T-24 ends with a revocation of its %s, and stays ended for as long as it would have lived',
      case: 'subject',
    },
  },
  {
    of: ['T-33'],
    file: contract,
    ...withRule('ResumeWorkload', 'admin.revoke', { public: true }),
    // the handler asks who its caller is as well
    also: [
      {
        file: `${src}/doors/admin-service.ts`,
        find: 'who: callerOf(call).clientId, what: { workload: client_id }',
        put: 'what: { workload: client_id }',
      },
      {
        file: `${src}/doors/admin-service.ts`,
        find: "log.warn({ event: 'workload.resumed', client_id, by: callerOf(call).clientId });",
        put: '',
      },
    ],
    fails: { file: nobodyTest, title: nobody },
  },
  {
    of: ['T-33'],
    file: contract,
    ...withRule('RotateKeys', 'admin.keys', { any_caller: true }),
    fails: { file: nobodyTest, title: 'nothing that operators do is done with a token of a workload' },
  },
  {
    of: ['T-33'],
    file: clients,
    find: "if (!client_assertion) throw failed('no client assertion');",
    put: "if (!client_assertion) return { client: registered(request.client_id, issuer.config), method: 'private_key_jwt' };",
    fails: { file: nobodyTest, title: nobody },
  },
  {
    of: ['T-33'],
    file: facade,
    find: "app.get('/jwks', (c) => {",
    put: "app.delete('/jwks', (c) => c.body(null, 204));\n  app.get('/jwks', (c) => {",
    fails: {
      file: nobodyTest,
      title: 'T-33 no path and no method does anything without a proof but show what anybody may read',
    },
  },
  {
    of: ['T-33'],
    file: clients,
    find: "if (!client_assertion) throw failed('no client assertion');",
    put: "if (!client_assertion) {\n    await issuer.store.transaction((transaction) => transaction.useAssertionId(request.client_id, issuer.newId(), 1));\n    throw failed('no client assertion');\n  }",
    fails: { file: nobodyTest, title: nobody },
  },
  {
    of: ['T-34'],
    file: issuerKeys,
    find: 'if (response.statusCode !== 200) return fail(',
    put: 'if (response.statusCode === 404) return fail(',
    fails: { file: issuerKeysTest, title: 'T-34, T-43: are not taken from %s', case: 'a redirect' },
  },
  {
    of: ['T-34'],
    file: issuerKeys,
    find: 'if (bytes > maxBytes) return fail(',
    put: 'if (bytes > 2 * maxBytes) return fail(',
    fails: { file: issuerKeysTest, title: 'T-34, T-43: are not taken from %s', case: 'more than 256 KiB' },
  },
  {
    of: ['T-34'],
    file: issuerKeys,
    find: '    ...(!allowPrivateNetwork && { lookup: lookupPublic }),\n',
    put: '',
    fails: { file: issuerKeysTest, title: 'T-34: are not asked for at %s unless private networks are allowed', case: 'localhost' },
  },
  {
    of: ['T-34'],
    file: issuerKeys,
    find: 'if (!allowPrivateNetwork && isIP(literal) && !isPublic(literal)) throw',
    put: 'if (!allowPrivateNetwork && !literal) throw',
    fails: { file: issuerKeysTest, title: 'T-34: are not asked for at %s unless private networks are allowed', case: '127.0.0.1' },
  },
  {
    of: ['T-34'],
    file: issuerKeys,
    find: "if (url?.protocol !== 'https:' || ",
    put: 'if (!url || ',
    fails: { file: issuerKeysTest, title: 'T-34: refuses %s', case: 'http://issuer.test/jwks' },
  },
  {
    of: ['T-34'],
    file: issuerKeys,
    find: "'169.254.0.0/16', ",
    put: '',
    fails: { file: issuerKeysTest, title: 'T-34: %s is not public', case: '169.254.169.254' },
  },
  {
    of: ['T-34'],
    file: exchange,
    find: '  return audience || resource;\n',
    put: '  if (resource) void fetch(resource).catch(() => undefined);\n  return audience || resource;\n',
    fails: { file: policyTest, title: 'is never asked, whatever parameter, claim or header it stands in' },
  },
  {
    of: ['T-35'],
    file: issuerKeys,
    find: 'const retryAfterMs = 30_000;',
    put: 'const retryAfterMs = 1000;',
    fails: { file: issuerKeysTest, title: 'T-35: 100 000 unknown kids cause one request in 30 s' },
  },
  {
    of: ['T-36'],
    file: exchange,
    find: "  if (!decision.refresh) throw new TokenError('GRANT_INVALID', 'the grant allows no refresh any more');\n",
    put: '',
    fails: { file: policyTest, title: 'a refresh token brings back none of what was taken: %s', case: 'the refresh' },
  },
  {
    of: ['T-36'],
    file: exchange,
    find: 'const decision = allow(judge(target, subject, client, undefined, issuer.policy), client);',
    put: 'const decision = { ...allow(judge(target, subject, client, undefined, issuer.policy), client), scope: family.scope };',
    fails: { file: policyTest, title: 'a refresh token brings back none of what was taken: %s', case: 'the scope' },
  },
  {
    of: ['T-36'],
    file: refresh,
    find: 'if (!hasScope(granted, asked)) throw',
    put: 'if (asked.length > 9 && !hasScope(granted, asked)) throw',
    fails: {
      file: policyTest,
      title: 'a refresh token goes on for the one scope, audience and form that its client asks for within its grant, and for no other',
    },
  },
  {
    of: ['T-36'],
    file: exchange,
    find: 'txn: subject?.txn ?? jti,',
    put: 'txn: (request as unknown as { txn?: string }).txn ?? subject?.txn ?? jti,',
    fails: { file: policyTest, title: 'an actor, a chain or a binding that a client writes into its request is nobody’s' },
  },
  {
    of: ['T-36'],
    file: facade,
    find: '    ...(raw && { certificate: readClientCertificate(raw) }),\n',
    put: "    ...(c.req.header('x-forwarded-client-cert') && { certificate: { uri: c.req.header('x-forwarded-client-cert')?.split('URI=')[1], thumbprint: 'A'.repeat(43) } }),\n",
    fails: { file: nobodyTest, title: 'T-36 no header and no parameter of a client says who it is or what is allowed' },
  },
  {
    of: ['T-36'],
    file: clients,
    find: "  if (!config.development) throw failed('client_secret is not offered');\n",
    put: '',
    fails: { file: nobodyTest, title: 'T-36 no header and no parameter of a client says who it is or what is allowed' },
  },
  {
    of: ['T-37'],
    file: 'packages/interceptor/src/incoming/rules.ts',
    find: "return exemptServices.has(method.slice(1, method.lastIndexOf('/')));",
    put: 'return [...exemptServices].some((service) => method.includes(service));',
    fails: {
      file: 'packages/interceptor/src/incoming/rules.test.ts',
      title: 'T-37: exempts the health service and nothing that looks like it',
    },
  },
  {
    of: ['T-37'],
    file: 'packages/interceptor/src/incoming/rules.ts',
    find: "const exemptServices = new Set(['grpc.health.v1.Health']);",
    put: "const exemptServices = new Set(['grpc.health.v1.Health', 'tokenmesh.v1.Admin']);",
    fails: { file: nobodyTest, title: 'T-37 nothing but health is exempt, whatever it is called like' },
  },
  {
    of: ['T-44'],
    file: `${src}/doors/admin-service.ts`,
    find: 'const maxTargets = 500;',
    put: 'const maxTargets = 501;',
    fails: { file: limitsTest, title: atItsLimit, case: 'the targets of a revocation' },
  },
  {
    of: ['T-44'],
    file: `${src}/doors/admin-service.ts`,
    find: 'if (note.length > maxNoteLength) throw',
    put: 'if (note.length >= maxNoteLength) throw',
    fails: { file: limitsTest, title: atItsLimit, case: 'a note of a revocation' },
  },
  {
    of: ['T-44'],
    file: `${src}/server.ts`,
    find: "'grpc.max_receive_message_length': 256 * 1024,",
    put: "'grpc.max_receive_message_length': 257 * 1024,",
    fails: { file: limitsTest, title: atItsLimit, case: 'a message' },
  },
  {
    of: ['T-44'],
    file: facade,
    find: 'const maxBodyBytes = 64 * 1024;',
    put: 'const maxBodyBytes = 64 * 1024 - 1;',
    fails: { file: limitsTest, title: 'a body is taken at 64 KiB and refused one byte past it' },
  },
  {
    of: ['T-44'],
    file: configSchema,
    find: "    .refine((text) => Number(text.slice(text.lastIndexOf(':') + 1)) <= 65_535, { error });",
    put: '    .refine(() => true, { error });',
    fails: { file: `${src}/config/config-limits.test.ts`, title: atItsLimit, case: 'facade.listen' },
  },
  {
    of: ['T-44'],
    file: `${src}/clients/issuer-jwt.ts`,
    find: 'const maxBytes = 8192;',
    put: 'const maxBytes = 8193;',
    fails: { file: clientLimitsTest, title: 'a JWT is taken at 8 KiB and refused one byte past it' },
  },
  {
    of: ['T-44'],
    file: `${src}/clients/federation.ts`,
    find: 'if (isSingleUse && jti.length > 128) throw',
    put: 'if (isSingleUse && jti.length > 129) throw',
    fails: { file: clientLimitsTest, title: 'the id of a JWT for one request is taken at 128 characters and refused one past it' },
  },
  {
    of: ['T-44'],
    file: `${src}/clients/client-secret.ts`,
    find: 'await derive(secret.slice(0, 513),',
    put: 'await derive(secret.slice(0, 512),',
    fails: { file: clientLimitsTest, title: 'a secret is taken at 512 characters and refused one past it' },
  },
  {
    of: ['T-44'],
    file: `${src}/revocation/verifier-reports.ts`,
    find: 'const maxInstances = 1000;',
    put: 'const maxInstances = 1001;',
    fails: {
      file: `${src}/revocation/verifier-reports.test.ts`,
      title: 'T-44 keeps 128 characters of a text, 32 keys, and 1000 instances of a workload, and no more',
    },
  },
];

/** Gives a method another rule than the one with `scopes`. */
function withRule(method: string, scopes: string, rule: Readonly<Record<string, true>>): Pick<Edit, 'find' | 'put'> {
  const ofMethod = (parsed: Readonly<Record<string, string | true>>) => {
    const options = Object.fromEntries(Object.entries(parsed).map(([name, value]) => [`(tokenmesh.v1.access).${name}`, value]));
    const described = { requestType: `${method}Request`, responseType: `${method}Response`, options };
    const lines = JSON.stringify({ ...described, parsedOptions: [{ '(tokenmesh.v1.access)': parsed }] }, null, 1).split('\n');
    return lines
      .slice(1, -1)
      .map((line) => `        ${line}`)
      .join('\n');
  };
  return { find: ofMethod({ scopes }), put: ofMethod(rule) };
}
