import { callsSuite } from './calls.ts';
import { exchangeSuite } from './exchange.ts';
import type { SuiteOptions, SuiteResult } from './measure.ts';
import { memorySuite } from './memory.ts';
import { revocationSuite } from './revocation.ts';
import { startupSuite } from './startup.ts';
import { streamsSuite } from './streams.ts';
import { telemetrySuite } from './telemetry.ts';
import { verifySuite } from './verify.ts';

/** What one suite measures, and how. */
export interface Suite {
  /** A line of `--help`. */
  readonly about: string;
  run(options: SuiteOptions): Promise<SuiteResult>;
}

/** All of them, in the order in which they run. */
export const suites: Readonly<Record<string, Suite>> = {
  calls: { run: callsSuite, about: 'what a token on a unary call costs (P1 to P4)' },
  streams: { run: streamsSuite, about: 'what watching a stream costs its messages (P5)' },
  verify: { run: verifySuite, about: 'what deciding on a token costs, and what a cached one holds (P6, P7)' },
  exchange: { run: exchangeSuite, about: 'what a token costs token-exchange (P8 to P10)' },
  startup: { run: startupSuite, about: 'the first call of a process, and a thousand that start at once (P11, P12)' },
  revocation: { run: revocationSuite, about: 'how soon a revocation is enforced, and what a million of them take (P13 to P16, P18)' },
  telemetry: { run: telemetrySuite, about: 'what spans and metrics cost a call (P17)' },
  memory: { run: memorySuite, about: 'a verifier at rest, with a million revocations, and at work for half an hour (P18)' },
};
