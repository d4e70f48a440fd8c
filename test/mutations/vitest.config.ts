import { statSync } from 'node:fs';
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** A mutant lives until the first test that notices it: the small files, which are quick, come first. */
class SmallFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    return files.toSorted((a, b) => statSync(a.moduleId).size - statSync(b.moduleId).size);
  }
}

// The tests of the checks that are mutated, and none that goes through servers for minutes: what those would notice as well is not counted.
export default defineConfig({
  test: {
    include: [
      'packages/token/src/*.test.ts',
      'packages/interceptor/src/{access-rules,bearer,binding,live-calls,live-streams,opaque-tokens,replay-memory,rules}.test.ts',
      'packages/interceptor/src/{server-interceptor-attacks,several-issuers,verified-token-cache,verify-call}.test.ts',
      'packages/revocation/src/{event,feed,freshness,revocation-set,snapshot}.test.ts',
    ],
    sequence: { sequencer: SmallFirst },
    testTimeout: 30_000,
    hookTimeout: 60_000,
  },
});
