import { type ChannelCredentials, type ChannelOptions, type ServiceError, status } from '@grpc/grpc-js';
import { tokenmesh } from '@tokenmesh/proto';
import { subjectTokenOf } from './caller.ts';
import type { FetchedKeys } from './remote-key-set.ts';
import { refusalOf } from './status.ts';
import type { IssuedToken, TokenRequest } from './token-source.ts';
import { tracingClientInterceptor } from './tracing.ts';
import { unary } from './unary.ts';
import type { ClientAuthentication, WorkloadCredential } from './workload-credential.ts';

const tokenExchangeGrant = 'urn:ietf:params:oauth:grant-type:token-exchange';
const accessTokenType = 'urn:ietf:params:oauth:token-type:access_token';

/** How often one question is put, at most, when the replica that was asked goes away without an answer. */
const maxAttempts = 3;

/**
 * What a workload asks of token-exchange's unary methods. A call that is lost with its connection is made again, within the same time and with a
 * new authentication: an assertion is good for one request, and the lost one may have been read.
 */
export interface ExchangeClient {
  /** One exchange: `client_credentials`, or the token-exchange grant when it is on behalf of a caller. */
  exchange(request: TokenRequest): Promise<IssuedToken>;
  fetchKeys(): Promise<FetchedKeys>;
  /** RFC 7662: whether the token is active, by the record itself. One answer serves everybody for a second. */
  introspect(compact: string): Promise<boolean>;
  close(): void;
}

export function createExchangeClient(options: {
  readonly address: string;
  readonly channelCredentials: ChannelCredentials;
  readonly channelOptions: ChannelOptions;
  readonly self: string;
  readonly issuer: string;
  readonly credential: WorkloadCredential;
  readonly timeoutMs: number;
  readonly now: () => number;
}): ExchangeClient {
  const { self, issuer, credential, timeoutMs, now } = options;
  const client = new tokenmesh.TokenExchange(options.address, options.channelCredentials, {
    ...options.channelOptions,
    interceptors: [tracingClientInterceptor()],
  });
  const deadline = () => now() + timeoutMs;
  const introspections = new Map<string, { readonly answer: Promise<boolean>; readonly askedAtMs: number }>();

  async function authenticated<T>(ask: (authentication: ClientAuthentication, deadline: number) => Promise<T>): Promise<T> {
    const until = deadline();
    for (let attempt = 1; ; attempt++) {
      const authentication = await credential.authenticate(self, issuer);
      try {
        return await ask(authentication, until);
      } catch (error) {
        if (attempt === maxAttempts || !isLost(error as ServiceError)) throw error; // unary rejects with nothing else
      }
    }
  }

  async function ask(compact: string): Promise<boolean> {
    const answer = await authenticated((authentication, until) =>
      unary(client, 'introspectToken', { token: compact, ...authentication }, { deadline: until }),
    );
    return answer.active;
  }

  return {
    async exchange({ audience, scope = '', onBehalfOf }) {
      const subject = onBehalfOf && subjectTokenOf(onBehalfOf);
      const request = {
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
      const answer = await authenticated((authentication, until) =>
        unary(client, 'exchangeToken', { ...request, ...authentication }, { deadline: until }),
      );
      return { accessToken: answer.access_token, tokenType: answer.token_type, expiresInSeconds: answer.expires_in };
    },
    async fetchKeys() {
      const { keys, max_age } = await unary(client, 'getJwks', {}, { deadline: deadline() });
      return { keys, maxAgeSeconds: max_age };
    },
    introspect(compact) {
      // oldest first, so this looks at no more than it forgets
      for (const [token, { askedAtMs }] of introspections) {
        if (now() - askedAtMs <= 1000) break;
        introspections.delete(token);
      }
      const known = introspections.get(compact);
      if (known) return known.answer;
      const answer = ask(compact);
      introspections.set(compact, { answer, askedAtMs: now() });
      answer.catch(() => introspections.delete(compact));
      return answer;
    },
    close: () => client.close(),
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
