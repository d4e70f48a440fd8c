/** Decides when keys are asked for because their issuer said that they changed. */
export interface KeyAnnouncements {
  /** The issuer said which version its keys have now. Only what it signed may come here. */
  announced(version: number): void;
  /** A question begins, whatever it is asked for. */
  asked(): void;
  /** Its answer came, with keys of this version; it may be an older one than announced. */
  answered(version: number): void;
  /** No question follows. */
  close(): void;
}

/** A fleet hears an announcement in one instant: its questions are spread over this time. */
const spreadMs = 500;
const minPauseMs = 1_000;
/** Who announces keys and then does not have them must not be asked for ever: a regular question comes in the end. */
const maxPauseMs = 60_000;

/**
 * Has keys asked for when an announcement names a later version than the last answer, after a random part of half a second.
 *
 * Questions keep a second's distance from the one before. While none brings what was announced, because a replica lags or the question fails, the distance
 * doubles, up to a minute. An older version, as a replica that lags announces it, asks for nothing.
 *
 * @param options.ask Asks for the keys, or has them asked for soon; must not throw.
 * @param options.monotonicNow A clock that never steps, in milliseconds.
 */
export function createKeyAnnouncements(options: {
  readonly ask: () => void;
  readonly monotonicNow: () => number;
  readonly random: () => number;
}): KeyAnnouncements {
  const { ask, monotonicNow, random } = options;
  let held = Number.POSITIVE_INFINITY; // before the first answer keys are asked for anyway
  let wanted = Number.NEGATIVE_INFINITY;
  let pauseMs = minPauseMs;
  let notBeforeMs = Number.NEGATIVE_INFINITY;
  let timer: NodeJS.Timeout | undefined;
  let closed = false;

  function plan(): void {
    timer ??= setTimeout(onTime, Math.max(0, notBeforeMs - monotonicNow()) + spreadMs * random()).unref();
  }

  function onTime(): void {
    timer = undefined;
    if (wanted <= held) return;
    // meanwhile they were asked for, and older ones came
    if (monotonicNow() < notBeforeMs) plan();
    else ask();
  }

  return {
    announced(version) {
      if (version <= held || closed) return;
      wanted = version;
      plan();
    },
    asked() {
      notBeforeMs = monotonicNow() + pauseMs;
      if (wanted > held) pauseMs = Math.min(maxPauseMs, 2 * pauseMs);
    },
    answered(version) {
      held = version;
      if (wanted > version) return;
      pauseMs = minPauseMs;
      notBeforeMs = Math.min(notBeforeMs, monotonicNow() + minPauseMs);
    },
    close() {
      closed = true;
      clearTimeout(timer);
    },
  };
}
