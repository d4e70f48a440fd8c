// what a service imports
export { type Caller, callerOf, findCaller } from './caller.ts';
export { type Certificate, createMesh, type Mesh, type MeshOptions } from './mesh.ts';
// for authors of libraries and of token-exchange
export { type Rule, readRule, readRules } from './rules.ts';
export type { RefusedCall } from './server-interceptor.ts';
export { type ServerInterceptors, type ServerInterceptorsOptions, serverInterceptors } from './server-interceptor.ts';
export { oauthError, type Refusal, type RefusalStatus, refusalOf, refusalStatus, toStatus } from './status.ts';
export { tracingClientInterceptor, tracingServerInterceptor } from './tracing.ts';
export { type UnaryMethod, type UnaryOptions, unary } from './unary.ts';
export { type CallVerifierOptions, checkRule, type JudgedToken, type Peer, type RevocationView, type RuleCheck } from './verify-call.ts';
export {
  type ClientAuthentication,
  clientCertificate,
  jwtSvid,
  kubernetesToken,
  privateKeyJwt,
  type WorkloadCredential,
} from './workload-credential.ts';
