// `pnpm mutations:score`: see docs/reference/mutation-score.md.
export default {
  mutate: [
    'packages/token/src/{algorithms,base64url,claims,client-assertion,dpop-nonce,dpop-proof,json,jws,keys,scope,service-token,spiffe-id}.ts',
    'packages/interceptor/src/incoming/{bearer,binding,check-rule,introspector,live-calls,replay-memory,rules,staleness,verified-token-cache,verify-call}.ts',
    'packages/revocation/src/{checkpoint,event,recent-hashes,revocation-set,signed-statement,snapshot,target}.ts',
  ],
  testRunner: 'vitest',
  vitest: { configFile: 'test/mutations/vitest.config.ts' },
  plugins: ['@stryker-mutator/vitest-runner', './test/mutations/leave-out-messages.ts'],
  ignorers: ['messages'],
  ignorePatterns: ['deploy', 'docs'],
  // there is none of this name: Stryker would rewrite it with the API of TypeScript before 7
  tsconfigFile: 'no-tsconfig.json',
  coverageAnalysis: 'perTest',
  concurrency: 2,
  timeoutMS: 10_000,
  incremental: true,
  incrementalFile: 'node_modules/.cache/mutation-score.json',
  reporters: ['progress-append-only', 'clear-text'],
  clearTextReporter: { allowColor: false, logTests: false },
  warnings: { slow: false },
  packageManager: 'pnpm',
};
