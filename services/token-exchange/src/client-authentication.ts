import { readClientAssertion, TokenError, verifyClientAssertion } from '@tokenmesh/token';
import type { Workload } from './config.ts';
import type { Issuer } from './issuer.ts';
import type { StoreTransaction } from './store.ts';

/** Parameters by which a client authenticates, as every request carries them (RFC 6749 section 2.3, RFC 7521 section 4.2). Absent: empty. */
export interface ClientParameters {
  readonly client_id: string;
  readonly client_assertion_type: string;
  readonly client_assertion: string;
  readonly client_secret: string;
}

export const jwtBearerAssertion = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';

/**
 * Runs `work` for the client that the request proves to come from, in one transaction that also uses up the proof.
 *
 * The assertion's `jti` is durable before anything that `work` returned gets out, so that no assertion serves twice; when the record fails,
 * nothing gets out at all. A refusal (`TokenError`) by `work` uses the assertion up as well: a stolen one cannot be tried until it fits. Any
 * other error undoes everything.
 *
 * @throws {TokenError} CLIENT_AUTHENTICATION_FAILED, whatever it was that failed; REQUEST_INVALID for two methods at once; and what `work` throws.
 * @see RFC 7523 section 3 and its bis draft; RFC 7521 section 4.2.
 */
export async function withClient<T>(
  request: ClientParameters,
  issuer: Issuer,
  work: (transaction: StoreTransaction, client: Workload) => Promise<T>,
): Promise<T> {
  const { client, jti, exp } = authenticate(request, issuer);
  const outcome = await issuer.store.transaction(async (transaction) => {
    if (!(await transaction.useAssertionId(client.id, jti, exp))) throw failed('the assertion was used before');
    try {
      return { value: await work(transaction, client) };
    } catch (error) {
      if (error instanceof TokenError) return { refusal: error };
      throw error;
    }
  });
  if ('refusal' in outcome) throw outcome.refusal;
  return outcome.value;
}

/** Refuses a client that was suspended. */
export async function refuseSuspended(transaction: StoreTransaction, client: Workload): Promise<void> {
  const suspended = await transaction.suspendedAmong([client.id]);
  if (suspended.length > 0) throw new TokenError('CLIENT_NOT_ALLOWED', `${client.id} is suspended`);
}

function authenticate(request: ClientParameters, { config, now }: Issuer): { client: Workload; jti: string; exp: number } {
  const { client_id, client_assertion_type, client_assertion, client_secret } = request;
  // RFC 6749 section 2.3: not more than one method
  if (client_assertion && client_secret) throw new TokenError('REQUEST_INVALID', 'two methods of client authentication at once');
  if (client_secret) throw failed('client_secret is not offered');
  if (!client_assertion) throw failed('no client assertion');
  if (client_assertion_type !== jwtBearerAssertion) throw failed('unknown client_assertion_type');
  const { clientId } = readClientAssertion(client_assertion);
  if (client_id && client_id !== clientId) throw failed('client_id is not the subject of the assertion');
  const client = config.workloads.get(clientId);
  if (!client) throw failed('the workload is not registered');
  const { jti, exp } = verifyClientAssertion(client_assertion, { audience: config.issuer, keys: client.keys, now });
  return { client, jti, exp };
}

function failed(what: string): TokenError {
  return new TokenError('CLIENT_AUTHENTICATION_FAILED', what);
}
