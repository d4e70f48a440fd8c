/** Where a run is, for who waits for it. */
export interface Progress {
  begin(suite: string): void;
  /** What the suite does now. */
  readonly report: (line: string) => void;
  end(): void;
}

/** Where it is written to: standard error. */
export interface ProgressStream {
  readonly isTTY?: boolean;
  write(text: string): unknown;
}

/**
 * One line that is written anew on a terminal, with the time that is left where it is known how long every suite takes; elsewhere a line for each suite that
 * begins, so that a log says where a run hangs.
 *
 * @param suites In the order in which they run; of each, how long it took the last time.
 * @param now Milliseconds, from any moment.
 */
export function createProgress(
  suites: readonly { readonly name: string; readonly seconds: number | undefined }[],
  stream: ProgressStream,
  now: () => number,
): Progress {
  let at = -1;
  let beganAt = 0;
  const where = () => `${suites[at]?.name}, suite ${at + 1} of ${suites.length}`;
  const left = () => {
    const [current, ...others] = suites.slice(at).map(({ seconds }) => seconds ?? Number.NaN);
    const seconds = Math.max(0, (current ?? 0) - (now() - beganAt) / 1000) + others.reduce((sum, other) => sum + other, 0);
    return Number.isNaN(seconds) ? '' : `, about ${minutes(seconds)} left`;
  };
  return {
    begin(suite) {
      at = suites.findIndex(({ name }) => name === suite);
      beganAt = now();
      if (!stream.isTTY) stream.write(`${where()}${left()}\n`);
    },
    report(line) {
      if (stream.isTTY) stream.write(`\r\x1b[K${where()}${left()}: ${line}`);
    },
    end() {
      if (stream.isTTY) stream.write('\r\x1b[K');
    },
  };
}

function minutes(seconds: number): string {
  const whole = Math.round(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, '0')} min`;
}
