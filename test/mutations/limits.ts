import type { Mutation } from './mutation.ts';

const token = 'packages/token/src';
const revocation = 'packages/revocation/src';
const interceptor = 'packages/interceptor/src';

/** A limit that is one more than it should be. */
function limit(path: string, find: string, put: string, fails: Mutation['fails']): Mutation {
  return { of: ['T-44'], file: path, find, put, fails };
}

/** Limits of the fields that come from outside: each is one too high, and the test at the limit and one past it notices. */
export const limitMutations: readonly Mutation[] = [
  limit(`${token}/jws.ts`, 'maxTokenBytes = 4096', 'maxTokenBytes = 4097', {
    file: `${token}/jws.test.ts`,
    title: 'T-44 may have 4096 bytes, and not 4097',
  }),
  limit(`${token}/jws.ts`, 'maxTokenBytes = 4096', 'maxTokenBytes = 4098', {
    file: `${token}/service-token.test.ts`,
    title: 'T-44 is not signed when it is larger than verifiers accept',
  }),
  limit(`${token}/jws.ts`, '/^[!-~]{1,64}$/', '/^[!-~]{1,65}$/', {
    file: `${token}/jws.test.ts`,
    title: 'T-44 is signed with a typ of 64 characters, and not of 65',
  }),
  limit(`${token}/keys.ts`, '._-]{1,64}$/', '._-]{1,65}$/', {
    file: `${token}/jws.test.ts`,
    title: 'T-44 may have a kid of 64 characters, and not of 65',
  }),
  limit(`${token}/keys.ts`, '._-]{1,64}$/', '._-]{1,65}$/', {
    file: `${token}/keys.test.ts`,
    title: 'T-44 may have a kid of 64 characters, and not of 65',
  }),
  limit(`${token}/algorithms.ts`, '<= 8192', '<= 8193', {
    file: `${token}/keys.test.ts`,
    title: 'T-44 of RSA may have 8192 bits, and not 8193',
  }),
  limit(`${token}/algorithms.ts`, '>= 2048', '>= 2047', {
    file: `${token}/keys.test.ts`,
    title: 'T-44 of RSA may have 2048 bits, and not 2047',
  }),
  limit(`${token}/algorithms.ts`, '>= 65537', '>= 65535', {
    file: `${token}/keys.test.ts`,
    title: 'T-44 of RSA may have an exponent of 65537, and not of 65535',
  }),
  limit(`${token}/json.ts`, 'maxDepth = 8', 'maxDepth = 9', { file: `${token}/json.test.ts`, title: 'T-44 goes 8 levels deep, and not 9' }),
  limit(`${token}/json.ts`, 'maxMembers = 64', 'maxMembers = 65', {
    file: `${token}/json.test.ts`,
    title: 'T-44 takes 64 members, and not 65',
  }),
  limit(`${token}/json.ts`, 'maxElements = 1024', 'maxElements = 1025', {
    file: `${token}/json.test.ts`,
    title: 'T-44 takes 1024 elements, and not 1025',
  }),
  limit(`${token}/claims.ts`, 'maxIdLength = 2048', 'maxIdLength = 2049', {
    file: `${token}/claims.test.ts`,
    title: 'T-44 %s may have 2048 characters, and not 2049',
  }),
  limit(`${token}/claims.ts`, 'value.length > maxIdLength', 'value.length > maxIdLength + 1', {
    file: `${token}/claims.test.ts`,
    title: 'T-44 the sub of %s may have 2048 characters, and not 2049',
  }),
  limit(`${token}/claims.ts`, "'jti', 128)", "'jti', 129)", {
    file: `${token}/claims.test.ts`,
    title: 'T-44 %s may have 128 characters, and not 129',
    case: 'jti',
  }),
  limit(`${token}/claims.ts`, "'txn', 128)", "'txn', 129)", {
    file: `${token}/claims.test.ts`,
    title: 'T-44 %s may have 128 characters, and not 129',
    case: 'txn',
  }),
  limit(`${token}/claims.ts`, "'sid', 128)", "'sid', 129)", {
    file: `${token}/claims.test.ts`,
    title: 'T-44 %s may have 128 characters, and not 129',
    case: 'sid',
  }),
  limit(`${token}/claims.ts`, 'value.length > 64', 'value.length > 65', {
    file: `${token}/claims.test.ts`,
    title: 'T-44 there may be 64 networks, and not 65, with prefixes of 32 and 128 bits, and not of 33 and 129',
  }),
  limit(`${token}/claims.ts`, 'family === 4 ? 32 : 128', 'family === 4 ? 33 : 128', {
    file: `${token}/claims.test.ts`,
    title: 'T-44 there may be 64 networks, and not 65, with prefixes of 32 and 128 bits, and not of 33 and 129',
  }),
  limit(`${token}/claims.ts`, 'family === 4 ? 32 : 128', 'family === 4 ? 32 : 129', {
    file: `${token}/claims.test.ts`,
    title: 'T-44 there may be 64 networks, and not 65, with prefixes of 32 and 128 bits, and not of 33 and 129',
  }),
  limit(`${token}/scope.ts`, 'maxLength = 4096', 'maxLength = 4097', {
    file: `${token}/scope.test.ts`,
    title: 'T-44 may have 4096 characters, and not 4097',
  }),
  limit(`${token}/spiffe-id.ts`, '{1,255}', '{1,256}', {
    file: `${token}/spiffe-id.test.ts`,
    title: 'T-44 may have a trust domain of 255 characters, and not of 256',
  }),
  limit(`${token}/spiffe-id.ts`, 'maxLength = 2048', 'maxLength = 2049', {
    file: `${token}/spiffe-id.test.ts`,
    title: 'T-44 may have 2048 characters, and not 2049',
  }),
  limit(`${token}/service-token.ts`, 'clockToleranceSeconds <= 5', 'clockToleranceSeconds <= 5.001', {
    file: `${token}/service-token.test.ts`,
    title: 'T-44 may be set up with a tolerance of 5 seconds, and not of more',
  }),
  limit(`${token}/client-assertion.ts`, 'lifeSeconds > maxLifeSeconds', 'lifeSeconds > maxLifeSeconds + 1', {
    file: `${token}/client-assertion.test.ts`,
    title: 'T-44 lives 1 to 60 seconds',
  }),
  limit(`${token}/client-assertion.ts`, 'exp - (iat ?? now) > maxLifeSeconds', 'exp - (iat ?? now) > maxLifeSeconds + 1', {
    file: `${token}/client-assertion.test.ts`,
    title: 'T-44 must not live longer than a minute, by its own word or by the clock',
  }),
  limit(`${token}/client-assertion.ts`, '{1,128}', '{1,129}', {
    file: `${token}/client-assertion.test.ts`,
    title: 'T-44 may have a jti of 128 characters, and not of 129',
  }),
  limit(`${token}/client-assertion.ts`, 'clockToleranceSeconds <= 5', 'clockToleranceSeconds <= 5.001', {
    file: `${token}/client-assertion.test.ts`,
    title: 'T-44 is verified with a tolerance of 5 seconds, and not of more',
  }),
  limit(`${token}/dpop-proof.ts`, '{1,128}', '{1,129}', {
    file: `${token}/dpop-proof.test.ts`,
    title: 'T-44: takes a jti of 128 characters, and not of 129',
  }),
  limit(`${token}/dpop-proof.ts`, 'maxProofBytes = 4096', 'maxProofBytes = 4098', {
    file: `${token}/dpop-proof.test.ts`,
    title: 'T-44: takes a proof of 4096 bytes, and not a longer one',
  }),
  limit(`${token}/dpop-proof.ts`, 'maxAgeSeconds <= 300', 'maxAgeSeconds <= 301', {
    file: `${token}/dpop-proof.test.ts`,
    title: 'T-44: takes an age of 1 to 300 seconds and a tolerance of 0 to 5, and no other',
  }),
  limit(`${token}/dpop-proof.ts`, 'clockToleranceSeconds <= 5)', 'clockToleranceSeconds <= 5.001)', {
    file: `${token}/dpop-proof.test.ts`,
    title: 'T-44: takes an age of 1 to 300 seconds and a tolerance of 0 to 5, and no other',
  }),
  limit(`${revocation}/event.ts`, 'maxTargets = 500', 'maxTargets = 501', {
    file: `${revocation}/event.test.ts`,
    title: 'T-44 an event has 1 to 500 targets',
  }),
  limit(`${revocation}/event.ts`, 'value.length === 0', 'value.length < 0', {
    file: `${revocation}/event.test.ts`,
    title: 'T-44 an event has 1 to 500 targets',
  }),
  limit(`${revocation}/event.ts`, 'maxBytes = 512 * 1024', 'maxBytes = 512 * 1024 + 2', {
    file: `${revocation}/event.test.ts`,
    title: 'T-44 a value has 1 to 2 048 characters, and an event 512 KiB at most',
  }),
  limit(`${revocation}/event.ts`, '{1,128}', '{1,129}', {
    file: `${revocation}/event.test.ts`,
    title: 'T-44 an epoch has up to 64 characters and a jti up to 128',
  }),
  limit(`${revocation}/signed-statement.ts`, '{1,64}', '{1,65}', {
    file: `${revocation}/event.test.ts`,
    title: 'T-44 an epoch has up to 64 characters and a jti up to 128',
  }),
  limit(`${revocation}/target.ts`, 'maxValueLength = 2_048', 'maxValueLength = 2_049', {
    file: `${revocation}/event.test.ts`,
    title: 'T-44 a value has 1 to 2 048 characters, and an event 512 KiB at most',
  }),
  limit(`${revocation}/checkpoint.ts`, '{1,128}', '{1,129}', {
    file: `${revocation}/snapshot.test.ts`,
    title: 'T-44 a nonce has 1 to 128 characters',
  }),
  limit(`${revocation}/checkpoint.ts`, 's > 3_600_000', 's > 3_600_001', {
    file: `${revocation}/snapshot.test.ts`,
    title: 'T-44 S lies between 100 ms and an hour',
  }),
  limit(`${revocation}/checkpoint.ts`, 's < 100', 's < 99', {
    file: `${revocation}/snapshot.test.ts`,
    title: 'T-44 S lies between 100 ms and an hour',
  }),
  limit(`${revocation}/checkpoint.ts`, 'maxBytes = 4_096', 'maxBytes = 4_098', {
    file: `${revocation}/snapshot.test.ts`,
    title: 'T-44 a checkpoint and the head of a snapshot have 4 096 bytes at most',
  }),
  limit(`${revocation}/snapshot.ts`, 'maxHeadBytes = 4_096', 'maxHeadBytes = 4_098', {
    file: `${revocation}/snapshot.test.ts`,
    title: 'T-44 a checkpoint and the head of a snapshot have 4 096 bytes at most',
  }),
  limit(`${revocation}/feed.ts`, 'staleAfterMs <= 3_600_000', 'staleAfterMs <= 3_600_001', {
    file: `${revocation}/feed.test.ts`,
    title: 'T-44 options out of range are refused when the feed is created, and those at its ends are taken',
  }),
  limit(`${revocation}/feed.ts`, 'futureToleranceMs <= 60_000', 'futureToleranceMs <= 60_001', {
    file: `${revocation}/feed.test.ts`,
    title: 'T-44 options out of range are refused when the feed is created, and those at its ends are taken',
  }),
  limit(`${interceptor}/incoming/bearer.ts`, 'maxCredentialBytes = 8192', 'maxCredentialBytes = 8193', {
    file: `${interceptor}/incoming/bearer.test.ts`,
    title: 'T-44: takes a value of 8 192 bytes and refuses one of 8 193',
  }),
  limit(
    `${interceptor}/incoming/bearer.ts`,
    'value.length + proof.length > maxCredentialBytes',
    'value.length + proof.length > maxCredentialBytes + 1',
    {
      file: `${interceptor}/incoming/bearer.test.ts`,
      title: 'T-44: takes 8 192 bytes of token and proof together, and no more',
    },
  ),
  limit(`${interceptor}/incoming/binding.ts`, 'maxAgeSeconds <= 300', 'maxAgeSeconds <= 301', {
    file: `${interceptor}/incoming/binding.test.ts`,
    title: 'T-44: %s is checked when the verifier is made',
    case: 'maxAgeSeconds',
  }),
  limit(`${interceptor}/incoming/binding.ts`, 'maxRemembered >= 16', 'maxRemembered >= 15', {
    file: `${interceptor}/incoming/binding.test.ts`,
    title: 'T-44: %s is checked when the verifier is made',
    case: 'maxRemembered',
  }),
  limit(`${token}/dpop-nonce.ts`, 'key.length < 32', 'key.length < 31', {
    file: `${interceptor}/incoming/binding.test.ts`,
    title: 'T-44: %s is checked when the verifier is made',
    case: 'nonceKey',
  }),
  limit(`${interceptor}/incoming/verify-call.ts`, 'clockToleranceSeconds > 5', 'clockToleranceSeconds > 6', {
    file: `${interceptor}/incoming/verify-call.test.ts`,
    title: 'T-44: may be made with %s of %d, and not of %d',
    case: 'clockToleranceSeconds of 5',
  }),
  limit(`${interceptor}/incoming/verify-call.ts`, 'maxOpaqueKeepMs = 300_000', 'maxOpaqueKeepMs = 300_001', {
    file: `${interceptor}/incoming/verify-call.test.ts`,
    title: 'T-44: may be made with %s of %d, and not of %d',
    case: 'opaqueKeepMs of 300000',
  }),
];
