import { readClientAssertion, TokenError, type VerifiedDpopProof, verifyClientAssertion } from '@tokenmesh/token';
import type { Config, Workload } from '../config/config.ts';
import type { Issuer } from '../grants/issuer.ts';
import type { StoreTransaction } from '../record/store.ts';
import type { ClientCertificate, ClientEvidence } from './client-evidence.ts';
import { matchesClientSecret } from './client-secret.ts';
import type { UnverifiedJwt } from './issuer-jwt.ts';
import { useProof, verifyRequestProof } from './token-binding.ts';

/** Parameters by which a client authenticates, as every request carries them (RFC 6749 section 2.3, RFC 7521 section 4.2). Absent: empty. */
export interface ClientParameters {
  readonly client_id: string;
  readonly client_assertion_type: string;
  readonly client_assertion: string;
  readonly client_secret: string;
}

export const jwtBearerAssertion = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';

/** RFC 8414's names, and ours for a JWT of another issuer. */
export type ClientAuthenticationMethod = 'private_key_jwt' | 'tls_client_auth' | 'federated_jwt' | 'client_secret_post';

/** The methods that a configuration offers, as RFC 8414 section 2 lists them. */
export function authenticationMethods({ workloads, development }: Pick<Config, 'workloads' | 'development'>): readonly string[] {
  const isRegistered = (has: (workload: Workload) => unknown) => [...workloads.values()].some(has);
  return [
    'private_key_jwt',
    ...(isRegistered((workload) => workload.tlsClientAuth) ? ['tls_client_auth'] : []),
    ...(development && isRegistered((workload) => workload.clientSecretScrypt) ? ['client_secret_post'] : []),
  ];
}

/** A workload that proved who it is, and what else it proved. */
export interface AuthenticatedClient extends Workload {
  readonly authenticatedBy: ClientAuthenticationMethod;
  /** Of the connection, whatever the method. */
  readonly certificate?: ClientCertificate;
  /** Of the key that it asks for a token to be bound to (RFC 9449 section 5); used up. */
  readonly proof?: VerifiedDpopProof;
}

/**
 * Runs `work` for the client that the request proves to come from, in one transaction that also uses up the proof.
 *
 * The assertion's `jti` is durable before anything that `work` returned gets out, so that no assertion serves twice; when the record fails,
 * nothing gets out at all. A refusal (`TokenError`) by `work` uses the assertion up as well: a stolen one cannot be tried until it fits. Any
 * other error undoes everything.
 *
 * The methods: an assertion by a key of the workload (`private_key_jwt`); a JWT of a federated issuer in its place; the certificate of the connection, when
 * the request holds nothing but `client_id` and the workload is registered for it (`tls_client_auth`); a secret, in development. A certificate beside an
 * assertion authenticates nobody: it is there for tokens to be bound to.
 *
 * @param evidence What the client proved beside the parameters. A DPoP proof is verified, and used up as well.
 * @throws {TokenError} CLIENT_AUTHENTICATION_FAILED, whatever it was that failed; REQUEST_INVALID for two methods at once; KEYS_UNAVAILABLE when a federated
 *   issuer could not be reached; PROOF_INVALID, PROOF_NONCE_REQUIRED, PROOF_REPLAYED; and what `work` throws.
 * @see RFC 7523 section 3 and its bis draft; RFC 7521 section 4.2; RFC 8705 section 2.1.
 */
export async function withClient<T>(
  request: ClientParameters,
  issuer: Issuer,
  evidence: ClientEvidence,
  work: (transaction: StoreTransaction, client: AuthenticatedClient) => Promise<T>,
): Promise<T> {
  const { client, method, singleUse } = await authenticate(request, issuer, evidence);
  const { certificate } = evidence;
  const proof = verifyRequestProof(evidence, issuer.dpopNonces, issuer.now);
  const authenticated = { ...client, authenticatedBy: method, ...(certificate && { certificate }), ...(proof && { proof }) };
  const outcome = await issuer.store.transaction(async (transaction) => {
    if (singleUse && !(await transaction.useAssertionId(singleUse.issuedBy, singleUse.jti, singleUse.exp))) {
      throw failed('the assertion was used before');
    }
    try {
      if (proof) await useProof(transaction, proof);
      return { value: await work(transaction, authenticated) };
    } catch (error) {
      if (error instanceof TokenError) return { refusal: error };
      throw error;
    }
  });
  if ('refusal' in outcome) {
    throw asProved(outcome.refusal, client.id);
  }
  return outcome.value;
}

const provedClients = new WeakMap<TokenError, string>();

/** Marks a refusal as one of a client that had proved who it is. */
export function asProved(refusal: TokenError, clientId: string): TokenError {
  provedClients.set(refusal, clientId);
  return refusal;
}

