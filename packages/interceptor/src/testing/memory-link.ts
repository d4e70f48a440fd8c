/** Whether something can be reached, as a test says. */
export interface MemoryLink {
  readonly isUp: boolean;
  set(isUp: boolean): void;
  /** Resolves when it is up, at once where it is. Rejects with the signal's reason when that is aborted. */
  whenUp(signal?: AbortSignal): Promise<void>;
  /** Called after it went up or down; returns the way to stop. */
  onChange(listener: () => void): () => void;
}

export function createMemoryLink(): MemoryLink {
  const listeners = new Set<() => void>();
  let isUp = true;
  return {
    get isUp() {
      return isUp;
    },
    set(next) {
      if (next === isUp) return;
      isUp = next;
      for (const listener of [...listeners]) listener();
    },
    whenUp(signal) {
      const up = Promise.withResolvers<void>();
      const check = () => isUp && up.resolve();
      const abort = () => up.reject(signal?.reason);
      listeners.add(check);
      signal?.addEventListener('abort', abort);
      check();
      if (signal?.aborted) abort();
      return up.promise.finally(() => {
        listeners.delete(check);
        signal?.removeEventListener('abort', abort);
      });
    },
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}
