// what a service imports
export { type AccessRuleMembers, type AccessRules, accessRules, type DescribedService, type RulesFor } from './incoming/access-rules.ts';
export type { PresentedCredential } from './incoming/bearer.ts';
export type { ProofPolicy } from './incoming/binding.ts';
// for authors of libraries and of token-exchange
export { certificateThumbprintOf } from './incoming/call-peer.ts';
export { type Caller, callerOf, can, findCaller } from './incoming/caller.ts';
export { checkRule, type JudgedToken, type RuleCheck } from './incoming/check-rule.ts';
export type { RefusedCall } from './incoming/guarded-call.ts';
export type { Introspection } from './incoming/introspector.ts';
export { type Rule, readRule, readRules } from './incoming/rules.ts';
export { servedMethods } from './incoming/served-methods.ts';
export { type ServerInterceptors, type ServerInterceptorsOptions, serverInterceptors } from './incoming/server-interceptor.ts';
export { createRenewableStreams, type RenewableStreams, type StreamCredentialService } from './incoming/stream-credential.ts';
export { tracingServerInterceptor } from './incoming/traced-call.ts';
export {
  type AdmittedCall,
  type CallVerifier,
  type CallVerifierOptions,
  createCallVerifier,
  type Peer,
  type RevocationView,
  type TrustedIssuer,
  type VerifiedListener,
} from './incoming/verify-call.ts';
export type { HealthReportOptions, HealthStatuses } from './mesh/health-report.ts';
export type { IssuerChange } from './mesh/issuer-connection.ts';
export { createMesh, type Mesh, type MeshChange, type MeshOptions, type TrustedMesh } from './mesh/mesh.ts';
export type { MeshDescription, Tolerances } from './mesh/mesh-description.ts';
export type { MissedChanges } from './mesh/status-stream.ts';
export type { Certificate, CertificateChange, CertificateFiles } from './mesh/tls-files.ts';
export type { TokenChange } from './outgoing/token-source.ts';
export { tracingClientInterceptor } from './outgoing/traced-call.ts';
export { type UnaryMethod, type UnaryOptions, unary } from './outgoing/unary.ts';
export {
  type ClientAuthentication,
  clientCertificate,
  jwtSvid,
  kubernetesToken,
  privateKeyJwt,
  type WorkloadCredential,
} from './outgoing/workload-credential.ts';
export { spanAttributes, spanEvents, spanNames } from './semantic-conventions.ts';
export { oauthError, type Refusal, type RefusalStatus, refusalOf, refusalStatus, toStatus } from './status.ts';
export { tokenIdHash } from './token-id-hash.ts';
export { formatTraceparent, parseTraceparent } from './traceparent.ts';
export type { TracingOptions } from './tracing.ts';
