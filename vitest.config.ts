import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['{proto,packages,services,test}/**/*.test.ts'],
    globalSetup: 'test/real-components.ts',
    setupFiles: 'test/no-tokens-in-output.ts',
    testTimeout: 30_000,
    hookTimeout: 60_000,
    retry: 0,
    maxWorkers: 2, // they wait more than they compute: by default there is one worker less than processors
  },
});
