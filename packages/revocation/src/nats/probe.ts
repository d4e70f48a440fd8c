import { setImmediate as turn } from 'node:timers/promises';
import { connect, ErrorCode, Events, headers, type NatsConnection, type NatsError, type Status } from 'nats';
import { connectionOptions, type NatsOptions } from './connection-options.ts';
import { checkStream, revocationStreamName, revocationSubjects } from './stream.ts';

/** The server is there and does not let this user in. */
export class NatsRefusedError extends Error {
  override readonly name = 'NatsRefusedError';
}

/** One connection by which an operator finds out what a user may do. Nothing that a server keeps is changed by it. */
export interface NatsProbe {
  /**
   * Which of these subjects the server does not let this user publish to. What is published where it may has a body that no API of the server
   * takes for a request, and a header with which no stream stores it; plain subscribers receive it.
   */
  findDeniedPublish(subjects: readonly string[]): Promise<readonly string[]>;
  /** Which of these subjects the server does not let this user subscribe to, as a member of the queue group when one is named. */
  findDeniedSubscribe(subjects: readonly string[], queue?: string): Promise<readonly string[]>;
  /**
   * Resolves when the stream of the mesh is fit for the feed.
   *
   * @throws {Error} when it is missing, or not configured as `createRevocationStream` does; or when this user may not look at it.
   */
  checkStream(): Promise<void>;
  /**
   * The newest event of the stream as it was published; `undefined` when there is none.
   *
   * @throws {Error} when there is no stream, or this user may not read it.
   */
  lastEvent(): Promise<string | undefined>;
  /**
   * Whether this user may publish events: the given one, which the stream has already, is published once more so that the stream refuses it.
   * Verifiers receive it as one that they know.
   */
  mayPublishEvent(compact: string): Promise<boolean>;
  /** The next checkpoint that is published, as a verifier receives it; `undefined` when none comes in time, or this user may not hear it. */
  nextCheckpoint(limitMs: number): Promise<string | undefined>;
  close(): Promise<void>;
}

/**
 * Connects once, and never again by itself.
 *
 * @throws {NatsRefusedError} when the server answers and refuses this user.
 * @throws {Error} when no server answers, or TLS fails.
 */
export async function openNatsProbe(options: NatsOptions): Promise<NatsProbe> {
  const connection = await connect({ ...connectionOptions(options), reconnect: false }).catch((error: NatsError) => {
    if (error.isAuthError?.()) throw new NatsRefusedError('NATS refuses this user', { cause: error });
    const why = error.code === ErrorCode.ServerOptionNotAvailable ? `the server offers no ${error.message}` : error.message;
    throw new Error(`NATS is not reachable: ${why}`, { cause: error });
  });
  return new Probe(connection, options.mesh);
}

/** What the server refused: `publish` or `subscription`, and the subject. */
type Violation = NonNullable<Status['permissionContext']>;

class Probe implements NatsProbe {
  readonly #connection: NatsConnection;
  readonly #mesh: string;
  #violations: Violation[] = [];

  constructor(connection: NatsConnection, mesh: string) {
    this.#connection = connection;
    this.#mesh = mesh;
    void this.#watch();
  }

  async findDeniedPublish(subjects: readonly string[]): Promise<readonly string[]> {
    const stored = headers();
    stored.set('Nats-Expected-Stream', noStream);
    const violations = await this.#violationsOf(() => {
      for (const subject of subjects) this.#connection.publish(subject, noRequest, { headers: stored });
    });
    return subjects.filter((subject) => violations.some((denied) => denied.operation === 'publish' && denied.subject === subject));
  }

  async findDeniedSubscribe(subjects: readonly string[], queue?: string): Promise<readonly string[]> {
    const options = { callback: () => {}, ...(queue === undefined ? {} : { queue }) };
    const violations = await this.#violationsOf(() => subjects.map((subject) => this.#connection.subscribe(subject, options)));
    return subjects.filter((subject) => violations.some((denied) => denied.operation === 'subscription' && denied.subject === subject));
  }

  checkStream(): Promise<void> {
    return checkStream(this.#connection, this.#mesh);
  }

  async lastEvent(): Promise<string | undefined> {
    const { streams } = await this.#connection.jetstreamManager();
    const query = { last_by_subj: revocationSubjects(this.#mesh).events };
    const message = await streams.getMessage(revocationStreamName(this.#mesh), query).catch((error: NatsError) => {
      if (error.api_error?.err_code === noMessage) return undefined;
      throw error;
    });
    return message === undefined ? undefined : Buffer.from(message.data).toString('latin1');
  }

  async mayPublishEvent(compact: string): Promise<boolean> {
    const { events } = revocationSubjects(this.#mesh);
    const answer = this.#connection.jetstream().publish(events, Buffer.from(compact, 'latin1'), { expect: { streamName: noStream } });
    return await answer.then(
      () => true,
      (error: NatsError) => error.api_error?.err_code === otherStreamExpected,
    );
  }

  async nextCheckpoint(limitMs: number): Promise<string | undefined> {
    const { checkpoints } = revocationSubjects(this.#mesh);
    const { promise, resolve } = Promise.withResolvers<string | undefined>();
    const timer = setTimeout(() => resolve(undefined), limitMs);
    this.#connection.subscribe(checkpoints, {
      max: 1,
      callback: (error, message) => resolve(error === null ? Buffer.from(message.data).toString('latin1') : undefined),
    });
    return await promise.finally(() => clearTimeout(timer));
  }

  async close(): Promise<void> {
    await this.#connection.close();
  }

  /** What the server refused of what `act` does. It says so in order, before it answers the flush. */
  async #violationsOf(act: () => unknown): Promise<readonly Violation[]> {
    this.#violations = [];
    act();
    await this.#connection.flush();
    // the library hands them on in microtasks
    await turn();
    return this.#violations;
  }

  async #watch(): Promise<void> {
    for await (const { type, permissionContext } of this.#connection.status()) {
      if (type === Events.Error && permissionContext !== undefined) this.#violations.push(permissionContext);
    }
  }
}

/** Neither empty nor JSON, which requests of the JetStream API are. It begins like JSON because servers take what does not for no body: 2.15 purges then. */
const noRequest = '{';
const noStream = 'tokenmesh-probe';
const noMessage = 10_037;
const otherStreamExpected = 10_060;
