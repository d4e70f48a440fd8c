export type { NatsOptions } from './nats/connection-options.ts';
export { createNkey, type Nkey } from './nats/nkey.ts';
export { type NatsProbe, NatsRefusedError, openNatsProbe } from './nats/probe.ts';
export { type NatsPublisherOptions, natsPublisher } from './nats/publisher.ts';
export { isWithoutAdvisories } from './nats/server-version.ts';
export { createRevocationStream, type RevocationStreamOptions, revocationStreamName, revocationSubjects } from './nats/stream.ts';
export { natsTransport } from './nats/transport.ts';
