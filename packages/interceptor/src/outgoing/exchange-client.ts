import { type ChannelCredentials, type ClientOptions, type ServiceError, status } from '@grpc/grpc-js';
import { type ExchangeTokenResponse, type IntrospectionAnswer, tokenmesh } from '@tokenmesh/proto';
import type { JsonObject } from '@tokenmesh/token';
import { subjectTokenOf } from '../incoming/caller.ts';
import type { Introspection } from '../incoming/introspector.ts';
import type { FetchedKeys } from '../incoming/remote-key-set.ts';
import { asReason, refusalOf, refusalStatus } from '../status.ts';
import type { TracingOptions } from '../tracing.ts';
import { type ProofAudience, proofInterceptor } from './proof-interceptor.ts';
import { togetherInOneTurn } from './together-in-one-turn.ts';
import type { IssuedToken, TokenRequest } from './token-source.ts';
import { tracingClientInterceptor } from './traced-call.ts';
import { unary } from './unary.ts';
import type { ClientAuthentication, WorkloadCredential } from './workload-credential.ts';

const tokenExchangeGrant = 'urn:ietf:params:oauth:grant-type:token-exchange';
const accessTokenType = 'urn:ietf:params:oauth:token-type:access_token';

const issuingMethods = [tokenmesh.TokenExchange.service.ExchangeToken.path, tokenmesh.TokenExchange.service.ExchangeTokens.path];

/** How often one question is put, at most, when the replica that was asked goes away without an answer. */
const maxAttempts = 3;
/** Well below the S of revocations: what was asked longer ago says too little. */
const introspectTimeoutMs = 2_000;
/** As many requests as token-exchange takes in one message. */
const maxTogether = 32;

/**
 * What a workload asks of token-exchange's unary methods. A call that is lost with its connection is made again, within the same time and with a
 * new authentication: an assertion is good for one request, and the lost one may have been read.
 */
export interface ExchangeClient {
  /**
   * One exchange: `client_credentials`, or the token-exchange grant when it is on behalf of a caller. What is asked for in the same turn of the
   * event loop, as when a service starts, travels together on one client authentication.
   */
  exchange(request: TokenRequest): Promise<IssuedToken>;
  fetchKeys(): Promise<FetchedKeys>;
  /** RFC 7662: what the record itself says of a token. Settles within 2 s: a call waits for it. */
  introspect(compact: string): Promise<Introspection>;
  close(): void;
}

export function createExchangeClient(options: {
  readonly address: string;
  readonly channelCredentials: ChannelCredentials;
  readonly clientOptions: ClientOptions;
  readonly self: string;
  readonly issuer: string;
  readonly credential: WorkloadCredential;
  /** Proves which key tokens are to be bound to; absent: none. */
  readonly proofs?: ProofAudience | undefined;
  readonly timeoutMs: number;
  /** Which of its calls begin traces. Default: as the SDK's sampler decides. */
  readonly tracing?: TracingOptions | undefined;
  readonly now: () => number;
}): ExchangeClient {
  const { self, issuer, credential, proofs, timeoutMs, now } = options;
  const client = new tokenmesh.TokenExchange(options.address, options.channelCredentials, {
    ...options.clientOptions,
    interceptors: [tracingClientInterceptor(options.tracing), ...(proofs ? [proofInterceptor(proofs, issuingMethods)] : [])],
  });
  const deadline = () => now() + timeoutMs;

  async function authenticated<T>(
    ask: (authentication: ClientAuthentication, deadline: number) => Promise<T>,
    until = deadline(),
  ): Promise<T> {
    let askedForNonce = false;
    for (let attempt = 1; ; attempt++) {
      const authentication = await credential.authenticate(self, issuer);
      try {
        return await ask(authentication, until);
      } catch (error) {
        const failure = error as ServiceError; // unary rejects with nothing else
        const wantsNonce: boolean = proofs !== undefined && !askedForNonce && refusalOf(failure)?.remedy === 'nonce';
        if (attempt === maxAttempts || !(wantsNonce || isLost(failure))) throw error;
        askedForNonce ||= wantsNonce;
      }
    }
  }

  const exchange = togetherInOneTurn<TokenRequest, IssuedToken>({
    max: maxTogether,
    async one(request) {
      const answer = await authenticated((authentication, until) =>
        unary(client, 'exchangeToken', { ...parametersOf(request), ...authentication }, { deadline: until }),
      );
      return readIssued(answer);
    },
    async several(requests) {
      const { results } = await authenticated((authentication, until) =>
        unary(client, 'exchangeTokens', { ...authentication, requests: requests.map(parametersOf) }, { deadline: until }),
      );
      return results.map(({ response, refusal }) => (response ? readIssued(response) : refusedAlone(refusal?.reason)));
    },
  });

  return {
    exchange,
    async fetchKeys() {
      const { keys, max_age, version } = await unary(client, 'getJwks', {}, { deadline: deadline() });
      return { keys, maxAgeSeconds: max_age, version };
    },
    async introspect(compact) {
      const answer = await authenticated(
        (authentication, until) => unary(client, 'introspectToken', { token: compact, ...authentication }, { deadline: until }),
        now() + Math.min(timeoutMs, introspectTimeoutMs),
      );
      return answer.active ? { active: true, claims: claimsOf(answer) } : { active: false };
    },
    close: () => client.close(),
  };
}

