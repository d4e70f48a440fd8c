/** Which engine keeps the record of token-exchange. */
export type StoreKind = 'sqlite' | 'postgres';

export interface CampaignOptions {
  /** Fewer rounds: under a minute, with every check. */
  readonly quick: boolean;
  /** The longer form of a campaign that has one. */
  readonly long: boolean;
  /** Of every random choice; the same one makes the same choices. What the processes make of them in time stays theirs. */
  readonly seed: number;
  /** Instead of the campaign's own number of rounds. */
  readonly rounds: number | undefined;
  /** The round of this number alone, in a campaign whose rounds do not depend on one another. */
  readonly only: number | undefined;
  readonly stores: readonly StoreKind[];
  /** Told how far it is. */
  readonly report: (line: string) => void;
}

/** What came of a campaign, or of the part of it that ran on one engine. */
export interface Verdict {
  readonly name: string;
  readonly counts: Readonly<Record<string, number | string>>;
  /** What must not happen and did, in sentences; none: it passed. */
  readonly violations: readonly string[];
  /** Why it did not run. */
  readonly skipped?: string;
}

export interface Campaign {
  /** One line for the help. */
  readonly about: string;
  /** Takes everything down that it started, whatever happens. */
  run(options: CampaignOptions): Promise<readonly Verdict[]>;
}
