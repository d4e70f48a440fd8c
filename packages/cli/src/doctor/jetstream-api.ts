import { revocationStreamName } from '@tokenmesh/revocation/nats';

/** No consumer has this name; requests about it find nothing. */
const consumer = 'tokenmesh-doctor';

/** Subjects of JetStream's API for the mesh's stream and a consumer on it: 25, all that there are but for those of the system account. */
export function jetStreamApi(mesh: string): readonly string[] {
  const stream = revocationStreamName(mesh);
  return [
    'INFO',
    'STREAM.NAMES',
    'STREAM.LIST',
    `STREAM.CREATE.${stream}`,
    `STREAM.UPDATE.${stream}`,
    `STREAM.INFO.${stream}`,
    `STREAM.DELETE.${stream}`,
    `STREAM.PURGE.${stream}`,
    `STREAM.MSG.GET.${stream}`,
    `STREAM.MSG.DELETE.${stream}`,
    `STREAM.SNAPSHOT.${stream}`,
    `STREAM.RESTORE.${stream}`,
    `STREAM.PEER.REMOVE.${stream}`,
    `STREAM.LEADER.STEPDOWN.${stream}`,
    `DIRECT.GET.${stream}`,
    `CONSUMER.CREATE.${stream}`,
    `CONSUMER.CREATE.${stream}.${consumer}`,
    `CONSUMER.DURABLE.CREATE.${stream}.${consumer}`,
    `CONSUMER.NAMES.${stream}`,
    `CONSUMER.LIST.${stream}`,
    `CONSUMER.INFO.${stream}.${consumer}`,
    `CONSUMER.DELETE.${stream}.${consumer}`,
    `CONSUMER.MSG.NEXT.${stream}.${consumer}`,
    `CONSUMER.PAUSE.${stream}.${consumer}`,
    `CONSUMER.LEADER.STEPDOWN.${stream}.${consumer}`,
  ].map((name) => `$JS.API.${name}`);
}

/** What token-exchange needs of them: to see that the stream is there and fit, and to compare its events with the record's. */
export function jetStreamApiOfIssuer(mesh: string): readonly string[] {
  const stream = revocationStreamName(mesh);
  return ['$JS.API.INFO', `$JS.API.STREAM.INFO.${stream}`, `$JS.API.STREAM.MSG.GET.${stream}`];
}
