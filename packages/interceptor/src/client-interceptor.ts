import {
  CallCredentials,
  InterceptingCall,
  type Interceptor,
  type InterceptorOptions,
  Metadata,
  type StatusObject,
  status,
} from '@grpc/grpc-js';
import { context } from '@opentelemetry/api';
import type { Caller } from './caller.ts';
import { type RefusalStatus, refusalOf, refusalStatus, toStatus } from './status.ts';
import type { HeldToken, TokenSource } from './token-source.ts';

declare module '@grpc/grpc-js/build/src/client.js' {
  interface CallOptions {
    /** Makes the call on behalf of the caller of the call being handled: `callerOf(call)`. */
    onBehalfOf?: Caller | undefined;
    /** Asks for a token with just these scopes, space-separated; default: everything that the grant allows. */
    scope?: string | undefined;
  }
}

// what grpc-js puts before the text of an error that a metadata generator ended with, whose code and metadata it drops
const generatorFailed = 'Getting metadata from plugin failed';

/**
 * Attaches the bearer for one audience to every call of a client.
 *
 * The token is obtained inside call credentials, which grpc-js runs once per attempt and while deadline and cancellation go on counting; an
 * interceptor that waited in `start` would hang past both. When no token can be had the call ends with the real cause.
 */
export function bearerInterceptor(audience: string, source: TokenSource): Interceptor {
  return (options, nextCall) => {
    const { onBehalfOf, scope } = options;
    const callContext = context.active();
    let used: HeldToken | undefined;
    let failure: RefusalStatus | undefined;

    const credentials = CallCredentials.createFromMetadataGenerator((_, callback) => {
      function use(token: HeldToken): void {
        used = token;
        failure = undefined;
        const metadata = new Metadata();
        metadata.set('authorization', `${token.tokenType} ${token.compact}`);
        callback(null, metadata);
      }
      function fail(error: unknown): void {
        failure = statusWithoutToken(audience, error);
        callback(Object.assign(new Error('no token'), { code: status.UNAUTHENTICATED }));
      }
      try {
        const token = context.with(callContext, () => source.get({ audience, scope, onBehalfOf }));
        if (token instanceof Promise) token.then(use, fail);
        else use(token);
      } catch (error) {
        fail(error);
      }
    });

    const call = nextCall({
      ...options,
      credentials: options.credentials?.compose(credentials) ?? credentials,
    } satisfies InterceptorOptions);
    return new InterceptingCall(call, {
      start(metadata, listener, next) {
        if (metadata.get('authorization').length > 0) {
          // with a second value grpc-js ends the call INTERNAL before it is sent
          listener.onReceiveStatus(refusalStatus('CREDENTIAL_AMBIGUOUS', { audience }) satisfies StatusObject);
          return;
        }
        next(metadata, {
          onReceiveStatus(result, nextStatus) {
            if (failure && result.details.startsWith(generatorFailed)) return nextStatus({ ...failure });
            if (used && refusalOf(result)?.remedy === 'new_token') source.drop(used);
            nextStatus(result);
          },
        });
      },
    });
  };
}

/** What a call ends with that could not get its token: token-exchange's own refusal, or UNAVAILABLE when it could not be asked. */
function statusWithoutToken(audience: string, error: unknown): RefusalStatus {
  const refusal = refusalOf(error as { metadata?: Metadata });
  if (refusal) return refusalStatus(refusal.reason, { ...refusal.info, audience });
  const { code, details, metadata } = toStatus(error);
  const text = `no token for ${audience}: ${details}`;
  const notReached = code === status.DEADLINE_EXCEEDED || code === status.CANCELLED || code === status.UNAVAILABLE;
  return { code: notReached ? status.UNAVAILABLE : code, details: text, metadata };
}
