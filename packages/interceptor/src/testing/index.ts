export { type BadToken, type BadTokenKind, badTokenKinds } from './bad-tokens.ts';
export { type CoverageAttempt, type CoverageOptions, type CoverageReport, coverage } from './coverage.ts';
export { matchers, type RefusalMatchers } from './matchers.ts';
export type { TestExchange } from './memory-channel.ts';
export type { TestGrant, TestRevocation, TestToken } from './memory-issuer.ts';
export { type TestMesh, type TestMeshForOptions, type TestMeshOptions, testMesh } from './mesh.ts';
export { assertRefused, type ReceivedRefusal, type RefusableCall, refusal } from './refusal.ts';
