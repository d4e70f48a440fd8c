import {
  type CallInvocationTransformer,
  type InterceptingCall,
  type InterceptingListener,
  type Interceptor,
  type InterceptorOptions,
  Metadata,
  type NextCall,
  type StatusObject,
  status,
} from '@grpc/grpc-js';
import { type Context, context, ROOT_CONTEXT, trace } from '@opentelemetry/api';
import { hasCredential } from '../incoming/bearer.ts';
import { streamIdKey } from '../incoming/stream-credential.ts';
import { spanAttributes, spanEvents } from '../semantic-conventions.ts';
import { type Refusal, type RefusalStatus, refusalOf, refusalStatus, toStatus } from '../status.ts';
import type { TracingOptions } from '../tracing.ts';
import { type Bearer, bearerCredentials, bearerMetadata } from './bearer-credentials.ts';
import type { DpopSigner } from './dpop-signer.ts';
import type { StreamRenewals } from './stream-renewals.ts';
import type { HeldToken, TokenSource } from './token-source.ts';
import { tracingClientInterceptor } from './traced-call.ts';

export interface BearerInterceptorOptions {
  /** Renews the credentials of live streams. Absent: they end when the token does that they were opened with. */
  readonly renewals?: StreamRenewals;
  /** Proves possession of the key that tokens of type DPoP are bound to; `authority` is the audience's host, and port where that is not 443. */
  readonly dpop?: { readonly signer: DpopSigner; readonly authority: string };
  /** Which of the calls that renew begin traces. Default: as the SDK's sampler decides. */
  readonly tracing?: TracingOptions;
}

/**
 * Attaches the bearer for one audience to every call of a client, and makes a call once more that was refused for a cause that another token
 * cures, or the nonce given: at most once each.
 *
 * Repeated are unary calls, and streams of which nothing was sent yet. A server stream has sent its one request at once; it is repeated when
 * the refusal says that its handler was not reached. A call whose answer has begun is never repeated. Meanwhile deadline and cancellation
 * count on; metadata, message, `scope` and `onBehalfOf` stay the same, and call credentials run anew.
 *
 * The token is obtained inside call credentials, which grpc-js runs once per attempt and while deadline and cancellation go on counting; an
 * interceptor that waited in `start` would hang past both. When no token can be had the call ends with the real cause.
 */
export function bearerInterceptor(audience: string, source: TokenSource, bearer: BearerInterceptorOptions = {}): Interceptor {
  // the cast holds: grpc-js and other interceptors ask of a call what its interface has
  return (options, nextCall) => new BearerCall(audience, source, bearer, options, nextCall) as InnerCall as InterceptingCall;
}

/** Notes on every stream the channel that it runs over: the client option `callInvocationTransformer`, without which no stream is renewed. */
export const noteStreamChannel: CallInvocationTransformer = (call) => {
  const { requestStream, responseStream } = call.methodDefinition;
  if (!requestStream && !responseStream) return call;
  return { ...call, callOptions: { ...call.callOptions, streamChannel: call.channel } };
};

type InnerCall = ReturnType<NextCall>;
type MessageContext = Parameters<InnerCall['sendMessageWithContext']>[0];

// what grpc-js puts before the text of an error that a metadata generator ended with, whose code and metadata it drops
const generatorFailed = 'Getting metadata from plugin failed';

/** One call of a client, in one to three attempts. It listens to its attempts itself, so that a warm call makes no further object. */
class BearerCall implements InnerCall, InterceptingListener, Bearer {
  readonly #audience: string;
  readonly #source: TokenSource;
  readonly #bearer: BearerInterceptorOptions;
  readonly #options: InterceptorOptions;
  readonly #nextCall: NextCall;
  #context: Context = context.active();
  #attempt: InnerCall;

  // what the client did so far, to do it again
  #metadata: Metadata | undefined;
  #listener: Partial<InterceptingListener> | undefined;
  #message: { readonly context: MessageContext; readonly message: unknown } | undefined;
  #sent = false;
  #halfClosed = false;
  #reading = false;
  #cancelled = false;