/** Who was refused, when it had proved who it is by then. */
export function provedClientOf(refusal: TokenError): string | undefined {
  return provedClients.get(refusal);
}

/** Refuses a client that was suspended. */
export async function refuseSuspended(transaction: StoreTransaction, client: Workload): Promise<void> {
  if (await transaction.isSuspended(client.id)) throw new TokenError('CLIENT_NOT_ALLOWED', `${client.id} is suspended`);
}

interface Authenticated {
  readonly client: Workload;
  readonly method: ClientAuthenticationMethod;
  /** The `jti` that is used up, of its issuer. */
  readonly singleUse?: { readonly issuedBy: string; readonly jti: string; readonly exp: number };
}

async function authenticate(request: ClientParameters, issuer: Issuer, { certificate }: ClientEvidence): Promise<Authenticated> {
  const { client_assertion_type, client_assertion, client_secret } = request;
  // RFC 6749 section 2.3: not more than one method
  if (client_assertion && client_secret) throw new TokenError('REQUEST_INVALID', 'two methods of client authentication at once');
  if (client_secret) return { client: await bySecret(request, issuer), method: 'client_secret_post' };
  if (!client_assertion && !client_assertion_type && certificate) {
    return { client: byCertificate(request, issuer, certificate), method: 'tls_client_auth' };
  }
  if (!client_assertion) throw failed('no client assertion');
  if (client_assertion_type !== jwtBearerAssertion) throw failed('unknown client_assertion_type');
  const federated = asFailure(() => issuer.federations?.findCovered(client_assertion));
  if (federated) return { ...(await byFederatedJwt(request, issuer, federated)), method: 'federated_jwt' };
  return { ...byAssertion(request, issuer), method: 'private_key_jwt' };
}

function byAssertion({ client_id, client_assertion }: ClientParameters, { config, now }: Issuer): Omit<Authenticated, 'method'> {
  const unverified = readClientAssertion(client_assertion);
  if (client_id && client_id !== unverified.clientId) throw failed('client_id is not the subject of the assertion');
  const client = registered(unverified.clientId, config);
  const { jti, exp } = verifyClientAssertion(unverified, { audience: config.issuer, keys: client.keys, now });
  return { client, singleUse: { issuedBy: client.id, jti, exp } };
}

async function byFederatedJwt(
  { client_id, client_assertion }: ClientParameters,
  { config, federations }: Issuer,
  unverified: UnverifiedJwt,
): Promise<Omit<Authenticated, 'method'>> {
  const found = await federations?.authenticate(client_assertion, unverified).catch((cause: unknown) => {
    // not the client's fault, and worth another try
    if (!(cause instanceof TokenError) || cause.reason === 'KEYS_UNAVAILABLE') throw cause;
    throw failed('the JWT of the federated issuer is refused', cause);
  });
  if (!found) throw failed('no federation with this issuer');
  if (client_id && client_id !== found.id) throw failed('client_id is not the workload that the JWT stands for');
  const client = registered(found.id, config);
  // apart from the ids of the workload's own assertions: neither can use up the other's
  return { client, ...(found.singleUse && { singleUse: { issuedBy: `federated ${client.id}`, ...found.singleUse } }) };
}

function byCertificate({ client_id }: ClientParameters, { config }: Issuer, { uri }: ClientCertificate): Workload {
  if (!client_id) throw failed('client_id is missing, which a certificate needs beside it');
  const client = registered(client_id, config);
  if (!client.tlsClientAuth) throw failed('the workload is not registered for tls_client_auth');
  if (uri !== client.id) throw failed('the certificate does not name the workload as its only URI');
  return client;
}

async function bySecret({ client_id, client_secret }: ClientParameters, { config }: Issuer): Promise<Workload> {
  if (!config.development) throw failed('client_secret is not offered');
  const client = config.workloads.get(client_id);
  // compared even when there is nobody to compare with: who has a secret is not to be measured
  if (!(await matchesClientSecret(client_secret, client?.clientSecretScrypt)) || !client)
    throw failed('client_id or client_secret is wrong');
  return client;
}

function registered(clientId: string, { workloads }: Issuer['config']): Workload {
  const client = workloads.get(clientId);
  if (!client) throw failed('the workload is not registered');
  return client;
}

function asFailure<T>(read: () => T): T {
  try {
    return read();
  } catch (cause) {
    throw cause instanceof TokenError ? failed('the client assertion is refused', cause) : cause;
  }
}

function failed(what: string, cause?: TokenError): TokenError {
  return new TokenError('CLIENT_AUTHENTICATION_FAILED', what, cause && { cause });
}
