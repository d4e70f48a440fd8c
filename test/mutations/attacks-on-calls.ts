import type { Mutation } from './mutation.ts';

const src = 'packages/interceptor/src';
const redaction = `${src}/mesh/redacted-grpc-log.ts`;
const redactionTest = `${src}/mesh/redacted-grpc-log.test.ts`;
const server = `${src}/incoming/server-interceptor.ts`;
const guarded = `${src}/incoming/guarded-call.ts`;
const status = `${src}/status.ts`;
const resetTest = `${src}/incoming/reset-streams.test.ts`;
const awaitedTest = `${src}/incoming/awaited-requests.test.ts`;
const refusalsTest = 'test/refusals-on-every-kind-of-call.test.ts';
const exchangeTest = 'test/refusals-of-token-exchange.test.ts';
const wireTest = 'test/attacks-on-the-wire.test.ts';
const foreignTest = 'test/foreign-clients-and-servers.test.ts';
const keptTest = 'test/no-token-is-kept.test.ts';
const nothingGivenAway = '%s, for %s, a %s call, and gives away nothing';

/**
 * Defences of calls as they are on the wire, T-38 to T-50, and of what a refusal tells. T-39, T-46 and the messages of T-47 that grow are defended by
 * Node and grpc-js: nothing of ours could be taken out. T-49 is about what is not there.
 */