function parametersOf({ audience, scope = '', onBehalfOf }: TokenRequest) {
  const subject = onBehalfOf && subjectTokenOf(onBehalfOf);
  return {
    audience,
    scope,
    grant_type: subject ? tokenExchangeGrant : 'client_credentials',
    requested_token_type: accessTokenType,
    ...(subject && {
      subject_token: subject.compact,
      subject_token_type: accessTokenType,
      ...(subject.binding && { subject_token_binding: subject.binding }),
    }),
  };
}

function readIssued(answer: Pick<ExchangeTokenResponse, 'access_token' | 'token_type' | 'expires_in' | 'compact_metadata'>): IssuedToken {
  const { access_token = '', token_type = '', expires_in = 0, compact_metadata = false } = answer;
  return { accessToken: access_token, tokenType: token_type, expiresInSeconds: expires_in, compactMetadata: compact_metadata };
}

/** The refusal of one of several requests, as the request alone would have met with it. */
function refusedAlone(reason: string | undefined): Error {
  const known = asReason(reason);
  const refused = known ? refusalStatus(known) : { code: status.INTERNAL, details: 'token-exchange answered neither token nor reason' };
  return Object.assign(new Error(refused.details), refused);
}

/** The claims that an answer describes; what is empty is absent. Whoever uses them judges them. */
function claimsOf({ iss, sub, aud, exp, iat, jti, client_id, scope, txn, rn, sid, act, cnf, net }: IntrospectionAnswer): JsonObject {
  const actors = act.reduceRight<JsonObject | undefined>((inner, sub) => ({ sub, ...(inner && { act: inner }) }), undefined);
  return {
    ...{ iss, sub, aud, exp, iat, jti, client_id, scope, txn, rn },
    ...(sid !== '' && { sid }),
    ...(actors && { act: actors }),
    ...(cnf && { cnf: { ...(cnf.x5t_s256 !== '' && { 'x5t#S256': cnf.x5t_s256 }), ...(cnf.jkt !== '' && { jkt: cnf.jkt }) } }),
    ...(net.length > 0 && { net }),
  };
}

/** Whether the connection ended before there was an answer, of token-exchange's or of anybody's. */
function isLost(error: ServiceError): boolean {
  return error.code === status.UNAVAILABLE && refusalOf(error) === undefined;
}

/** Whether asking again later may help: token-exchange could not be reached, or says so itself. */
export function isTransient(code: status): boolean {
  return (
    code === status.UNAVAILABLE || code === status.DEADLINE_EXCEEDED || code === status.RESOURCE_EXHAUSTED || code === status.CANCELLED
  );
}
