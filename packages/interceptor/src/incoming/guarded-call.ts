import { Metadata, type ServerInterceptingCallInterface, type ServerMethodDefinition } from '@grpc/grpc-js';
import { TokenError } from '@tokenmesh/token';
import type { ServerMetrics } from '../call-metrics.ts';
import { type Message, ServerCallLayer, type ServerCallListener, type ServerCallStatus } from '../server-call-layer.ts';
import { toStatus } from '../status.ts';
import type { AwaitedRequests } from './awaited-requests.ts';
import { readCredential, removeCredential } from './bearer.ts';
import { CallPeer, keepPeer } from './call-peer.ts';
import { keepCaller } from './caller.ts';
import { noteAdmitted, noteRefused, noteStreamEnded, noteVerified } from './decision-span.ts';
import type { LiveCall, LiveCalls, WatchedCall } from './live-calls.ts';
import type { createRefusalStatuses } from './refusal-statuses.ts';
import type { Rule } from './rules.ts';
import { type RenewableStreams, renewRule, streamIdKey } from './stream-credential.ts';
import type { TracedCall } from './traced-call.ts';
import type { AdmittedCall, CallVerifier, VerifiedListener } from './verify-call.ts';

/** A call that was refused, for the service's own log or audit. Never holds token bytes. */
export interface RefusedCall {
  /** Full method name. */
  readonly method: string;
  readonly error: TokenError;
  /** Address and port that the call came from, as grpc-js tells it. */
  readonly peer: string;
}

/** What the calls of one server share. */
export interface Guard {
  readonly verifier: CallVerifier;
  readonly liveCalls: LiveCalls;
  readonly streams: RenewableStreams;
  readonly awaited: AwaitedRequests;
  readonly metrics: ServerMetrics;
  readonly statusOf: ReturnType<typeof createRefusalStatuses>;
  /** Whether spans say whose a token is: where several issuers count. */
  readonly namesIssuers: boolean;
  readonly onRefused: ((refused: RefusedCall) => void) | undefined;
}

/** An incoming call that reaches its handler only when its token is right, and is ended when it is a stream and its token no longer is. */
export class GuardedCall extends ServerCallLayer {
  readonly #guard: Guard;
  readonly #method: ServerMethodDefinition<unknown, unknown>;
  readonly #rule: Rule | undefined;
  readonly #traced: TracedCall | undefined;
  #isAdmitted = false;
  #ended = false;
  #hasProof = false;
  #peer: CallPeer | undefined;
  /** What came while the token was verified, in its order; nothing once the call is over, for a call hangs on what Node keeps for longer. */
  #kept: (() => void)[] | undefined;
  #live: WatchedCall | undefined;
  #streamId: string | undefined;
  #sentMetadata = false;

  /** @param rule Of the method; `undefined` when it has none, so that every call is refused. */
  constructor(
    guard: Guard,
    method: ServerMethodDefinition<unknown, unknown>,
    rule: Rule | undefined,
    call: ServerInterceptingCallInterface,
    traced: TracedCall | undefined,
  ) {
    super(traced ?? call);
    this.#guard = guard;
    this.#method = method;
    this.#rule = rule;
    this.#traced = traced;
  }

