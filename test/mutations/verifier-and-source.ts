import type { Mutation } from './mutation.ts';

const src = 'packages/interceptor/src';

/** Defences of what a verifier takes on the word of others, of its rules, and of the caller's token source. */
export const verifierAndSourceMutations: readonly Mutation[] = [
  {
    of: ['opaque tokens'],
    file: `${src}/incoming/verify-call.ts`,
    find: 'const token = acceptIntrospectedClaims(asked.introspection.claims, issuer.verifyOptions);',
    put: "const token = { claims: asked.introspection.claims as never, kid: '', scope: ['orders.write'] };",
    fails: { file: `${src}/incoming/opaque-tokens.test.ts`, title: '%s is refused although it is active' },
  },
  {
    of: ['opaque tokens'],
    file: `${src}/incoming/verify-call.ts`,
    find: 'now() < cached.keptUntilMs',
    put: 'true',
    fails: { file: `${src}/incoming/opaque-tokens.test.ts`, title: 'is asked about again when the answer is 30 s old, and not before' },
  },
  {
    of: ['opaque tokens'],
    file: `${src}/incoming/verify-call.ts`,
    find: 'ask(compact, { from, maxAgeMs: opaqueKeepMs })',
    put: 'ask(compact, { maxAgeMs: opaqueKeepMs })',
    fails: {
      file: `${src}/incoming/opaque-tokens.test.ts`,
      title: 'of one peer keeps no more than 16 questions waiting, and leaves room for others',
    },
  },
  {
    of: ['opaque tokens'],
    file: `${src}/incoming/verify-call.ts`,
    find: '!introspection.active || introspection.claims.jti !== token.claims.jti',
    put: '!introspection.active',
    fails: {
      file: `${src}/incoming/verify-call.test.ts`,
      title: 'asks token-exchange about calls of critical methods while stale, and goes by its answer: %s',
      case: 'active, of another token',
    },
  },
  {
    of: ['opaque tokens'],
    file: `${src}/incoming/introspector.ts`,
    find: 'inFlight >= maxInFlight || ',
    put: '',
    fails: {
      file: `${src}/incoming/opaque-tokens.test.ts`,
      title: 'of many peers keeps no more than 64 questions waiting, and touches nobody whose token is known',
    },
  },
  {
    of: ['opaque tokens'],
    file: `${src}/incoming/introspector.ts`,
    find: ' || fromOne >= maxInFlightFromOne',
    put: '',
    fails: {
      file: `${src}/incoming/opaque-tokens.test.ts`,
      title: 'of one peer keeps no more than 16 questions waiting, and leaves room for others',
    },
  },
  {
    of: ['opaque tokens'],
    file: `${src}/incoming/introspector.ts`,
    find: '!known.isIn || ',
    put: '',
    fails: { file: `${src}/incoming/opaque-tokens.test.ts`, title: 'is not asked about again while the answer is late, however late' },
  },
  {
    of: ['opaque tokens'],
    file: `${src}/outgoing/exchange-client.ts`,
    find: '    ...(cnf && {',
    put: '    ...(cnf && (cnf.x5t_s256 || cnf.jkt) && {',
    fails: { file: `${src}/outgoing/exchanges-together.test.ts`, title: 'makes no unbound token of a binding that it does not understand' },
  },
  {
    of: ['T-28'],
    file: `${src}/incoming/verify-call.ts`,
    find: "const issuer = typeof iss === 'string' ? issuers.get(iss) : undefined;",
    put: 'const issuer = own;',
    fails: {
      file: `${src}/mesh/several-issuers.test.ts`,
      title: 'T-28: verifies a token with the keys of the issuer that it names, and no others',
    },
  },
  {
    of: ['T-28'],
    file: `${src}/incoming/verify-call.ts`,
    find: "    if (!issuer) throw new TokenError('ISSUER_UNTRUSTED', 'the issuer is not trusted here');\n    return issuer;",
    put: '    return issuer ?? own;',
    fails: {
      file: `${src}/mesh/several-issuers.test.ts`,
      title: 'T-28: verifies a token with the keys of the issuer that it names, and no others',
    },
  },
  {
    of: ['several issuers'],
    file: `${src}/incoming/verify-call.ts`,
    find: 'const { set } = entry.issuer.revocation;',
    put: 'const { set } = own.revocation;',
    fails: { file: `${src}/mesh/several-issuers.test.ts`, title: 'lets an issuer revoke its own tokens, and none of the other' },
  },
  {
    of: ['several issuers'],
    file: `${src}/incoming/verify-call.ts`,
    find: 'const freshness = entry.issuer.revocation.freshness(at);',
    put: 'const freshness = own.revocation.freshness(at);',
    fails: {
      file: `${src}/mesh/several-issuers.test.ts`,
      title: 'closes critical methods to the tokens of the issuer that was not heard, and to no others',
    },
  },
  {
    of: ['several issuers'],
    file: `${src}/incoming/verify-call.ts`,
    find: 'issuerNamedBy(token).revocation.set.find(token)',
    put: 'own.revocation.set.find(token)',
    fails: {
      file: `${src}/mesh/several-issuers.test.ts`,
      title: 'ends a live stream when its own issuer revokes its token, and not when the other one does',
    },
  },
  {
    of: ['access rules'],
    file: `${src}/incoming/access-rules.ts`,
    find: 'if (!given.has(name)) throw',
    put: 'if (false) throw',
    fails: { file: `${src}/incoming/access-rules.test.ts`, title: 'does not type-check without a rule for each method, and refuses it' },
  },
  {
    of: ['T-42'],
    file: `${src}/incoming/rules.ts`,
    find: 'if (other && JSON.stringify(other) !== JSON.stringify(rule))',
    put: 'if (false)',
    fails: {
      file: `${src}/incoming/rules.test.ts`,
      title: 'T-42: refuses to start when a method has two rules that differ, whichever is the weaker',
    },
  },
  {
    of: ['wait for a request'],
    file: `${src}/incoming/awaited-requests.ts`,
    find: 'const overdue = old;',
    put: 'const overdue = new Set<ServerInterceptingCall>();\n    void old;',
    fails: { file: `${src}/incoming/awaited-requests.test.ts`, title: '(%s) is ended, and its handler never runs', case: 'health' },
  },
  {
    of: ['wait for a request'],
    file: `${src}/incoming/server-interceptor.ts`,
    find: 'return new AwaitedCall(traced ?? call, awaited);',
    put: 'return (traced ?? call) as never;',
    fails: { file: `${src}/incoming/awaited-requests.test.ts`, title: '(%s) is ended, and its handler never runs', case: 'health' },
  },
  {
    of: ['wait for a verification'],
    file: `${src}/incoming/guarded-call.ts`,
    find: 'else this.#keep(() => this.listener.onReceiveMessage(message));',
    put: 'else this.listener.onReceiveMessage(message);',
    fails: {
      file: `${src}/incoming/guarded-call.test.ts`,
      title: 'gives its handler nothing, and then what came meanwhile in its order',
    },
  },
  {
    of: ['wait for a verification'],
    file: `${src}/incoming/guarded-call.ts`,
    find: 'else this.#keep(() => this.listener.onReceiveHalfClose());',
    put: 'else this.listener.onReceiveHalfClose();',
    fails: {
      file: `${src}/incoming/guarded-call.test.ts`,
      title: 'gives its handler nothing when it %s, not what came before nor what comes after',
      case: 'is refused',
    },
  },
  {
    of: ['wait for a verification'],
    file: `${src}/incoming/guarded-call.ts`,
    find: '    this.#isAdmitted = true;\n',
    put: '    this.#isAdmitted = true;\n    if (this.#kept) this.#kept.length = 1;\n',
    fails: {
      file: `${src}/incoming/guarded-call.test.ts`,
      title: 'gives its handler nothing, and then what came meanwhile in its order',
    },
  },
  {
    of: ['wait for a verification'],
    file: `${src}/server-call-layer.ts`,
    find: '    this.listener = nobody;\n',
    put: '',
    fails: { file: `${src}/incoming/guarded-call.test.ts`, title: 'tells the handler of a call nothing once it is over' },
  },
  {
    of: ['callers'],
    file: `${src}/incoming/caller.ts`,
    find: 'return VerifiedCaller.is(caller) ? caller : undefined;',
    put: 'return caller as never;',
    fails: {
      file: `${src}/incoming/caller.test.ts`,
      title: 'takes nobody for the caller who was not verified, whoever put him there',
    },
  },
  {
    of: ['T-15'],
    file: `${src}/mesh/node-version.ts`,
    find: 'if (part < least) throw',
    put: 'if (false) throw',
    fails: {
      file: `${src}/mesh/node-version.test.ts`,
      title: 'T-15: refuses an older engine, and one that does not say how old it is, with what is needed',
    },
  },
  {
    of: ['token source'],
    file: `${src}/outgoing/token-source.ts`,
    find: 'if (entry.inFlight) {',
    put: 'if (entry.inFlight && !entry.held) {',
    fails: {
      file: `${src}/outgoing/token-schedules.test.ts`,
      title:
        'no schedule of answers, failures, deadlines, cancels and revocations makes a call hang, or presents a token that is over or known to be revoked, or asks twice at once',
    },
  },
  {
    of: ['token source'],
    file: `${src}/outgoing/token-source.ts`,
    find: 'if (isRevoked(entry) || isBoundToFormer(entry) || entry.held.expMs <= now())',
    put: 'if (isBoundToFormer(entry))',
    fails: {
      file: `${src}/outgoing/token-schedules.test.ts`,
      title:
        'no schedule of answers, failures, deadlines, cancels and revocations makes a call hang, or presents a token that is over or known to be revoked, or asks twice at once',
    },
  },
  {
    of: ['token source'],
    file: `${src}/outgoing/token-source.ts`,
    find: '    if (isRevoked(entry) || isBoundToFormer(entry)) evict(entry);\n',
    put: '',
    fails: {
      file: `${src}/outgoing/token-schedules.test.ts`,
      title:
        'no schedule of answers, failures, deadlines, cancels and revocations makes a call hang, or presents a token that is over or known to be revoked, or asks twice at once',
    },
  },
  {
    of: ['token source'],
    file: `${src}/outgoing/token-source.ts`,
    find: 'if (entry.held === held && now() < held.expMs && !isRevoked(entry)) return held;',
    put: 'if (now() < held.expMs) return held;',
    fails: {
      file: `${src}/outgoing/token-source.test.ts`,
      title: 'does not fall back to a token that was refused or revoked while its replacement failed',
    },
  },
  {
    of: ['token source'],
    file: `${src}/outgoing/token-source.ts`,
    find: '    setImmediate(evictRevoked);\n',
    put: '',
    fails: {
      file: `${src}/outgoing/token-source.test.ts`,
      title: 'drops what a burst of revocations covers at once, in one pass, before anybody asks',
    },
  },
  {
    of: ['key set'],
    file: `${src}/incoming/remote-key-set.ts`,
    find: "      if (answered.size === 0) throw new TypeError('the issuer answered with no keys');\n",
    put: '',
    fails: { file: `${src}/incoming/remote-key-set.test.ts`, title: 'keeps its keys when an answer holds none' },
  },
  {
    of: ['key set'],
    file: `${src}/incoming/remote-key-set.ts`,
    find: 'Math.max(minRefreshMs, answer.maxAgeSeconds * 500)',
    put: 'answer.maxAgeSeconds * 500',
    fails: {
      file: `${src}/incoming/remote-key-set.test.ts`,
      title: 'asks again after a sensible time when an answer names %s as its max-age',
      case: 'none',
    },
  },
  {
    of: ['opaque tokens'],
    file: 'packages/token/src/service-token.ts',
    find: '  checkExpectations(claims, options, options.audience);\n',
    put: '',
    fails: { file: 'packages/token/src/service-token.test.ts', title: 'are refused with %s', case: 'another audience' },
  },
  {
    of: ['T-44'],
    file: 'services/token-exchange/src/revocation/reported-rules.ts',
    find: ' || text.length > maxTableLength',
    put: '',
    fails: {
      file: 'services/token-exchange/src/revocation/verifier-reports.test.ts',
      title: 'T-44 is kept up to 512 methods, 128 KiB and 16 different tables of a workload, and one that is larger not in part',
    },
  },
  {
    of: ['T-44'],
    file: 'services/token-exchange/src/revocation/reported-rules.ts',
    find: 'tables.size < maxTables ?',
    put: 'true ?',
    fails: {
      file: 'services/token-exchange/src/revocation/verifier-reports.test.ts',
      title: 'T-44 is kept up to 512 methods, 128 KiB and 16 different tables of a workload, and one that is larger not in part',
    },
  },
  {
    of: ['refusals'],
    file: `${src}/incoming/guarded-call.ts`,
    find: '    } catch {\n      // who is told',
    put: '    } finally {\n      // who is told',
    fails: { file: `${src}/incoming/guarded-call.test.ts`, title: 'refuses the call all the same: %s', case: 'at once' },
  },
];