  // what the present attempt came to
  #used: HeldToken | undefined;
  #failure: RefusalStatus | undefined;
  #answered = false;
  #lacksMessage = false;

  // what was tried
  #refused: { readonly token: HeldToken; readonly status: StatusObject } | undefined;
  #nonceTried = false;

  #stopRenewing: (() => void) | undefined;

  constructor(audience: string, source: TokenSource, bearer: BearerInterceptorOptions, options: InterceptorOptions, nextCall: NextCall) {
    this.#audience = audience;
    this.#source = source;
    this.#bearer = bearer;
    this.#nextCall = nextCall;
    const credentials = bearerCredentials(this);
    this.#options = { ...options, credentials: options.credentials?.compose(credentials) ?? credentials };
    this.#attempt = nextCall(this.#options);
  }

  start(metadata: Metadata, listener: Partial<InterceptingListener> = {}): void {
    this.#metadata = metadata;
    this.#listener = listener;
    if (hasCredential(metadata)) {
      // with a second value grpc-js ends the call INTERNAL before it is sent, or the service refuses it
      this.#attempt.cancelWithStatus(status.CANCELLED, 'never started');
      listener.onReceiveStatus?.(refusalStatus('CREDENTIAL_AMBIGUOUS', { audience: this.#audience }) satisfies StatusObject);
      return;
    }
    this.#attempt.start(metadata, this);
  }

  sendMessageWithContext(messageContext: MessageContext, message: unknown): void {
    this.#sent = true;
    if (!this.#options.method_definition.requestStream) this.#message = { context: messageContext, message };
    this.#attempt.sendMessageWithContext(messageContext, message);
  }

  sendMessage(message: unknown): void {
    this.sendMessageWithContext({}, message);
  }

  halfClose(): void {
    this.#halfClosed = true;
    this.#attempt.halfClose();
  }

  startRead(): void {
    this.#reading = true;
    this.#attempt.startRead();
  }

  cancelWithStatus(code: status, details: string): void {
    this.#cancelled = true;
    this.#attempt.cancelWithStatus(code, details);
  }

  getPeer(): string {
    return this.#attempt.getPeer();
  }

  getAuthContext(): ReturnType<InnerCall['getAuthContext']> {
    return this.#attempt.getAuthContext();
  }

  async authenticate(): Promise<Metadata> {
    try {
      const { scope, onBehalfOf } = this.#options;
      const found = this.#source.get({ audience: this.#audience, scope, onBehalfOf }, this.#context);
      const token = found instanceof Promise ? await found : found;
      if (token.compact !== this.#refused?.token.compact) return this.#present(token);
      this.#failure = this.#refused.status;
    } catch (error) {
      this.#failure = statusWithoutToken(this.#audience, error);
    }
    throw Object.assign(new Error('no token'), { code: status.UNAUTHENTICATED });
  }

  onReceiveMetadata(metadata: Metadata): void {
    this.#answered = true;
    this.#message = undefined;
    this.#keepNonce(metadata);
    this.#renew(metadata);
    this.#listener?.onReceiveMetadata?.(metadata);
  }

  onReceiveMessage(message: unknown): void {
    this.#reading = false;
    // grpc-js says null before the status of a call that should have had one message and had none
    if (message === null) this.#lacksMessage = true;
    else this.#listener?.onReceiveMessage?.(message);
  }

  onReceiveStatus(result: StatusObject): void {
    this.#stopRenewing?.();
    const nonceGiven = this.#keepNonce(result.metadata);
    if (this.#failure && result.details.startsWith(generatorFailed)) {
      this.#end({ ...this.#failure });
      return;
    }
    const refusal = result.code === status.OK ? undefined : refusalOf(result);
    if (this.#used && refusal?.remedy === 'new_token') this.#source.drop(this.#used, result);
    const repeated = refusal && this.#isRepeatable(refusal) && this.#cure(refusal, result, nonceGiven) && this.#repeat(refusal);
    if (!repeated) this.#end(result);
  }

  #present(token: HeldToken): Metadata {
    this.#used = token;
    this.#failure = undefined;
    const metadata = bearerMetadata(token);
    if (!this.#bearer.dpop || token.tokenType !== 'DPoP') return metadata;
    const proved = metadata.clone();
    proved.set('dpop', this.#prove(this.#bearer.dpop, token));
    return proved;
  }

  // once per attempt: a service takes a proof once
  #prove({ signer, authority }: NonNullable<BearerInterceptorOptions['dpop']>, { compact }: HeldToken): string {
    return signer.sign({ audience: this.#audience, authority, method: this.#options.method_definition.path, accessToken: compact });
  }

  /** Keeps the nonce that the service gave for the next proof, if it did (RFC 9449 section 8.2). */
  #keepNonce(metadata: Metadata): boolean {
    const { dpop } = this.#bearer;
    if (!dpop) return false;
    const [nonce] = metadata.get('dpop-nonce');
    if (typeof nonce !== 'string') return false;
    dpop.signer.rememberNonce(this.#audience, nonce);
    return true;
  }

  /** Whether nothing of the call can have had an effect. */
  #isRepeatable({ info }: Refusal): boolean {
    if (this.#cancelled || this.#answered || info.admitted === 'true') return false;
    const { requestStream, responseStream } = this.#options.method_definition;
    if (requestStream) return !this.#sent;
    return !responseStream || info.admitted === 'false';
  }

  /** Does what the refusal asks for before another attempt; false when that was tried already, or is nothing. */
  #cure({ remedy }: Refusal, result: StatusObject, nonceGiven: boolean): boolean {
    if (remedy === 'new_token') {
      if (this.#refused || !this.#used) return false;
      this.#refused = { token: this.#used, status: result };
      return true;
    }
    if (remedy !== 'nonce' || this.#nonceTried) return false;
    this.#nonceTried = true;
    return nonceGiven;
  }

  /** Begins another attempt; false when the channel was closed meanwhile. */
  #repeat({ reason }: Refusal): boolean {
    const { path } = this.#options.method_definition;
    try {
      this.#attempt = context.with(this.#context, () => this.#nextCall(this.#options));
    } catch {
      return false;
    }
    const span = trace.getSpan(this.#context);
    span?.addEvent(spanEvents.retry, { 'rpc.method': path.slice(1), [spanAttributes.reason]: reason });
    span?.setAttribute(spanAttributes.retried, true);
    this.#lacksMessage = false;
    // metadata is there: the call was started
    this.#attempt.start(this.#metadata ?? new Metadata(), this);
    if (this.#message) this.#attempt.sendMessageWithContext(this.#message.context, this.#message.message);
    if (this.#halfClosed) this.#attempt.halfClose();
    if (this.#reading) this.#attempt.startRead();
    return true;
  }

  #renew(metadata: Metadata): void {
    const { method_definition, streamChannel: channel, scope, onBehalfOf } = this.#options;
    if (!method_definition.requestStream && !method_definition.responseStream) return;
    const [id] = metadata.get(streamIdKey);
    metadata.remove(streamIdKey); // nobody else's business, and no line in a log
    const { renewals } = this.#bearer;
    if (!renewals || !channel || !this.#used || typeof id !== 'string') return;
    const [audience, { expMs }] = [this.#audience, this.#used];
    const interceptors = [tracingClientInterceptor(this.#bearer.tracing), bearerInterceptor(audience, this.#source, this.#bearer)];
    const stream = { id, channel, interceptors, audience, scope, onBehalfOf, expMs };
    this.#stopRenewing = context.with(this.#context, () => renewals.keep(stream));
  }

  #end(result: StatusObject): void {
    const listener = this.#listener;
    // Node keeps what hangs on an HTTP/2 stream until a full collection of garbage: without this the request, its answer, its span and the caller's functions would
    this.#listener = undefined;
    this.#metadata = undefined;
    this.#context = ROOT_CONTEXT;
    if (this.#lacksMessage) listener?.onReceiveMessage?.(null);
    listener?.onReceiveStatus?.(result);
  }
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