  override start(listener: ServerCallListener): void {
    if (!this.#method.requestStream) this.#guard.awaited.add(this);
    super.start(listener);
  }

  override onReceiveMetadata(metadata: Metadata): void {
    const rule = this.#rule;
    try {
      if (!rule) throw new TokenError('CALLER_NOT_ALLOWED', `${this.#method.path} has no access rule: name its package to mesh.server()`);
      this.#peer = new CallPeer(this.call);
      if (rule.public) keepPeer(metadata, this.#peer);
      const presented = readCredential(metadata);
      if (!presented) {
        if (!rule.public) throw new TokenError('CREDENTIAL_MISSING', 'no credential');
        this.#guard.metrics.exempt(this.#method.path);
        noteAdmitted(this.#traced?.recorded, rule, false);
        this.#letIn(metadata);
        return;
      }
      this.#hasProof = presented.scheme === 'DPoP';
      const outcome = this.#guard.verifier.verify(presented, rule, this.#peer, this.#verifiedListener());
      if (outcome instanceof Promise) {
        outcome.then((admitted) => this.#admit(metadata, admitted, rule)).catch((error: unknown) => this.#refuse(error));
      } else this.#admit(metadata, outcome, rule);
    } catch (error) {
      this.#refuse(error);
    }
  }

  override onReceiveMessage(message: Message): void {
    if (this.#isAdmitted) this.listener.onReceiveMessage(message);
    else this.#keep(() => this.listener.onReceiveMessage(message));
  }

  override onReceiveHalfClose(): void {
    this.#guard.awaited.delete(this);
    if (this.#isAdmitted) this.listener.onReceiveHalfClose();
    else this.#keep(() => this.listener.onReceiveHalfClose());
  }

  override onCancel(): void {
    this.#finish();
    super.onCancel();
  }

  override sendMetadata(metadata: Metadata): void {
    this.#sentMetadata = true;
    this.call.sendMetadata(this.#withStreamId(metadata));
  }

  override sendMessage(message: Message, callback: () => void): void {
    if (this.#live && !this.#sentMetadata) this.sendMetadata(new Metadata());
    this.call.sendMessage(message, callback);
  }

  override sendStatus(status: ServerCallStatus): void {
    this.#finish();
    const nonce = this.#hasProof ? this.#guard.verifier.proofNonce() : undefined;
    if (nonce === undefined) {
      this.call.sendStatus(status);
      return;
    }
    // RFC 9449 sections 8.2 and 9: with every answer, so that the next proof holds it without a refusal before
    const metadata = status.metadata?.clone() ?? new Metadata();
    metadata.set('dpop-nonce', nonce);
    this.call.sendStatus({ ...status, metadata });
  }

  /** Writes what was verified to the call's span; `undefined` while that is not recorded, so that nothing is made for it. */
  #verifiedListener(): VerifiedListener | undefined {
    const span = this.#traced?.recorded;
    const { namesIssuers } = this.#guard;
    return span && ((token, freshness, isCached) => noteVerified(span, token, freshness, isCached, namesIssuers));
  }

  #admit(metadata: Metadata, { token, caller }: AdmittedCall, rule: Rule): void {
    if (this.#ended) return;
    noteAdmitted(this.#traced?.recorded, rule, caller.stale);
    removeCredential(metadata);
    if (this.#hasProof) metadata.remove('dpop');
    keepCaller(metadata, caller);
    const { requestStream, responseStream } = this.#method;
    if (requestStream || responseStream) this.#live = this.#guard.liveCalls.add(this.#liveCall(token, rule));
    else if (rule === renewRule) this.#guard.streams.present(metadata, token);
    this.#letIn(metadata);
  }

  #letIn(metadata: Metadata): void {
    this.#isAdmitted = true;
    this.listener.onReceiveMetadata(metadata);
    for (const pass of this.#kept ?? []) pass();
    this.#kept = undefined;
  }

  #keep(pass: () => void): void {
    if (this.#ended) return;
    this.#kept ??= [];
    this.#kept.push(pass);
  }

  #refuse(error: unknown): void {
    if (this.#ended) return;
    const { metrics, statusOf } = this.#guard;
    const { reason } = error instanceof TokenError ? error : { reason: undefined };
    const span = this.#traced?.recorded;
    if (this.#live) metrics.ended(reason);
    else metrics.refused(reason);
    if (this.#live) noteStreamEnded(span, reason);
    else noteRefused(span, this.#rule, reason);
    if (error instanceof TokenError) this.#tellRefused(error);
    this.sendStatus(reason && this.#rule ? statusOf(reason, this.#rule, this.#live !== undefined) : toStatus(error));
  }

  #tellRefused(error: TokenError): void {
    try {
      this.#guard.onRefused?.({ method: this.#method.path, error, peer: this.getPeer() });
    } catch {
      // who is told must not be able to keep a refused call open, nor to end the process; and there is nobody else to tell
    }
  }

  #finish(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#kept = undefined;
    if (this.#peer) this.#peer.isGone = true;
    this.#guard.awaited.delete(this);
    this.#live?.release();
    if (this.#streamId !== undefined) this.#guard.streams.delete(this.#streamId);
  }

  #liveCall(token: LiveCall['token'], rule: Rule): LiveCall {
    return { token, rule, end: (error) => this.#refuse(error), announce: () => this.#announce() };
  }

  // The stream's id travels with the metadata that its handler sends, or with its first message. Where neither comes in time for a renewal it
  // goes alone, and the metadata of a handler that comes later are too late.
  #announce(): void {
    if (!this.#ended && this.#guard.streams.offered && this.#streamId === undefined) this.sendMetadata(new Metadata());
  }

  #withStreamId(metadata: Metadata): Metadata {
    const { streams } = this.#guard;
    if (this.#ended || !this.#live || !streams.offered) return metadata;
    this.#streamId ??= streams.add(this.#live);
    const announcing = metadata.clone(); // the handler may send the same object on every call
    announcing.set(streamIdKey, this.#streamId);
    return announcing;
  }
}
