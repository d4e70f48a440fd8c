import { type ChannelInterface, connectivityState } from '@grpc/grpc-js';

/** How long calls may still wait for a connection of a channel that was replaced, before they end UNAVAILABLE. */
const defaultGraceMs = 30_000;

/**
 * A channel that is replaced by a new one from time to time: calls that begin afterwards use the new one, those under way stay where they are until they
 * end.
 *
 * @param options.open Makes the channels; none may share connections with another.
 * @param options.onRenewed When to replace; the result stops that.
 */
export function createRenewedChannel(options: {
  readonly open: () => ChannelInterface;
  readonly onRenewed: (listener: () => void) => () => void;
  readonly graceMs?: number;
}): ChannelInterface {
  const { open, onRenewed, graceMs = defaultGraceMs } = options;
  const retiring = new Map<ChannelInterface, NodeJS.Timeout>();
  let current = open();

  function retire(channel: ChannelInterface): void {
    retiring.delete(channel);
    channel.close(); // its connections end when the last call on them does
  }

  const stop = onRenewed(() => {
    const old = current;
    current = open();
    if (old.getConnectivityState(false) === connectivityState.READY) current.getConnectivityState(true);
    retiring.set(old, setTimeout(retire, graceMs, old).unref());
  });

  return {
    close() {
      stop();
      for (const [channel, timer] of retiring) {
        clearTimeout(timer);
        channel.close();
      }
      retiring.clear();
      current.close();
    },
    getTarget: () => current.getTarget(),
    getConnectivityState: (tryToConnect) => current.getConnectivityState(tryToConnect),
    watchConnectivityState: (state, deadline, callback) => current.watchConnectivityState(state, deadline, callback),
    getChannelzRef: () => current.getChannelzRef(),
    createCall: (...call) => current.createCall(...call),
  };
}
