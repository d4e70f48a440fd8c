import type { FeedSubscription, FeedTransport, LogPosition } from './feed-ports.ts';

export interface FeedPaths {
  /** Name of the path in use at a moment of the monotonic clock; `record` while none works. */
  current(atMs: number): string;
  /** To be called every now and then: opens the fallback when the courier has been silent for too long. */
  check(): void;
  close(): Promise<void>;
}

interface FeedPathsOptions {
  readonly courier: FeedTransport | undefined;
  readonly fallback: FeedTransport | undefined;
  /** The courier counts as absent when it brought no fresh checkpoint for this long. */
  readonly silenceMs: number;
  readonly monotonicNow: () => number;
  readonly position: () => LogPosition;
  readonly onEvent: (compact: string, path: string, traceparent: (() => string | undefined) | undefined) => void;
  /** Returns whether the checkpoint was genuine and fresh. */
  readonly onCheckpoint: (compact: string, path: string) => boolean;
  /** A path was (re)connected, or another one is in use. */
  readonly onConnected: () => void;
  readonly report: (status: { type: 'path'; path: string; event: 'up' | 'down' | 'chosen'; error?: unknown }) => void;
}

/**
 * Chooses between the courier, which is always listened to, and the fallback, which is opened when the courier is down or silent and closed
 * when a fresh checkpoint comes over the courier again. While both are open both count: what comes twice is counted once.
 */
export function createFeedPaths(options: FeedPathsOptions): FeedPaths {
  return new Paths(options);
}

class Paths implements FeedPaths {
  readonly #options: FeedPathsOptions;
  readonly #courier: FeedSubscription | undefined;
  #courierUp = false;
  #courierHeardAtMs: number;
  #fallback: FeedSubscription | undefined;
  #fallbackUp = false;
  #closed = false;
  readonly #endings = new Set<Promise<void>>();

  constructor(options: FeedPathsOptions) {
    this.#options = options;
    this.#courierHeardAtMs = options.monotonicNow();
    this.#courier = options.courier && this.#subscribeCourier(options.courier);
    if (this.#courier === undefined) this.#openFallback();
  }

  current(atMs: number): string {
    const { courier, fallback } = this.#options;
    if (courier !== undefined && this.#courierUp && !this.#isCourierSilent(atMs)) return courier.name;
    return fallback !== undefined && this.#fallbackUp ? fallback.name : 'record';
  }

  check(): void {
    if (this.#isCourierSilent(this.#options.monotonicNow())) this.#openFallback();
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#closeFallback();
    await Promise.all([this.#courier?.close(), ...this.#endings]);
  }

  #isCourierSilent(atMs: number): boolean {
    return atMs - this.#courierHeardAtMs > this.#options.silenceMs;
  }

  #subscribeCourier(courier: FeedTransport): FeedSubscription {
    const { position, onEvent, onCheckpoint, onConnected, report } = this.#options;
    return courier.subscribe(position, {
      onEvent: (compact, traceparent) => onEvent(compact, courier.name, traceparent),
      onCheckpoint: (compact) => {
        if (onCheckpoint(compact, courier.name)) this.#courierHeard();
      },
      onUp: () => {
        this.#courierUp = true;
        report({ type: 'path', path: courier.name, event: 'up' });
        onConnected();
      },
      onDown: (error) => {
        report({ type: 'path', path: courier.name, event: 'down', error });
        this.#courierUp = false;
        this.#courierHeardAtMs = Number.NEGATIVE_INFINITY;
        this.#openFallback();
      },
    });
  }

  #courierHeard(): void {
    this.#courierHeardAtMs = this.#options.monotonicNow();
    if (this.#fallback === undefined || this.#options.courier === undefined) return;
    this.#closeFallback();
    this.#options.report({ type: 'path', path: this.#options.courier.name, event: 'chosen' });
    this.#options.onConnected();
  }

  #openFallback(): void {
    const { fallback, position, onEvent, onCheckpoint, onConnected, report } = this.#options;
    if (fallback === undefined || this.#fallback !== undefined || this.#closed) return;
    report({ type: 'path', path: fallback.name, event: 'chosen' });
    this.#fallback = fallback.subscribe(position, {
      onEvent: (compact, traceparent) => onEvent(compact, fallback.name, traceparent),
      onCheckpoint: (compact) => void onCheckpoint(compact, fallback.name),
      onUp: () => {
        this.#fallbackUp = true;
        report({ type: 'path', path: fallback.name, event: 'up' });
        onConnected();
      },
      onDown: (error) => {
        this.#fallbackUp = false;
        report({ type: 'path', path: fallback.name, event: 'down', error });
      },
    });
  }

  #closeFallback(): void {
    if (this.#fallback === undefined) return;
    const ending = this.#fallback.close().finally(() => this.#endings.delete(ending));
    this.#endings.add(ending);
    this.#fallback = undefined;
    this.#fallbackUp = false;
  }
}
