import type { KeyRing } from '../keys/keys.ts';

/** A snapshot as it goes to verifiers: `openSnapshot` of `@tokenmesh/revocation` reads it. */
export interface Snapshot {
  readonly head: string;
  readonly chunks: readonly Uint8Array[];
}

/** How long a snapshot is handed out. What was revoked meanwhile is served as events, and a fleet that starts at once comes within this time. */
const keptMs = 2000;

/**
 * Makes one snapshot for all who ask while it is being made and within two seconds afterwards; then its memory is given back. One that another key
 * signed than signs now is not handed out any more: a key that was withdrawn takes the events before with it.
 */
export function shareSnapshot(make: () => Promise<Snapshot>, keys: Pick<KeyRing, 'feed'>): () => Promise<Snapshot> {
  let shared: { readonly kid: string; readonly snapshot: Promise<Snapshot> } | undefined;

  return () => {
    const { kid } = keys.feed.signing;
    if (shared?.kid === kid) return shared.snapshot;
    const made = { kid, snapshot: make() };
    const forget = () => {
      if (shared === made) shared = undefined;
    };
    made.snapshot.then(() => setTimeout(forget, keptMs).unref(), forget);
    shared = made;
    return made.snapshot;
  };
}
