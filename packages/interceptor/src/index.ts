// what a service imports
export { type AccessRuleMembers, type AccessRules, accessRules, type DescribedService, type RulesFor } from './access-rules.ts';
export type { PresentedCredential } from './bearer.ts';
export type { ProofPolicy } from './binding.ts';
export { type Caller, callerOf, can, findCaller } from './caller.ts';
export type { Introspection } from './introspector.ts';
export type { IssuerChange } from './issuer-connection.ts';
export { createMesh, type Mesh, type MeshChange, type MeshOptions, type TrustedMesh } from './mesh.ts';
export type { MeshDescription, Tolerances } from './mesh-description.ts';
// for authors of libraries and of token-exchange
export { type Rule, readRule, readRules } from './rules.ts';
export { servedMethods } from './served-methods.ts';
export type { RefusedCall } from './server-interceptor.ts';
export { type ServerInterceptors, type ServerInterceptorsOptions, serverInterceptors } from './server-interceptor.ts';
export { oauthError, type Refusal, type RefusalStatus, refusalOf, refusalStatus, toStatus } from './status.ts';
export type { MissedChanges } from './status-stream.ts';
export { createRenewableStreams, type RenewableStreams, type StreamCredentialService } from './stream-credential.ts';
export type { Certificate, CertificateChange, CertificateFiles } from './tls-files.ts';
export type { TokenChange } from './token-source.ts';
export { tracingClientInterceptor, tracingServerInterceptor } from './tracing.ts';
export { type UnaryMethod, type UnaryOptions, unary } from './unary.ts';
export {
  type AdmittedCall,
  type CallVerifier,
  type CallVerifierOptions,
  checkRule,
  createCallVerifier,
  type JudgedToken,
  type Peer,
  type RevocationView,
  type RuleCheck,
  type TrustedIssuer,
} from './verify-call.ts';
export {
  type ClientAuthentication,
  clientCertificate,
  jwtSvid,
  kubernetesToken,
  privateKeyJwt,
  type WorkloadCredential,
} from './workload-credential.ts';
