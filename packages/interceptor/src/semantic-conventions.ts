/** Names of the spans that are no calls. What they and the rest stand for is in `docs/reference/semantic-conventions.md`. */
export const spanNames = {
  obtain: 'tokenmesh.token.obtain',
  publish: 'tokenmesh.revocation.publish',
  apply: 'tokenmesh.revocation.apply',
  keyChange: 'tokenmesh.key.change',
} as const;

/** Names of events on spans. */
export const spanEvents = {
  decision: 'tokenmesh.decision',
  streamEnded: 'tokenmesh.stream.ended',
  retry: 'tokenmesh.retry',
  grant: 'tokenmesh.grant',
} as const;

/** Attributes of spans, events and links. None ever holds a token, a proof or a key. */
export const spanAttributes = {
  decision: 'tokenmesh.decision',
  reason: 'tokenmesh.reason',
  ruleClass: 'tokenmesh.rule.class',
  ruleScope: 'tokenmesh.rule.scope',
  stale: 'tokenmesh.stale',
  issuer: 'tokenmesh.issuer',
  tokenId: 'tokenmesh.token.id_hash',
  tokenAudience: 'tokenmesh.token.audience',
  tokenKid: 'tokenmesh.token.kid',
  tokenBinding: 'tokenmesh.token.binding',
  delegationDepth: 'tokenmesh.delegation.depth',
  cacheHit: 'tokenmesh.cache.hit',
  retried: 'tokenmesh.retried',
  obtainCause: 'tokenmesh.obtain.cause',
  obtainWaiters: 'tokenmesh.obtain.waiters',
  obtainShared: 'tokenmesh.obtain.shared',
  grantOutcome: 'tokenmesh.grant.outcome',
  grantType: 'tokenmesh.grant.type',
  grantRule: 'tokenmesh.grant.rule',
  clientId: 'tokenmesh.client_id',
  introspectionActive: 'tokenmesh.introspection.active',
  revocationState: 'tokenmesh.revocation.state',
  revocationAge: 'tokenmesh.revocation.age',
  revocationPath: 'tokenmesh.revocation.path',
  revocationPosition: 'tokenmesh.revocation.position',
  revocationTargets: 'tokenmesh.revocation.targets',
  revocationKinds: 'tokenmesh.revocation.kinds',
  revocationRequests: 'tokenmesh.revocation.requests',
  revocationBroadcast: 'tokenmesh.revocation.broadcast',
  keyId: 'tokenmesh.key.id',
  keyPurpose: 'tokenmesh.key.purpose',
  keyState: 'tokenmesh.key.state',
  keyForced: 'tokenmesh.key.forced',
} as const;
