/**
 * Runs `work` at an interval of `ms` milliseconds, never twice at once, without keeping the process alive.
 *
 * @param onError Told of each run that rejects; the next one comes all the same. Must not throw.
 * @returns Stops it, and waits for the run that is under way.
 */
export function every(ms: number, work: () => Promise<void>, onError: (error: unknown) => void): () => Promise<void> {
  let running: Promise<void> | undefined;
  const timer = setInterval(() => {
    running ??= work()
      .catch(onError)
      .finally(() => {
        running = undefined;
      });
  }, ms);
  timer.unref();
  return async () => {
    clearInterval(timer);
    await running;
  };
}
