import type { Mutation } from './mutation.ts';

const binding = 'packages/interceptor/src/incoming/binding.ts';
const bearer = 'packages/interceptor/src/incoming/bearer.ts';
const cache = 'packages/interceptor/src/incoming/verified-token-cache.ts';
const remoteKeySet = 'packages/interceptor/src/incoming/remote-key-set.ts';
const guardedCall = 'packages/interceptor/src/incoming/guarded-call.ts';
const status = 'packages/interceptor/src/status.ts';
const verifyCall = 'packages/interceptor/src/incoming/verify-call.ts';
const checkRule = 'packages/interceptor/src/incoming/check-rule.ts';
const attacksTest = 'packages/interceptor/src/incoming/server-interceptor-attacks.test.ts';
const bindingTest = 'packages/interceptor/src/incoming/binding.test.ts';
const bearerTest = 'packages/interceptor/src/incoming/bearer.test.ts';
const remoteKeySetTest = 'packages/interceptor/src/incoming/remote-key-set.test.ts';
const serverInterceptorTest = 'packages/interceptor/src/incoming/server-interceptor.test.ts';
const statusTest = 'packages/interceptor/src/status.test.ts';
const verifyCallTest = 'packages/interceptor/src/incoming/verify-call.test.ts';

/** Defences of packages/interceptor. */
export const interceptorMutations: readonly Mutation[] = [
  {
    of: ['RFC 8693 2.2.2'],
    file: status,
    find: "oauth: 'invalid_target'",
    put: "oauth: 'invalid_request'",
    fails: { file: statusTest, title: 'answers %s with gRPC status %i and OAuth error %s', case: 'TARGET_REFUSED' },
  },
  {
    of: ['RFC 8693 4.1'],
    file: checkRule,
    find: 'claims.act?.sub ?? claims.client_id',
    put: 'claims.act?.act?.sub ?? claims.client_id',
    fails: { file: verifyCallTest, title: 'counts the current actor, and nobody further down the chain, as the caller' },
  },
  {
    of: ['RFC 8693 4.1'],
    file: checkRule,
    find: 'rule.callers.includes(caller)',
    put: 'rule.callers.some((one) => one === caller || one === claims.client_id)',
    fails: { file: verifyCallTest, title: 'counts the current actor, and nobody further down the chain, as the caller' },
  },
  {
    of: ['RFC 9068 4'],
    file: status,
    find: "const invalidToken = { status: UNAUTHENTICATED, oauth: 'invalid_token',",
    put: "const invalidToken = { status: UNAUTHENTICATED, oauth: 'invalid_request',",
    fails: { file: statusTest, title: 'challenges after RFC 6750 section 3' },
  },
  {
    of: ['RFC 8705 3'],
    file: binding,
    find: 'thumbprint !== undefined && thumbprint !== peer.certificateThumbprint()',
    put: 'thumbprint !== undefined && thumbprint !== (peer.certificateThumbprint() ?? thumbprint)',
    fails: { file: verifyCallTest, title: 'takes a certificate-bound token from the holder of the certificate only' },
  },
  {
    of: ['RFC 9449 7.1'],
    file: binding,
    find: "if (cnf?.jkt !== undefined && presented.scheme !== 'DPoP')",
    put: "if (cnf?.jkt !== undefined && presented.scheme === 'DPoP')",
    fails: { file: verifyCallTest, title: 'refuses a key-bound token that comes as a bearer token' },
  },
  {
    of: ['RFC 9449 7.1'],
    file: binding,
    find: '      accessToken: token,\n',
    put: '',
    fails: { file: bindingTest, title: 'is refused with a proof for %s', case: 'no token' },
  },
  {
    of: ['RFC 9449 7.1'],
    file: binding,
    find: "      htm: 'POST',",
    put: "      htm: 'GET',",
    fails: { file: bindingTest, title: 'is refused with a proof for %s', case: 'another method of HTTP' },
  },
  {
    of: ['RFC 9449 7.1'],
    file: binding,
    find: '    if (verified.jkt !== jkt)',
    put: '    if (verified.jkt === undefined)',
    fails: { file: bindingTest, title: 'is refused with a proof by another key' },
  },
  {
    of: ['RFC 9449 11.1'],
    file: binding,
    find: '    if (!used.use(verified))',
    put: '    if (!used.use(verified) && proof === undefined)',
    fails: { file: bindingTest, title: 'takes a proof once' },
  },
  {
    of: ['T-03'],
    file: remoteKeySet,
    find: 'importJwks(answer.keys)',
    put: "importJwks(answer.keys.filter(({ alg }) => alg !== ''))",
    fails: { file: remoteKeySetTest, title: 'T-03: keeps its keys when an answer holds one that is not strict' },
  },
  {
    of: ['T-11'],
    file: cache,
    find: 'if (entry?.compact !== compact) return undefined;',
    put: 'if (!entry) return undefined;',
    also: [{ file: cache, find: 'return compact.slice(-endLength);', put: 'return compact.slice(0, 200);' }],
    fails: { file: verifyCallTest, title: 'T-11: never mistakes one token for another, though they share all but their end' },
  },
  {
    of: ['T-11'],
    file: cache,
    find: 'if (newest?.compact === compact) return newest;',
    put: 'if (newest?.compact.length === compact.length) return newest;',
    fails: { file: verifyCallTest, title: 'T-11: never mistakes one token for another, though they share all but their end' },
  },
  {
    of: ['T-11'],
    file: cache,
    find: 'entries.size > maxEntries ||',
    put: 'entries.size > maxEntries + 1 ||',
    fails: { file: verifyCallTest, title: 'T-11: keeps no more verified tokens than it may' },
  },
  {
    of: ['T-29'],
    file: verifyCall,
    find: "  if (audience === '') throw new TypeError('audience must name this service');",
    put: '',
    fails: { file: verifyCallTest, title: 'T-29: cannot be made without an audience' },
  },
  {
    of: ['T-35'],
    file: remoteKeySet,
    find: 'if (inFlight || Math.abs(now() - askedAtMs) >= 1000) await',
    put: 'await',
    fails: { file: remoteKeySetTest, title: 'T-35: fetches at most once a second however many unknown kids are asked for' },
  },
  {
    of: ['T-35'],
    file: remoteKeySet,
    find: 'inFlight ??= load()',
    put: 'inFlight = load()',
    fails: { file: remoteKeySetTest, title: 'T-35: fetches at most once a second however many unknown kids are asked for' },
  },
  {
    of: ['T-38'],
    file: guardedCall,
    find: "if (!rule) throw new TokenError('CALLER_NOT_ALLOWED',",
    put: "if (!rule) return this.#letIn(metadata);\n      if (!rule) throw new TokenError('CALLER_NOT_ALLOWED',",
    fails: { file: serverInterceptorTest, title: 'T-38: refuses a method of a service that was added without naming its package' },
  },
  {
    of: ['T-40'],
    file: bearer,
    find: '=*)$/i',
    put: '=*)/i',
    fails: { file: bearerTest, title: 'T-40: refuses %j, which is not the whole b64token grammar' },
  },
  {
    of: ['T-40'],
    file: bearer,
    find: '=*)$/i',
    put: '=*)/i',
    fails: { file: serverInterceptorTest, title: 'T-40: refuses two credentials in one value' },
  },
  {
    of: ['T-40'],
    file: bearer,
    find: "  if (usual.length + compact.length > 1) throw new TokenError('CREDENTIAL_AMBIGUOUS', 'several credentials');",
    put: '',
    fails: { file: bearerTest, title: 'refuses two authorization values' },
  },
  {
    of: ['T-40'],
    file: bearer,
    find: 'if (value === lastBearer?.value) return',
    put: 'if (lastBearer && value.length === lastBearer.value.length) return',
    fails: { file: bearerTest, title: 'T-40: takes a value that it read before for itself alone, and not twice on one call' },
  },
  {
    of: ['T-41'],
    file: guardedCall,
    find: "if (!rule.public) throw new TokenError('CREDENTIAL_MISSING',",
    put: "if (rule.public) throw new TokenError('CREDENTIAL_MISSING',",
    fails: { file: attacksTest, title: 'lets a call without a credential in as nobody, and one with a good token as who it is' },
  },
  {
    // CVE-2021-21378: a method that needs no token was open to those with a bad one.
    of: ['T-41'],
    file: guardedCall,
    find: '      if (!presented) {',
    put: '      if (rule.public) return this.#letIn(metadata);\n      if (!presented) {',
    fails: { file: attacksTest, title: 'refuses a token %s, and does not take its caller for nobody', case: 'that is forged' },
  },
  {
    of: ['T-42'],
    file: guardedCall,
    find: '      if (!presented) {',
    put: "      if (rule.class === 'critical') return this.#letIn(metadata);\n      if (!presented) {",
    fails: { file: attacksTest, title: 'is taken away by no access rule, not by %j', case: 'METHOD_CLASS_CRITICAL' },
  },
  {
    of: ['T-42'],
    file: guardedCall,
    find: '      if (!presented) {',
    put: '      if (rule.scopes.length + rule.anyScope.length === 0) return this.#letIn(metadata);\n      if (!presented) {',
    fails: { file: attacksTest, title: 'is taken away by no access rule, not by %j', case: 'callers' },
  },
  {
    of: ['T-42'],
    file: 'packages/token/src/client-assertion.ts',
    find: '    this.kid = jws.kid;\n',
    put: '    this.kid = jws.kid;\n    Object.assign(this, { jti: jws.payload.jti, exp: 0 });\n',
    fails: {
      file: 'packages/token/src/client-assertion.test.ts',
      title: 'T-42 what was only read says that it is unverified, and does not pass for what was verified',
    },
  },
  {
    of: ['T-43'],
    file: remoteKeySet,
    find: '    } catch {\n      failures++;',
    put: "    } catch (error) {\n      if (!(error instanceof Error && error.message === '500')) throw error;\n      failures++;",
    fails: { file: attacksTest, title: 'the server answers, and goes on: %s keys, %s token', case: 'HTML keys, a good' },
  },
  {
    of: ['T-43'],
    file: remoteKeySet,
    find: "    if (!usable()) throw new TokenError('KEYS_UNAVAILABLE', 'the issuer has not been reached for its keys');\n",
    put: '',
    fails: { file: attacksTest, title: 'the server answers, and goes on: %s keys, %s token', case: 'refused keys, a good' },
  },
  {
    of: ['T-43'],
    file: guardedCall,
    find: '.catch((error: unknown) => this.#refuse(error))',
    put: '',
    fails: { file: attacksTest, title: 'the server answers, and goes on: %s keys, %s token', case: 'late keys, a forged' },
  },
  {
    of: ['T-11'],
    file: cache,
    find: 'if (entry?.compact !== compact) return undefined;',
    put: 'if (!entry) return undefined;',
    also: [{ file: cache, find: 'return compact.slice(-endLength);', put: 'return compact.slice(0, 200);' }],
    fails: {
      file: 'packages/interceptor/src/incoming/verified-token-cache.test.ts',
      title: 'T-11: tells a hundred thousand tokens apart that are equal in their first 200 characters',
    },
  },
  {
    of: ['T-11'],
    file: cache,
    find: 'if (entry?.compact !== compact) return undefined;',
    put: 'if (!entry) return undefined;',
    fails: { file: 'packages/interceptor/src/incoming/verified-token-cache.test.ts', title: 'T-11: tells tokens apart that end alike' },
  },
  {
    of: ['bounded memory'],
    file: cache,
    find: 'entries.size > maxEntries || bytes > maxBytes',
    put: 'entries.size > maxEntries',
    fails: {
      file: 'packages/interceptor/src/incoming/verified-token-cache.test.ts',
      title: 'keeps fewer tokens when they are longer than 1 KiB on average, and the newest always',
    },
  },
];
