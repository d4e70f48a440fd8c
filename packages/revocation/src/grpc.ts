import { setTimeout as delay } from 'node:timers/promises';
import { type ClientDuplexStream, type ClientUnaryCall, type ServiceError, status } from '@grpc/grpc-js';
import type { RevocationFeedClient, SyncRequest, SyncResponse, VerifierReport } from '@tokenmesh/proto';
import {
  type FeedKeys,
  type FeedRecord,
  type FeedTransport,
  type FeedTransportHandlers,
  type LogPosition,
  PositionGoneError,
} from './feed-ports.ts';

/**
 * The record, asked over `tokenmesh.v1.RevocationFeed`. Every question has a deadline (10 s, a snapshot 60 s) besides the caller's signal.
 *
 * `listEvents` rejects with {@link PositionGoneError} on OUT_OF_RANGE (compacted) and FAILED_PRECONDITION (another epoch); everything else
 * rejects with the `ServiceError`.
 */
export function grpcRecord(client: RevocationFeedClient): FeedRecord {
  return {
    keys: (signal) => unary<FeedKeys>(signal, (callback) => client.GetFeedKeys({}, callOptions(), callback)),
    snapshot: (signal) => readSnapshot(client, signal),
    async listEvents({ epoch, n }, signal) {
      try {
        return await unary<{ events: readonly string[]; head: number }>(signal, (callback) =>
          client.ListEvents({ epoch, from: n, limit: 0 }, callOptions(), callback),
        );
      } catch (error) {
        throw isGone(error) ? new PositionGoneError(`Events from ${n} of epoch ${epoch} are not served`, { cause: error }) : error;
      }
    },
    async checkpoint(nonce, signal) {
      const answer = await unary<{ checkpoint: string }>(signal, (callback) => client.Checkpoint({ nonce }, callOptions(), callback));
      return answer.checkpoint;
    },
  };
}

/** When a stream counts as dead, and how attempts are spread. */
export interface GrpcTransportOptions {
  /** A stream on which nothing came for this long is opened anew; default 5 000 ms. Checkpoints come every second. */
  readonly silenceMs?: number;
  /** 0 to 1, for jitter. */
  readonly random?: () => number;
}

/** A report; `served` may be absent. */
export type SentReport = Omit<VerifierReport, 'served'> & { readonly served?: VerifierReport['served'] | undefined };

/** The path over gRPC, which carries reports back as well. */
export interface GrpcTransport extends FeedTransport {
  /**
   * Tells token-exchange what this verifier knows: on the stream that is open, else on one that lives for this report only. Best effort: a
   * report that is lost is replaced by the next one. Never throws.
   *
   * @param report.served Goes with the first report on a stream, and again as soon as it is another object than before; of reports that have no
   *   stream, with every eleventh.
   */
  report(report: SentReport): void;
}

/**
 * Events and checkpoints over the bidirectional stream `RevocationFeed/Sync`.
 *
 * A stream that ends is opened again after 50 to 100 ms, twice that with each attempt that brings nothing, and 1 to 2 s at most. How soon a
 * broken connection is noticed and restored is the channel's business: create the client with `grpc.max_reconnect_backoff_ms` of at most 1 500.
 * With grpc-js' jitter that is 1.8 s, and with up to 1 s until the feed asks again a verifier is fresh within 3 s after an outage; the default
 * is two minutes.
 */
export function grpcTransport(client: RevocationFeedClient, options: GrpcTransportOptions = {}): GrpcTransport {
  const open = new Set<SyncLoop>();
  let served: VerifierReport['served'] = null;
  let alone = 0;
  return {
    name: 'grpc',
    subscribe(position, handlers) {
      const loop = new SyncLoop(client, position, handlers, options);
      open.add(loop);
      return {
        close: () => {
          open.delete(loop);
          return loop.close();
        },
      };
    },
    report(report) {
      for (const loop of open) if (loop.report(report)) return;
      const stream = client.Sync({ deadline: Date.now() + reportTimeoutMs });
      stream.on('error', () => {});
      stream.resume();
      const isDue = alone++ % servedEvery === 0 || report.served !== served;
      served = report.served ?? null;
      stream.write({ report: { ...report, served: isDue ? served : null } });
      stream.end();
    },
  };
}

const requestTimeoutMs = 10_000;
const snapshotTimeoutMs = 60_000;
const reportTimeoutMs = 5_000;
/** About once a minute. Not divisible by the number of replicas that take turns, so that each of them is told. */
const servedEvery = 11;
const minPauseMs = 100;
const maxPauseMs = 2_000;

type SyncStream = ClientDuplexStream<SyncRequest, SyncResponse>;

