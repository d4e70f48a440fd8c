/** What a stream of a terminal or of a test has that a command writes to. */
export interface Output {
  readonly isTTY?: boolean;
  write(text: string): unknown;
}

/** What commands have of the process that they run in. */
export interface CommandIo {
  /** For results. */
  readonly out: Output;
  /** For progress and problems. */
  readonly err: Output;
  /** Aborted when the user wants the command to end. */
  readonly signal: AbortSignal;
  /** Says what the process is to end with. */
  exit(code: number): void;
}
