import type { Mutation } from './mutation.ts';

const src = 'services/token-exchange/src';
const nonces = 'packages/token/src/dpop-nonce.ts';
const noncesTest = 'packages/token/src/dpop-nonce.test.ts';
const facadeTest = `${src}/doors/facade.test.ts`;
const stockTest = `${src}/doors/stock-clients.test.ts`;
const operations = `${src}/grants/operations.ts`;
const admissionTest = `${src}/doors/admission.test.ts`;
const startTest = `${src}/server-start.test.ts`;
const liveTest = `${src}/grants/live-issuer.test.ts`;

/** Defences of token-exchange against proofs made ahead, against strangers that use a name up, and against what a failed start leaves behind. */
export const admissionAndNonceMutations: readonly Mutation[] = [
  {
    of: ['RFC 9449 8'],
    file: `${src}/clients/token-binding.ts`,
    find: 'nonce: nonces?.accepted(), now',
    put: 'now',
    fails: { file: facadeTest, title: 'is told the nonce with the refusal, and comes again with it' },
  },
  {
    of: ['RFC 9449 8'],
    file: `${src}/doors/facade.ts`,
    find: "c.header('dpop-nonce', dpopNonces.current())",
    put: 'dpopNonces.current()',
    fails: { file: facadeTest, title: 'is told the nonce with the refusal, and comes again with it' },
  },
  {
    of: ['RFC 9449 8'],
    file: `${src}/doors/answer-unary.ts`,
    find: '        refused.metadata.merge(trailersOf(call));\n',
    put: '',
    fails: {
      file: stockTest,
      title: 'gets, exchanges, refreshes, introspects and revokes %s',
      case: 'tokens bound by DPoP, with the nonce that it is asked for once',
    },
  },
  {
    of: ['RFC 9449 8'],
    file: nonces,
    find: "createHmac('sha256', key)",
    put: "createHmac('sha256', '')",
    fails: { file: noncesTest, title: 'a nonce is accepted by every server with the same key, and by none with another' },
  },
  {
    of: ['RFC 9449 8'],
    file: nonces,
    find: '[now() - nonceWindowMs, now(), ',
    put: '[now() - 2 * nonceWindowMs, now() - nonceWindowMs, now(), ',
    fails: { file: noncesTest, title: 'a nonce is accepted until the window after its own is over' },
  },
  {
    of: ['RFC 9449 8'],
    file: nonces,
    find: '[now() - nonceWindowMs, now(), ',
    put: '[now(), ',
    fails: { file: noncesTest, title: 'a nonce is accepted until the window after its own is over' },
  },
  {
    of: ['RFC 9449 8'],
    file: nonces,
    find: 'now() + clockToleranceMs',
    put: 'now()',
    fails: { file: noncesTest, title: 'the nonce of the next window is accepted 5 s ahead, from a server whose clock is' },
  },
  {
    of: ['RFC 9449 8'],
    file: `${src}/keys/key-encryption.ts`,
    find: "hkdfSync('sha256', key,",
    put: "hkdfSync('sha256', '',",
    fails: { file: `${src}/keys/keys.test.ts`, title: 'derives a key for each other purpose, the same in every process that has it' },
  },
  {
    of: ['RFC 9449 8.2'],
    file: `${src}/doors/facade.ts`,
    find: "c.req.header('dpop') !== undefined) c.header",
    put: "c.res.status === 400 && c.req.header('dpop') !== undefined) c.header",
    fails: { file: facadeTest, title: 'openid-client comes again by itself, once until the nonce is too old' },
  },
  {
    of: ['RFC 9449 5.1'],
    file: operations,
    find: '      dpop_signing_alg_values_supported: [...algorithmNames],\n',
    put: '',
    fails: { file: stockTest, title: 'reads what it may do' },
  },
  {
    of: ['RFC 8705 3.3'],
    file: operations,
    find: 'live.config.tls?.clientCa !== undefined',
    put: 'false',
    fails: { file: stockTest, title: 'reads what it may do' },
  },
  {
    of: ['admission'],
    file: `${src}/doors/admission.ts`,
    find: 'provedClientOf(error) === undefined) giveBack',
    put: "error.reason === 'CLIENT_AUTHENTICATION_FAILED') giveBack",
    fails: {
      file: admissionTest,
      title: 'is not used up by somebody who only names it and is refused with %s',
      case: 'GRANT_TYPE_UNSUPPORTED',
    },
  },
  {
    of: ['admission'],
    file: `${src}/doors/admission.ts`,
    find: 'error instanceof TokenError && provedClientOf(error) === undefined) giveBack',
    put: 'error instanceof TokenError) giveBack',
    fails: { file: admissionTest, title: 'is used up by what is refused for another reason' },
  },
  {
    of: ['admission'],
    file: `${src}/doors/admit-operations.ts`,
    find: "return federations?.findClaimed(unverified) ?? '';",
    put: "return '';",
    fails: {
      file: admissionTest,
      title: 'are run for the workload that the JWT of an issuer that vouches would stand for, and for nobody when it would be refused',
    },
  },
  {
    of: ['admission'],
    file: `${src}/config/config-schema.ts`,
    find: '.default(10_000)',
    put: '.default(2000)',
    fails: { file: admissionTest, title: 'a thousand instances of a workload may start at the same instant, with six exchanges each' },
  },
  {
    of: ['admission'],
    file: `${src}/config/config-schema.ts`,
    find: '.default(8192)',
    put: '.default(1024)',
    fails: { file: admissionTest, title: 'a thousand instances of a workload may start at the same instant, with six exchanges each' },
  },
  {
    of: ['admission'],
    file: `${src}/doors/waiting-line.ts`,
    find: "return first && take(first.entry, 'shift')",
    put: "return first && take(first.entry, 'pop')",
    fails: {
      file: `${src}/doors/waiting-line.test.ts`,
      title: 'gives out, in whatever order it is used, what looking through all that wait would find',
    },
  },
  ...['revocations', 'rotation', 'audit'].map((part) => ({
    of: ['start'],
    file: `${src}/server.ts`,
    find: `  opened.defer(${part}.close);\n`,
    put: '',
    fails: { file: startTest, title: 'stops what works in the background when the start fails: %s', case: 'the port of gRPC is taken' },
  })),
  {
    of: ['start'],
    file: `${src}/server.ts`,
    find: 'drain(server), facade?.close()',
    put: 'drain(server)',
    fails: { file: startTest, title: 'gives back the port of HTTP when the one of gRPC is taken' },
  },
  {
    of: ['reload'],
    file: `${src}/grants/live-issuer.ts`,
    find: 'const othersOfNext = isTrustTheSame ? others : trust(config)',
    put: 'const othersOfNext = isTrustTheSame ? others : others',
    fails: { file: liveTest, title: 'trusts the issuers of the new configuration from the next request on, and no other' },
  },
  {
    of: ['reload'],
    file: `${src}/grants/live-issuer.ts`,
    find: 'const othersOfNext = isTrustTheSame ? others : trust(config)',
    put: 'const othersOfNext = trust(config)',
    fails: { file: liveTest, title: 'opens other issuers again only when they are others: their keys stay known' },
  },
  {
    of: ['audit'],
    file: `${src}/revocation/begin-epoch.ts`,
    find: "    transaction.audit(auditEntry('epoch.begun', now, { who: 'begin-epoch', what }));\n",
    put: '',
    fails: { file: `${src}/revocation/begin-epoch.test.ts`, title: 'is kept in the audit, whose chains hold' },
  },
  {
    of: ['admission'],
    file: `${src}/doors/snapshot-streams.ts`,
    find: 'all >= limit()',
    put: 'all > limit()',
    fails: {
      file: `${src}/doors/snapshot-streams.test.ts`,
      title: 'are bounded by the configuration in force',
    },
  },
  {
    of: ['admission'],
    file: `${src}/doors/snapshot-streams.ts`,
    find: ' || its >= Math.ceil(limit() / 2)',
    put: '',
    fails: {
      file: `${src}/doors/snapshot-streams.test.ts`,
      title: 'are read by so many at a time, and by one workload in half of the places; whoever is sent away finds one that was left',
    },
  },
  {
    of: ['admission'],
    file: `${src}/doors/snapshot-streams.ts`,
    find: '      if (isHeld) leave(clientId);\n',
    put: '',
    fails: {
      file: `${src}/doors/snapshot-streams.test.ts`,
      title: 'are read by so many at a time, and by one workload in half of the places; whoever is sent away finds one that was left',
    },
  },
  {
    of: ['admission'],
    file: `${src}/doors/write-chunks.ts`,
    find: '      await taken(earlier);\n',
    put: '',
    fails: { file: `${src}/doors/write-chunks.test.ts`, title: 'has two chunks under way at most, and ends when the last is taken' },
  },
  {
    of: ['admission'],
    file: `${src}/doors/write-chunks.ts`,
    find: '    if (until.aborted) throw tooSlow();\n',
    put: '',
    fails: {
      file: `${src}/doors/write-chunks.test.ts`,
      title: 'ends with DEADLINE_EXCEEDED when a reader is too slow, with some chunks or with the last',
    },
  },
];