class SyncLoop {
  readonly #client: RevocationFeedClient;
  readonly #position: () => LogPosition;
  readonly #handlers: FeedTransportHandlers;
  readonly #silenceMs: number;
  readonly #random: () => number;
  readonly #closing = new AbortController();
  readonly #running: Promise<void>;
  #stream: SyncStream | undefined;
  /** What the stream carried of what is served. */
  #served: VerifierReport['served'] = null;
  #failures = 0;

  constructor(client: RevocationFeedClient, position: () => LogPosition, handlers: FeedTransportHandlers, options: GrpcTransportOptions) {
    this.#client = client;
    this.#position = position;
    this.#handlers = handlers;
    this.#silenceMs = options.silenceMs ?? 5_000;
    this.#random = options.random ?? Math.random;
    this.#running = this.#run();
  }

  /** Whether there was a stream to send it on. */
  report({ served = null, ...report }: SentReport): boolean {
    if (this.#stream?.writable !== true) return false;
    this.#stream.write({ report: { ...report, served: served === this.#served ? null : served } });
    this.#served = served;
    return true;
  }

  async close(): Promise<void> {
    this.#closing.abort();
    this.#stream?.cancel();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#closing;
    // The subscriber gets its subscription before the first call of a handler.
    await Promise.resolve();
    while (!signal.aborted) {
      const error = await this.#stay();
      if (signal.aborted) return;
      this.#handlers.onDown(error);
      const pauseMs = Math.min(maxPauseMs, minPauseMs * 2 ** this.#failures++) * (0.5 + this.#random() / 2);
      await delay(pauseMs, undefined, { signal }).catch(() => {});
    }
  }

  /** Opens the stream and resolves when it has ended, with the reason. */
  #stay(): Promise<unknown> {
    const { epoch, n } = this.#position();
    const stream = this.#client.Sync();
    this.#stream = stream;
    this.#served = null;
    return new Promise((resolve) => {
      const silence = setTimeout(() => {
        resolve(new Error(`Nothing came on the stream for ${this.#silenceMs} ms`));
        stream.cancel();
      }, this.#silenceMs);
      const end = (error?: unknown) => {
        clearTimeout(silence);
        if (this.#stream === stream) this.#stream = undefined;
        resolve(error);
      };
      stream.on('metadata', () => this.#whileOpen(() => this.#handlers.onUp()));
      stream.on('data', (response: SyncResponse) => {
        silence.refresh();
        this.#failures = 0;
        this.#whileOpen(() => this.#receive(response));
      });
      stream.on('error', end);
      stream.on('end', () => end());
      stream.write({ start: { epoch, from: n + 1 } });
    });
  }

  #whileOpen(call: () => void): void {
    if (!this.#closing.signal.aborted) call();
  }

  #receive({ event, checkpoint, traceparent }: SyncResponse): void {
    if (event !== undefined) this.#handlers.onEvent(event, () => traceparent);
    else if (checkpoint !== undefined) this.#handlers.onCheckpoint(checkpoint);
  }
}

function callOptions(): { deadline: number } {
  return { deadline: Date.now() + requestTimeoutMs };
}

function unary<Response>(
  signal: AbortSignal | undefined,
  start: (callback: (error: ServiceError | null, response?: Response) => void) => ClientUnaryCall,
): Promise<Response> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const cancel = () => call.cancel();
    const call = start((error, response) => {
      signal?.removeEventListener('abort', cancel);
      if (error === null && response !== undefined) resolve(response);
      else reject(error);
    });
    signal?.addEventListener('abort', cancel, { once: true });
  });
}

async function readSnapshot(client: RevocationFeedClient, signal?: AbortSignal): ReturnType<FeedRecord['snapshot']> {
  signal?.throwIfAborted();
  const stream = client.GetSnapshot({}, { deadline: Date.now() + snapshotTimeoutMs });
  const cancel = () => stream.cancel();
  signal?.addEventListener('abort', cancel, { once: true });
  stream.once('close', () => signal?.removeEventListener('abort', cancel));
  const parts: AsyncIterator<SnapshotPart> = stream[Symbol.asyncIterator]();
  const first = await parts.next();
  return { head: first.done ? '' : (first.value.head ?? ''), chunks: chunksOf(parts) };
}

/** As proto-loader gives it. */
interface SnapshotPart {
  readonly head?: string;
  readonly chunk?: Buffer;
}

/** What follows the head, read as fast as it is asked for. */
async function* chunksOf(parts: AsyncIterator<SnapshotPart>): AsyncGenerator<Uint8Array> {
  for (let part = await parts.next(); !part.done; part = await parts.next()) {
    if (part.value.chunk !== undefined) yield part.value.chunk;
  }
}

function isGone(error: unknown): boolean {
  const { code } = error as Partial<ServiceError>;
  return code === status.OUT_OF_RANGE || code === status.FAILED_PRECONDITION;
}
