export { type Actor, actorChain, type Confirmation, parseServiceTokenClaims, type ServiceTokenClaims } from './claims.ts';
export { type Reason, reasons } from './reasons.ts';
export { formatScope, hasScope, intersectScope, parseScope } from './scope.ts';
export {
  acceptIntrospectedClaims,
  checkTimes,
  signServiceToken,
  type VerifiedToken,
  type VerifyServiceTokenOptions,
  verifyForAnyAudience,
  verifyServiceToken,
} from './service-token.ts';
export { isSpiffeId, parseSpiffeId, type SpiffeId, trustDomainOf } from './spiffe-id.ts';
export { TokenError } from './token-error.ts';

// For library authors: keys, client authentication, and everything else that is signed.

export { type Algorithm, algorithmNames } from './algorithms.ts';
export {
  readClientAssertion,
  signClientAssertion,
  type UnverifiedClientAssertion,
  type VerifiedClientAssertion,
  verifyClientAssertion,
} from './client-assertion.ts';
export { createDpopNonces, type DpopNonces, nonceWindowMs } from './dpop-nonce.ts';
export { signDpopProof, type VerifiedDpopProof, verifyDpopProof } from './dpop-proof.ts';
export type { JsonObject, JsonValue } from './json.ts';
export { checkSignature, maxTokenBytes, type ParsedJws, parseJws, signJws, tokenTypes } from './jws.ts';
export {
  createLocalKeySet,
  exportJwk,
  exportSigningKey,
  generateSigningKey,
  importJwks,
  importSigningKey,
  type Jwk,
  type KeySet,
  type SigningKey,
  type VerificationKey,
} from './keys.ts';
export { createTimeOrderedIds } from './time-ordered-ids.ts';
