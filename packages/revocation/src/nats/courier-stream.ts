import type { NatsConnection, NatsError } from 'nats';
import type { CourierStream, StreamMessage } from '../feed-ports.ts';
import { isNoStream, revocationStreamName, revocationSubjects } from './stream.ts';

/**
 * The JetStream stream of the mesh, as its publisher may look at it: by STREAM.INFO and STREAM.MSG.GET of this one stream, and by publishing
 * to its subject. No consumer is made.
 *
 * @param connection The connection while there is one.
 */
export function createCourierStream(mesh: string, connection: () => NatsConnection | undefined): CourierStream {
  const name = revocationStreamName(mesh);
  const { events: subject } = revocationSubjects(mesh);

  function connected(): NatsConnection {
    const open = connection();
    if (open === undefined) throw new Error('NATS is not reachable');
    return open;
  }

  // what the account may do besides is nothing that is asked here
  const manager = () => connected().jetstreamManager({ checkAPI: false, timeout: answerTimeoutMs });

  async function read(seq: number): Promise<StreamMessage | undefined> {
    const { streams } = await manager();
    try {
      const { data, timestamp } = await streams.getMessage(name, { seq });
      return { seq, storedAt: timestamp, compact: Buffer.from(data).toString('latin1') };
    } catch (error) {
      // the library throws nothing else for an answer of the server; without one there is no api_error
      const refused = (error as NatsError).api_error;
      if (refused?.err_code === noMessageFound) return undefined;
      throw error;
    }
  }

  return {
    read,
    async state() {
      const { streams } = await manager();
      const { created, config, state } = await streams.info(name, { deleted_details: true }).catch((error: NatsError) => {
        throw isNoStream(error) ? new Error(`The stream ${name} does not exist: create it first`) : error;
      });
      return {
        created: String(created),
        firstSeq: state.first_seq,
        lastSeq: state.last_seq,
        deleted: new Set(state.deleted ?? []),
        maxAgeMs: config.max_age === 0 ? Number.POSITIVE_INFINITY : config.max_age / 1e6,
      };
    },
    async refill({ epoch, n, compact }) {
      const jetstream = connected().jetstream();
      let msgID = `${epoch}:${n}`;
      for (let losses = 0; losses < maxLosses; losses++) {
        const options = { msgID, timeout: answerTimeoutMs, expect: { streamName: name } };
        const { duplicate, seq } = await jetstream.publish(subject, Buffer.from(compact, 'latin1'), options);
        // an id is remembered for ten minutes whether its message is still there or not
        if (!duplicate || (await read(seq))?.compact === compact) return seq;
        // named after what was lost, every replica uses the same id, and one of them is stored
        msgID = `${epoch}:${n}:${seq}`;
      }
      throw new Error(`event ${n} was lost from the stream ${name} more often than is made good`);
    },
  };
}

const answerTimeoutMs = 2_000;
/** Losses of one event within the ten minutes in which ids are remembered. */
const maxLosses = 16;
/** JSNoMessageFoundErr: also when the store cannot read what it should have. */
const noMessageFound = 10_037;
