import type { FeedPublisher } from '@tokenmesh/revocation';
import { findMeter } from './meter.ts';

/** The courier's end, with what it took and did not take timed, and whether it is connected shown. */
export function measuredPublisher(publisher: FeedPublisher): FeedPublisher {
  const meter = findMeter();
  if (!meter) return publisher;
  const courier = { 'tokenmesh.courier': publisher.name };
  const duration = meter.createHistogram('tokenmesh.courier.publish.duration', {
    description: 'Time until the courier had taken a revocation event, or had not',
    unit: 's',
    advice: { explicitBucketBoundaries: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5] },
  });
  const connected = meter.createObservableGauge('tokenmesh.courier.connected', {
    description: '1: events can be handed to the courier; 0: they wait in the outbox',
    unit: '1',
  });
  connected.addCallback((result) => result.observe(publisher.isConnected ? 1 : 0, courier));
  return {
    name: publisher.name,
    get stream() {
      return publisher.stream;
    },
    get isConnected() {
      return publisher.isConnected;
    },
    async publishEvent(event) {
      const beganAt = performance.now();
      const record = (outcome: 'taken' | 'failed') =>
        duration.record((performance.now() - beganAt) / 1000, { ...courier, 'tokenmesh.outcome': outcome });
      try {
        await publisher.publishEvent(event);
        record('taken');
      } catch (error) {
        record('failed');
        throw error;
      }
    },
    publishCheckpoint: (compact) => publisher.publishCheckpoint(compact),
    close: () => publisher.close(),
  };
}