export const attackOnCallMutations: readonly Mutation[] = [
  {
    of: ['T-38'],
    file: server,
    find: 'rules.get(path)',
    put: 'rules.get(path) ?? [...rules.values()].find(({ scopes }) => scopes.length > 0)',
    fails: { file: refusalsTest, title: nothingGivenAway, case: 'CALLER_NOT_ALLOWED, for a service without rules, a Bidi' },
  },
  {
    of: ['T-40'],
    file: `${src}/incoming/bearer.ts`,
    find: '+/]+=*)$/i;',
    put: '+/]+=*)/i;',
    fails: { file: wireTest, title: 'several in one value are none' },
  },
  {
    of: ['T-45'],
    file: `${src}/incoming/verify-call.ts`,
    find: "      if (peer.isGone) throw new Error('the call was given up');\n",
    put: '',
    fails: {
      file: resetTest,
      title: 'T-45: checks no signature for streams that are reset as soon as they are opened, and enters no handler',
    },
  },
  {
    of: ['T-45'],
    file: guarded,
    find: '    if (this.#peer) this.#peer.isGone = true;\n',
    put: '',
    fails: { file: resetTest, title: 'T-45: closes a connection that goes on like that, and has still checked nothing' },
  },
  {
    of: ['T-47'],
    file: guarded,
    find: '    if (!this.#method.requestStream) this.#guard.awaited.add(this);\n',
    put: '',
    fails: { file: awaitedTest, title: '(%s) is ended, and its handler never runs', case: 'server stream' },
  },
  {
    of: ['T-47'],
    file: guarded,
    find: 'if (!this.#method.requestStream) this.#guard.awaited.add',
    put: 'this.#guard.awaited.add',
    fails: { file: awaitedTest, title: 'that streams its requests may take its time' },
  },
  {
    of: ['T-48'],
    file: status,
    find: '    return undefined; // details that are not protobuf',
    put: "    return { reason: 'TOKEN_MALFORMED', info: {}, remedy: 'new_token', retryAfterMs: 0 }; // details that are not protobuf",
    fails: { file: foreignTest, title: 'T-48: takes details that cannot be read for none: a %s call', case: 'Unary' },
  },
  {
    of: ['T-48'],
    file: `${src}/incoming/bearer.ts`,
    find: "const usual = metadata.get('authorization');",
    put: "const usual = [...metadata.get('authorization'), ...metadata.get('authorization-bin').map(String)].slice(0, 1);",
    fails: { file: refusalsTest, title: nothingGivenAway, case: 'a token where nobody looks for one' },
  },
  {
    of: ['T-50'],
    file: redaction,
    find: ".replace(rejectedEntry, '$1')",
    put: '',
    fails: { file: redactionTest, title: 'T-50: names a metadata entry that it rejects, and keeps its value to itself' },
  },
  {
    of: ['T-50'],
    file: redaction,
    find: ".replace(credential, '$1 …')",
    put: '',
    fails: { file: redactionTest, title: 'T-50: holds no credential where it prints metadata' },
  },
  {
    of: ['T-50'],
    file: server,
    find: '  redactGrpcLog();\n',
    put: '',
    fails: { file: wireTest, title: 'is none, and nobody prints it' },
  },
  {
    of: ['T-50'],
    file: guarded,
    find: '    if (error instanceof TokenError) this.#tellRefused(error);',
    put: '    console.error(JSON.stringify(this.getPeer()), reason, this.#told);\n    if (error instanceof TokenError) this.#tellRefused(error);',
    also: [
      {
        file: guarded,
        find: '      const presented = readCredential(metadata);\n',
        put: "      this.#told = metadata.get('dpop').concat(metadata.get('authorization')).join();\n      const presented = readCredential(metadata);\n",
      },
      { file: guarded, find: '  #ended = false;\n', put: "  #ended = false;\n  #told = '';\n" },
    ],
    fails: {
      file: keptTest,
      title: 'nothing is in what its processes printed, logged, traced, audited or stored',
    },
  },
  {
    of: ['T-50'],
    file: 'services/token-exchange/src/doors/exchange-service.ts',
    find: 'operations.introspect(call.request,',
    put: 'operations.introspect((console.error(call.request.token), call.request),',
    fails: {
      file: keptTest,
      title: 'nothing is in what its processes printed, logged, traced, audited or stored',
    },
  },
  {
    of: ['T-50'],
    file: 'services/token-exchange/src/main.ts',
    find: "const redacted = () => log.warn({ event: 'grpc.message', detail: 'withheld: it may hold header values' });",
    put: "const redacted = (...said: unknown[]) => log.warn({ event: 'grpc.message', detail: said.join(' ') });",
    also: [
      { file: server, find: '  redactGrpcLog();\n', put: '' },
      // of what grpc-js says ten lines a second are written, which hold a header's value or, in one run of three, none
      { file: 'services/token-exchange/src/limited-log.ts', find: 'const linesPerWindow = 10;', put: 'const linesPerWindow = 100_000;' },
    ],
    fails: {
      file: keptTest,
      title: 'nothing is in what its processes printed, logged, traced, audited or stored',
    },
  },
  {
    of: ['refusals'],
    file: `${src}/incoming/refusal-statuses.ts`,
    find: 'refusalStatus(reason, wireInfo(reason, rule, admitted))',
    put: 'refusalStatus(reason, { ...wireInfo(reason, rule, admitted), class: rule.class })',
    fails: { file: refusalsTest, title: nothingGivenAway, case: 'TOKEN_EXPIRED, for an old token, a ServerStream' },
  },
  {
    of: ['refusals'],
    file: `${src}/incoming/refusal-statuses.ts`,
    find: 'status.metadata.clone()',
    put: 'status.metadata',
    fails: {
      file: `${src}/incoming/refusal-statuses.test.ts`,
      title: 'keeps what another interceptor adds to the trailers of one call out of the next',
    },
  },
  {
    of: ['refusals'],
    file: status,
    find: "metadata.set('www-authenticate', challenge(row, info.scope));",
    put: "metadata.set('www-authenticate', challenge(row));",
    also: [
      {
        file: status,
        find: 'function challenge(row: WireError, scope: string | undefined)',
        put: 'function challenge(row: WireError, scope?: string)',
      },
    ],
    fails: { file: refusalsTest, title: nothingGivenAway, case: 'SCOPE_INSUFFICIENT, for other scopes, a ClientStream' },
  },
  {
    of: ['refusals'],
    file: status,
    find: "BOUND_TOKEN_AS_BEARER: { ...invalidToken, scheme: 'DPoP',",
    put: 'BOUND_TOKEN_AS_BEARER: { ...invalidToken,',
    fails: { file: refusalsTest, title: nothingGivenAway, case: 'BOUND_TOKEN_AS_BEARER' },
  },
  {
    of: ['refusals'],
    file: status,
    find: "REVOCATION_STALE: { status: UNAVAILABLE, remedy: 'backoff',",
    put: 'REVOCATION_STALE: { status: UNAVAILABLE,',
    fails: { file: refusalsTest, title: nothingGivenAway, case: 'REVOCATION_STALE' },
  },
  {
    of: ['refusals'],
    file: 'services/token-exchange/src/doors/facade.ts',
    find: 'const { details } = refusalStatus(reason);',
    put: 'const details = error.message;',
    fails: { file: exchangeTest, title: 'what OAuth calls %s over HTTP, and gives away nothing', case: 'CLIENT_AUTHENTICATION_FAILED' },
  },
  {
    of: ['refusals'],
    file: 'services/token-exchange/src/doors/facade.ts',
    find: "  if (isLater) c.header('retry-after',",
    put: "  if (isLater && c.req.path === '') c.header('retry-after',",
    fails: { file: exchangeTest, title: 'what OAuth calls %s over HTTP, and gives away nothing', case: 'EXCHANGE_OVERLOADED' },
  },
  {
    of: ['one retry'],
    file: `${src}/outgoing/client-interceptor.ts`,
    find: '      if (this.#refused || !this.#used) return false;\n',
    put: '      if (!this.#used) return false;\n',
    also: [
      {
        file: `${src}/outgoing/token-source.ts`,
        find: 'if (untilMs > entry.droppedAtMs) entry.failure',
        put: 'if (untilMs > Infinity) entry.failure',
      },
    ],
    fails: {
      file: foreignTest,
      title: 'shows two tokens, and no more in a second, to a service that calls each of them revoked: %s calls',
      case: 'Unary',
    },
  },
  {
    of: ['T-48'],
    file: `${src}/outgoing/client-interceptor.ts`,
    find: '    const refusal = result.code === status.OK ? undefined : refusalOf(result);\n',
    put: "    const refusal = result.code === status.UNAUTHENTICATED ? ({ reason: 'TOKEN_REVOKED', info: {}, remedy: 'new_token', retryAfterMs: 0 } as const) : undefined;\n",
    fails: { file: foreignTest, title: 'takes a refusal without details for what it is, and asks nobody again: a %s call', case: 'Unary' },
  },
];
