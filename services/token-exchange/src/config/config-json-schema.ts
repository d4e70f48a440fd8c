import { z } from 'zod';
import { configSchema } from './config-schema.ts';

type JsonSchema = z.core.JSONSchema.BaseSchema;

/** What an editor shows and checks of one member, beyond what its type says. */
interface Annotation {
  readonly description: string;
  readonly pattern?: string;
}

const spiffeId = { pattern: '^spiffe://[a-z0-9._-]+(/[A-Za-z0-9._-]+)+$' };
const duration = { pattern: '^\\d{1,9}(ms|s|m|h|d)$' };
const https = { pattern: '^https://' };

/** By member, `[]` for the items of a list. Every member has one: a new one without fails the test. */
const annotations: Readonly<Record<string, Annotation>> = {
  trust_domain: { description: 'SPIFFE trust domain of the mesh. Its workloads are spiffe://<trust domain>/….', pattern: '^[a-z0-9._-]+$' },
  issuer: {
    description: 'iss of every token, and the sole aud of client assertions. Default https://token-exchange.<trust domain>.',
    ...https,
  },
  listen: { description: 'host:port of the gRPC server; port 0 lets the system choose.' },
  authority: { description: 'Host, and port where it is not 443, under which clients know token-exchange. Default the host of issuer.' },
  development: { description: 'Offers what must not be offered in production: client secrets.' },
  tls: { description: 'Server certificate. There is no plaintext.' },
  'tls.cert': { description: 'Certificate chain in PEM.' },
  'tls.key': { description: 'Private key of the certificate in PEM.' },
  'tls.client_ca': { description: 'CA in PEM that client certificates have to chain to.' },
  'tls.client_certificate': { description: 'Whether callers have to present a certificate when client_ca is given.' },
  store: { description: 'The record: what must not be lost. Either sqlite or postgres.' },
  'store.sqlite': { description: 'One file on this machine, used by one process at a time.' },
  'store.postgres': { description: 'A database that replicas share. Either url or url_file.' },
  'store.postgres.url': { description: 'postgresql://user@host/database' },
  'store.postgres.url_file': { description: 'File with the URL, password included.' },
  keys: { description: 'Signing keys.' },
  'keys.alg': { description: 'Algorithm of new signing keys.' },
  'keys.encryption_key_file': {
    description: '32 bytes in base64 that encrypt the signing keys at rest; TOKENMESH_KEY_ENCRYPTION_KEY wins.',
  },
  'keys.activation_timeout': { description: 'How long a new key waits for verifiers that do not know it, such as 20m.', ...duration },
  'keys.rotate_every': { description: 'Age at which a signing key is replaced, such as 24h.', ...duration },
  nats: { description: 'The courier of revocations. Without it they travel over gRPC alone.' },
  'nats.servers': { description: 'nats://host:4222, or a list of them.' },
  'nats.nkey_seed_file': { description: 'File with the nkey seed.' },
  'nats.tls': { description: 'TLS to NATS.' },
  'nats.tls.ca': { description: 'CA in PEM.' },
  'nats.tls.cert': { description: 'Client certificate in PEM.' },
  'nats.tls.key': { description: 'Its private key in PEM.' },
  facade: { description: 'The OAuth façade over HTTPS.' },
  'facade.listen': { description: 'host:port of the HTTPS server.' },
  'facade.url': { description: 'Where clients reach it. Default issuer.', ...https },
  tokens: { description: 'Lives of tokens.' },
  'tokens.life': { description: 'Life of a token where no grant says less, such as 5m.', ...duration },
  'tokens.ceiling': { description: 'No token lives longer, such as 15m. A change needs a restart.', ...duration },
  'tokens.session': { description: 'How long tokens can be refreshed, such as 8h.', ...duration },
  revocation: { description: 'The bound of revocation.' },
  'revocation.stale_after': { description: 'Age at which what a verifier knows counts as stale, 2s to 60s.', ...duration },
  limits: { description: 'How much of token-exchange its clients may use.' },
  'limits.per_workload': { description: 'Requests per second of one workload, in the long run.' },
  'limits.burst': { description: 'Requests that one workload may make at once after it was quiet.' },
  'limits.concurrency': { description: 'Requests that are worked on at the same time.' },
  'limits.queue': { description: 'Requests that wait for their turn; what comes beyond is refused with the time to come back.' },
  'limits.snapshots': { description: 'Snapshots of the revocation record, larger than 256 KiB, that verifiers read at the same time.' },
  dpop: { description: 'DPoP proofs of token requests (RFC 9449).' },
  'dpop.nonce': { description: 'required: a proof has to hold a nonce that token-exchange gave out (RFC 9449 section 8).' },
  audit: { description: 'The audit: what was issued, refused, revoked and changed.' },
  'audit.keep': { description: 'How long it is kept, such as 90d.', ...duration },
  workloads: { description: 'Registered programs.' },
  'workloads[].id': { description: 'Its SPIFFE ID, in the trust domain.', ...spiffeId },
  'workloads[].jwks': { description: 'Its public keys: a JWK set (RFC 7517).' },
  'workloads[].jwks.keys': { description: 'At least one key with kid and alg.' },
  'workloads[].jwks_file': { description: 'File with its JWK set.' },
  'workloads[].tls_client_auth': { description: 'May authenticate with a certificate that names it (RFC 8705 section 2.1).' },
  'workloads[].client_secret_scrypt': { description: 'Hash of its client secret; in development only.' },
  issuers: { description: 'Issuers on behalf of whose subjects workloads may act: the company’s OpenID provider, for example.' },
  'issuers[].issuer': { description: 'iss of its tokens.', ...https },
  'issuers[].audience': { description: 'What aud of its tokens is, or holds.' },
  'issuers[].jwks_file': { description: 'File with its JWK set.' },
  'issuers[].jwks_url': { description: 'Where its JWK set is fetched. Default what its OpenID configuration names.', ...https },
  'issuers[].allow_private_network': { description: 'Lets it be in a private network.' },
  'issuers[].ca_file': { description: 'CA in PEM of its server.' },
  'issuers[].algorithms': { description: 'Algorithms of its tokens.' },
  'issuers[].subject_claim': { description: 'The claim that names the subject.' },
  'issuers[].subject_prefix': { description: 'Stands before the subject in sub, such as user:. Default the issuer and #.' },
  'issuers[].required_claims': { description: 'Claims that have to be there and equal, or in the list that the token has.' },
  federation: { description: 'Issuers that may vouch for workloads: Kubernetes, SPIRE, any OIDC provider.' },
  'federation[].issuer': { description: 'iss of its tokens.' },
  'federation[].audience': { description: 'aud of its tokens.' },
  'federation[].allow_other_audiences': { description: 'Takes tokens that name other audiences besides.' },
  'federation[].jwks_file': { description: 'File with its JWK set.' },
  'federation[].jwks_url': { description: 'Where its JWK set is fetched.', ...https },
  'federation[].allow_private_network': { description: 'Lets jwks_url be in a private network.' },
  'federation[].ca_file': { description: 'CA in PEM of jwks_url.' },
  'federation[].algorithms': { description: 'Algorithms of its tokens.' },
  'federation[].max_life': { description: 'Longest life of its tokens, such as 1h.', ...duration },
  'federation[].workloads': { description: 'spiffe: sub is the identity; or the workloads with the claims that tell them.' },
  'federation[].workloads[].id': { description: 'SPIFFE ID of a registered workload.', ...spiffeId },
  'federation[].workloads[].claims': { description: 'Claims that have to be equal, nested as in the token.' },
  audiences: { description: 'Services that tokens can be for.' },
  'audiences[].id': { description: 'Its SPIFFE ID.', ...spiffeId },
  'audiences[].scopes': { description: 'Scopes that it knows (RFC 6749 section 3.3).' },
  'audiences[].compact_metadata': { description: 'Whether callers may send its tokens as tokenmesh-token metadata.' },
  'audiences[].format': { description: 'Form of tokens for it: jwt, or opaque ones that it introspects.' },
  grants: { description: 'Who may obtain tokens for whom; at most one for each two. What no grant allows is refused.' },
  'grants[].from': { description: 'The workload that obtains tokens.', ...spiffeId },
  'grants[].to': { description: 'The audience that they are for.', ...spiffeId },
  'grants[].scopes': { description: 'What the workload may ask for, in its own name and at most.' },
  'grants[].max_life': { description: 'Longest life of a token, such as 60s. Default tokens.life.', ...duration },
  'grants[].refresh': { description: 'Whether refresh tokens are issued.' },
  'grants[].binding': { description: 'To what a token must be bound.' },
  'grants[].delegation': { description: 'What the workload may ask for on behalf of others; false: nothing.' },
  'grants[].delegation.issuers': { description: 'Issuers, of issuers, on behalf of whose subjects the workload may ask.' },
  'grants[].delegation.scopes': { description: 'Scopes that delegated subjects may get, among those of the grant.' },
};

/**
 * JSON Schema (2020-12) of `tokenmesh.yaml`, for editors and other tools. It knows the shape; what one member says of another, what is in the files, and how long a
 * duration may be, only `check` knows.
 */
export function createConfigJsonSchema(): JsonSchema {
  const schema = z.toJSONSchema(configSchema, { io: 'input' });
  annotate(schema, '');
  return { ...schema, title: 'tokenmesh.yaml', description: 'Configuration of token-exchange, the security token service of Token Mesh.' };
}

/** Members of a schema by name, those of alternatives and items included. */
function annotate(schema: JsonSchema, path: string): void {
  for (const alternative of schema.anyOf ?? []) annotate(alternative as JsonSchema, path); // toJSONSchema makes no boolean alternatives
  if (typeof schema.items === 'object' && !Array.isArray(schema.items)) annotate(schema.items as JsonSchema, `${path}[]`); // one schema for all items
  for (const [name, member] of Object.entries(schema.properties ?? {})) {
    if (typeof member !== 'object') continue;
    const memberPath = path === '' ? name : `${path}.${name}`;
    Object.assign(member, annotations[memberPath]);
    annotate(member, memberPath);
  }
}
