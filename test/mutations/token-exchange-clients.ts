import type { Mutation } from './mutation.ts';

const src = 'services/token-exchange/src';
const grants = `${src}/grants`;
const exchange = `${grants}/exchange-token.ts`;
const exchangeTest = `${grants}/exchange-token.test.ts`;
const introspectTest = `${grants}/introspect-and-revoke.test.ts`;
const facade = `${src}/doors/facade.ts`;
const facadeTest = `${src}/doors/facade.test.ts`;
const clients = `${src}/clients/client-authentication.ts`;
const clientsTest = `${src}/clients/client-authentication.test.ts`;
const boundTest = `${grants}/bound-tokens.test.ts`;

/** Defences of services/token-exchange that docs/reference/conformance.md names: how clients prove themselves, and metadata. */
export const tokenExchangeClientMutations: readonly Mutation[] = [
  {
    of: ['RFC 8705 2'],
    file: clients,
    find: "  if (!client_id) throw failed('client_id is missing, which a certificate needs beside it');\n  const client = registered(client_id, config);",
    put: "  const client = registered(client_id || (uri ?? ''), config);",
    fails: {
      file: clientsTest,
      title: 'refuses a workload that is not registered for it, one that is unknown, and a request that names none',
    },
  },
  {
    of: ['RFC 8705 2'],
    file: clients,
    find: "  if (!client.tlsClientAuth) throw failed('the workload is not registered for tls_client_auth');\n",
    put: '',
    fails: {
      file: clientsTest,
      title: 'refuses a workload that is not registered for it, one that is unknown, and a request that names none',
    },
  },
  {
    of: ['RFC 8705 2.1'],
    file: clients,
    // node:tls leaves out a certificate that does not chain
    find: '  if (!client_assertion && !client_assertion_type && certificate) {\n    return { client: byCertificate(request, issuer, certificate),',
    put: "  if (!client_assertion && !client_assertion_type) {\n    return { client: byCertificate(request, issuer, certificate ?? { uri: request.client_id, thumbprint: '' }),",
    fails: { file: boundTest, title: 'authenticates by a certificate of its authority, and by no other' },
  },
  {
    of: ['RFC 8705 2.1'],
    file: facade,
    find: 'const raw = socket.authorized ? socket.getPeerCertificate().raw : undefined;',
    put: 'const { raw } = socket.getPeerCertificate();',
    fails: { file: boundTest, title: 'authenticates by a certificate of its authority over HTTP as well, and by no other' },
  },
  {
    of: ['RFC 8705 2.1'],
    file: clients,
    find: "  if (uri !== client.id) throw failed('the certificate does not name the workload as its only URI');\n",
    put: '',
    fails: { file: clientsTest, title: 'refuses a certificate that %s', case: 'names another workload' },
  },
  {
    of: ['RFC 8705 2.1'],
    file: `${src}/clients/client-evidence.ts`,
    find: 'return uris.length === 1 && !certificate.ca ? uris[0] : undefined;',
    put: 'return uris[0];',
    fails: { file: clientsTest, title: 'refuses a certificate that %s', case: 'names two' },
  },
  {
    of: ['RFC 8705 3'],
    file: `${src}/clients/token-binding.ts`,
    find: "...(toCertificate && certificate && { 'x5t#S256': certificate.thumbprint }),",
    put: '',
    fails: { file: boundTest, title: 'issues bound tokens by certificate, which another certificate cannot use' },
  },
  {
    of: ['RFC 8705 3.1'],
    file: `${src}/clients/client-evidence.ts`,
    find: "hash('sha256', raw, 'base64url')",
    put: "hash('sha256', raw.toString('base64'), 'base64url')",
    fails: { file: clientsTest, title: 'is bound to the certificate that a workload authenticated with' },
  },
  {
    of: ['RFC 8705 3.2'],
    file: `${grants}/introspect-token.ts`,
    find: "x5t_s256: cnf['x5t#S256'] ?? ''",
    put: "x5t_s256: ''",
    fails: { file: introspectTest, title: 'tells the certificate that a token is bound to, which is used as a bearer token' },
  },
  {
    of: ['RFC 9449 4.3'],
    file: `${src}/clients/client-evidence.ts`,
    find: "  if (second !== undefined) throw new TokenError('PROOF_INVALID', 'more than one DPoP proof');\n",
    put: '',
    fails: { file: clientsTest, title: 'takes one DPoP proof, and refuses two' },
  },
  {
    of: ['RFC 9449 5'],
    file: `${src}/clients/token-binding.ts`,
    find: '...(proof && { jkt: proof.jkt }),',
    put: '',
    fails: { file: clientsTest, title: 'is bound to the key of a DPoP proof' },
  },
  {
    of: ['RFC 9449 5'],
    file: exchange,
    find: "'the grant allows no refresh any more');\n  const cnf = confirmationFor(decision.binding, client);",
    put: "'the grant allows no refresh any more');\n  const cnf = undefined;",
    fails: { file: facadeTest, title: 'gets a session with DPoP-bound tokens, refreshes it and ends it' },
  },
  {
    of: ['RFC 9449 5'],
    file: `${grants}/access-token.ts`,
    find: "token_type: claims.cnf?.jkt === undefined ? 'Bearer' : 'DPoP',",
    put: "token_type: 'Bearer',",
    fails: { file: facadeTest, title: 'gets a session with DPoP-bound tokens, refreshes it and ends it' },
  },
  {
    of: ['RFC 9449 5'],
    file: facade,
    find: "    case 'DELEGATION_NOT_ALLOWED':\n",
    put: "    case 'PROOF_INVALID':\n    case 'DELEGATION_NOT_ALLOWED':\n",
    fails: { file: facadeTest, title: 'calls a DPoP proof that does not count by its name' },
  },
  {
    of: ['RFC 9449 6.2'],
    file: `${grants}/introspect-token.ts`,
    find: "token_type: cnf?.jkt === undefined ? 'Bearer' : 'DPoP',",
    put: "token_type: 'Bearer',",
    fails: { file: introspectTest, title: 'tells the audience and the client of a token what it holds' },
  },
  {
    of: ['RFC 9449 11.1', 'T-17'],
    file: clients,
    find: '      if (proof) await useProof(transaction, proof);\n',
    put: '',
    fails: { file: clientsTest, title: 'takes a DPoP proof once, with whatever assertion it comes' },
  },
  {
    of: ['RFC 7523 2.2'],
    file: facade,
    find: "  if (parameters.client_assertion || parameters.client_secret)\n    throw new TokenError('REQUEST_INVALID', 'two methods of client authentication at once');\n",
    put: '',
    // the operation refuses it as well
    also: [
      {
        file: clients,
        find: "  if (client_assertion && client_secret) throw new TokenError('REQUEST_INVALID', 'two methods of client authentication at once');\n",
        put: '',
      },
    ],
    fails: { file: facadeTest, title: 'refuses two methods of client authentication, and challenges a client that tried Basic' },
  },
  {
    of: ['RFC 7523 3 (7)', 'T-17'],
    file: clients,
    find: 'if (singleUse && !(await transaction.useAssertionId(singleUse.issuedBy, singleUse.jti, singleUse.exp))) {',
    put: 'if (singleUse === null) {',
    fails: { file: exchangeTest, title: 'T-17 serves an assertion exactly once, however many come at the same instant' },
  },
  {
    of: ['RFC 7523 3.2'],
    file: facade,
    find: "return oauthFailure(c, 401, 'invalid_client', details);",
    put: "return oauthFailure(c, 401, 'unauthorized_client', details);",
    fails: { file: facadeTest, title: 'refuses %s', case: 'no client authentication' },
  },
  {
    of: ['RFC 8414 2'],
    file: `${src}/config/config-schema.ts`,
    find: "return protocol === 'https:' && username",
    put: 'return username',
    fails: {
      file: `${src}/config/config.test.ts`,
      title: 'with %s is refused at its place, with the way out',
      case: 'an issuer that is not https',
    },
  },
  {
    of: ['RFC 8414 2'],
    file: facade,
    find: '    response_types_supported: [],',
    put: '',
    fails: { file: facadeTest, title: 'names what a client of a method that signs needs to know, and no algorithm that is none' },
  },
  {
    of: ['RFC 8414 2'],
    file: facade,
    find: '    revocation_endpoint_auth_signing_alg_values_supported: algorithms,\n',
    put: '',
    fails: { file: facadeTest, title: 'names what a client of a method that signs needs to know, and no algorithm that is none' },
  },
  {
    of: ['RFC 8414 3'],
    file: facade,
    find: "app.get('/.well-known/oauth-authorization-server',",
    put: "app.get('/.well-known/openid-configuration',",
    fails: { file: facadeTest, title: 'discovers the issuer, gets a token, exchanges it, introspects it and revokes it' },
  },
  {
    of: ['RFC 8414 3.2'],
    file: facade,
    find: "    ...presentMembers({ ...metadata, audience: '' }),\n",
    put: "    ...{ ...metadata, audience: '' },\n",
    fails: { file: facadeTest, title: 'names what a client of a method that signs needs to know, and no algorithm that is none' },
  },
  {
    of: ['RFC 8414 3.3'],
    file: `${grants}/operations.ts`,
    find: '      issuer: live.config.issuer,\n',
    put: '      issuer: live.config.audience,\n',
    fails: { file: facadeTest, title: 'openid-client gets a token that a stock JWT verifier takes' },
  },
];
