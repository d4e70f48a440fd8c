import { statSync } from 'node:fs';
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** A mutant lives until the first test that notices it: the small files, which are quick, come first. */
class SmallFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    return files.toSorted((a, b) => statSync(a.moduleId).size - statSync(b.moduleId).size);
  }
}

// The tests of the checks that are mutated. Those of whole servers are left out, for they are slow: what they alone would notice counts as survived.
export default defineConfig({
  test: {
    include: [
      'packages/token/src/*.test.ts',
      'packages/interceptor/src/incoming/{access-rules,bearer,binding,introspector,live-calls,opaque-tokens,replay-memory,rules,staleness}.test.ts',
      'packages/interceptor/src/{incoming/verified-token-cache,incoming/verify-call,mesh/several-issuers}.test.ts',
      'packages/revocation/src/{event,feed,freshness,recent-hashes,revocation-set,snapshot}.test.ts',
    ],
    sequence: { sequencer: SmallFirst },
    // a process that has gRPC loaded is used again: loading it would take most of the time
    isolate: false,
    testTimeout: 30_000,
    hookTimeout: 60_000,
  },
});
