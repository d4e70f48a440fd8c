import { type ChannelInterface, credentials, type Interceptor, type ServiceError, status } from '@grpc/grpc-js';
import { context } from '@opentelemetry/api';
import { tokenmesh } from '@tokenmesh/proto';
import { type Caller, subjectTokenOf } from '../incoming/caller.ts';
import type { TokenSource } from './token-source.ts';
import { unary } from './unary.ts';

/** A live stream as its caller knows it. */
export interface KeptStream {
  /** As the server announced it: 128 random bits. */
  readonly id: string;
  /** What the stream runs over; the renewal goes over it too. */
  readonly channel: ChannelInterface;
  /** What the renewing calls go through: the bearer of the audience. */
  readonly interceptors: Interceptor[];
  readonly audience: string;
  readonly scope: string | undefined;
  readonly onBehalfOf: Caller | undefined;
  /** End of the token that the stream was opened with. */
  readonly expMs: number;
}

/** Keeps live streams alive beyond the token they were opened with, from the caller's side. */
export interface StreamRenewals {
  /**
   * Renews the stream's credential as often as it takes, until the returned function is called. Shortly after half of its token's life the
   * source is asked for a newer one, which is sent to the server; what fails is tried again until the token is over, and ends nothing.
   *
   * A stream that is made on behalf of a caller is not renewed beyond the end of that caller's token. The context that is active now is the
   * one of the renewing calls.
   */
  keep(stream: KeptStream): () => void;
  /** Streams kept now. */
  readonly size: number;
  /** Stops renewing; the streams go on until their tokens end. */
  close(): void;
}

/** First wait after the source had nothing newer, or a renewal failed; doubled each time. Never more than half of what is left. */
const againMs = 1_000;
const maxAgainMs = 30_000;
/** With less left than this a renewal would come too late. */
const lastMomentMs = 100;
/** One renewal, and no longer than the token. */
const timeoutMs = 10_000;
/**
 * How often one renewal is tried with a server that does not know the stream. With a balancing channel each try goes to the next process, and only
 * one of them has the stream.
 */
const maxPicks = 8;
/** `setTimeout` takes no more. */
const maxTimeoutMs = 2 ** 31 - 1;

export function createStreamRenewals(options: {
  readonly source: TokenSource;
  readonly now: () => number;
  readonly random: () => number;
}): StreamRenewals {
  const { source, now, random } = options;
  const stops = new Set<() => void>();
  let closed = false;

  function keep({ id, channel, interceptors, audience, scope, onBehalfOf, expMs: openedUntilMs }: KeptStream): () => void {
    const streamContext = context.active();
    // token-exchange counts in seconds: within one it is the same end
    const isBounded = onBehalfOf && openedUntilMs > subjectTokenOf(onBehalfOf).expMs - 1_000;
    if (isBounded || closed) return () => {};
    let expMs = openedUntilMs;
    let waitMs = againMs;
    let timer: NodeJS.Timeout | undefined;

    function stop(): void {
      stops.delete(stop);
      clearTimeout(timer);
    }

    function wait(delayMs: number): void {
      timer = setTimeout(() => context.with(streamContext, renew), Math.min(delayMs, maxTimeoutMs)).unref();
    }

    function waitForHalf(): void {
      waitMs = againMs;
      wait(((expMs - now()) / 2) * (0.9 + 0.2 * random()));
    }

    function waitAgain(): void {
      const leftMs = expMs - now();
      if (leftMs < lastMomentMs) stop();
      else wait(Math.min(waitMs, leftMs / 2));
      waitMs = Math.min(waitMs * 2, maxAgainMs);
    }

    async function renew(): Promise<void> {
      try {
        const newer = await source.get({ audience, scope, onBehalfOf });
        if (!stops.has(stop)) return;
        if (newer.expMs > expMs) {
          await send();
          expMs = newer.expMs;
          if (stops.has(stop)) waitForHalf();
        } else waitAgain();
      } catch (error) {
        if (!stops.has(stop)) return;
        const { code } = error as ServiceError; // or another error, which has none
        if (code === status.NOT_FOUND || code === status.UNIMPLEMENTED) stop();
        else waitAgain();
      }
    }

    async function send(): Promise<void> {
      const client = new tokenmesh.StreamCredential(channel.getTarget(), credentials.createInsecure(), {
        channelOverride: channel,
        interceptors,
      });
      for (let pick = 1; ; pick++) {
        // by the clock of grpc-js, whatever ours is
        const deadline = Date.now() + Math.min(timeoutMs, expMs - now());
        try {
          await unary(client, 'renew', { stream_id: id }, { deadline, scope, onBehalfOf });
          return;
        } catch (error) {
          const isUnknown = (error as ServiceError).code === status.NOT_FOUND;
          if (!isUnknown || pick === maxPicks || !stops.has(stop)) throw error;
        }
      }
    }

    stops.add(stop);
    waitForHalf();
    return stop;
  }

  return {
    keep,
    get size() {
      return stops.size;
    },
    close() {
      closed = true;
      for (const stop of stops) stop();
    },
  };
}
