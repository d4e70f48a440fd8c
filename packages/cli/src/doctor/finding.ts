/** What became of a check: `warning` works and should be mended, `failed` has to be, `skipped` could not be looked at. */
export type FindingStatus = 'ok' | 'warning' | 'failed' | 'skipped';

/** What one check found. Holds no secret. */
export interface Finding {
  /** Names the check for ever: `nats.version`. */
  readonly check: string;
  readonly status: FindingStatus;
  /** What it looked at, when there are several: a server. */
  readonly of?: string;
  /** One sentence for people: what is there, and when it is not in order what to do. */
  readonly says: string;
}

/** A judgement that has not yet been given the name of its check. */
export type Judgement = Pick<Finding, 'status' | 'says'>;

export const ok = (says: string): Judgement => ({ status: 'ok', says });
export const warning = (says: string): Judgement => ({ status: 'warning', says });
export const failed = (says: string): Judgement => ({ status: 'failed', says });
export const skipped = (says: string): Judgement => ({ status: 'skipped', says });

/** The message of whatever was thrown, first line only. */
export function messageOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.split('\n', 1)[0] ?? '';
}
