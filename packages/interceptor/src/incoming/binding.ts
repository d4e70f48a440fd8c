import { randomBytes } from 'node:crypto';
import { BlockList, isIPv6 } from 'node:net';
import { createDpopNonces, TokenError, type VerifiedToken, verifyDpopProof } from '@tokenmesh/token';
import { findAuthorityOf, parseAuthority } from '../authority.ts';
import type { PresentedCredential } from './bearer.ts';
import { createReplayMemory } from './replay-memory.ts';
import type { Rule } from './rules.ts';
import type { Peer } from './verify-call.ts';

/** How the DPoP proofs of callers are judged. */
export interface ProofPolicy {
  /** `required`: a proof must hold a nonce that this service gave, so that none can be made ahead (RFC 9449 section 9). Default `off`. */
  readonly nonce?: 'required' | 'off';
  /**
   * What nonces are made from; at least 32 random bytes. Replicas that are given the same accept each other's. Default: random, so that a caller is refused
   * once by each replica and each time it comes to another one.
   */
  readonly nonceKey?: Buffer;
  /** How old a proof may be; integer 1…300, default 60. The clock tolerance comes on top. */
  readonly maxAgeSeconds?: number;
  /** Used proofs remembered; at least 16, default 400 000, about 100 bytes each. See `createReplayMemory` for what happens when that is too few. */
  readonly maxRemembered?: number;
}

/** What a token is bound to, checked against what the call proves. */
export interface BindingCheck {
  /**
   * Checks certificate (RFC 8705 section 3), network (`net`) and key (RFC 9449 section 7.1), the last of which uses the proof up. A bound token without its
   * proof is no credential.
   *
   * @throws {TokenError} BINDING_MISMATCH, BOUND_TOKEN_AS_BEARER, PROOF_INVALID, PROOF_NONCE_REQUIRED, PROOF_REPLAYED
   */
  check(token: VerifiedToken, presented: PresentedCredential, rule: Rule, peer: Peer): void;
  /** The nonce that the next proof has to hold; `undefined` when none has to. */
  nonce(): string | undefined;
}

/**
 * @param options.audience Identity of this service, which its authority is derived from.
 * @param options.authority Host, and port where it is not 443, that proofs have to be for; default `authorityOf(audience)`.
 * @throws {TypeError} When an option is out of its range.
 */
export function createBindingCheck(options: {
  readonly audience: string;
  readonly authority?: string | undefined;
  readonly proofs?: ProofPolicy | undefined;
  readonly clockToleranceSeconds: number;
  readonly now: () => number;
}): BindingCheck {
  const { audience, proofs = {}, clockToleranceSeconds, now } = options;
  const { nonce = 'off', nonceKey, maxAgeSeconds = 60, maxRemembered = 400_000 } = proofs;
  if (!(Number.isInteger(maxAgeSeconds) && maxAgeSeconds >= 1 && maxAgeSeconds <= 300)) {
    throw new TypeError('maxAgeSeconds must be an integer from 1 to 300');
  }
  if (!(Number.isInteger(maxRemembered) && maxRemembered >= 16)) throw new TypeError('maxRemembered must be an integer from 16 on');
  const authority = options.authority === undefined ? findAuthorityOf(audience) : parseAuthority(options.authority);
  const nonces = nonce === 'required' ? createDpopNonces(nonceKey ?? randomBytes(32), now) : undefined;
  const used = createReplayMemory(maxRemembered, now);

  function checkKey(jkt: string | undefined, { token, proof }: PresentedCredential, method: string): void {
    if (jkt === undefined) throw new TokenError('BINDING_MISMATCH', 'the token came with the DPoP scheme and is bound to no key');
    if (proof === undefined) throw new TokenError('PROOF_INVALID', 'no DPoP proof');
    if (authority === undefined) throw new TokenError('PROOF_INVALID', 'this service has no authority that a proof could be for');
    const verified = verifyDpopProof(proof, {
      htm: 'POST',
      htu: `https://${authority}${method}`,
      accessToken: token,
      nonce: nonces?.accepted(),
      ...{ maxAgeSeconds, clockToleranceSeconds, now },
    });
    if (verified.jkt !== jkt) throw new TokenError('BINDING_MISMATCH', 'the proof is by another key than the token is bound to');
    if (!used.use(verified)) throw new TokenError('PROOF_REPLAYED', 'the DPoP proof was used before, or that is not known any more');
  }

  return {
    check(token, presented, rule, peer) {
      const { cnf, net } = token.claims;
      if (rule.requireBinding && !cnf) throw new TokenError('BINDING_MISMATCH', 'the method needs a bound token');
      if (cnf?.jkt !== undefined && presented.scheme !== 'DPoP') {
        throw new TokenError('BOUND_TOKEN_AS_BEARER', 'the token is bound to a DPoP key and came as a bearer token');
      }
      const thumbprint = cnf?.['x5t#S256'];
      if (thumbprint !== undefined && thumbprint !== peer.certificateThumbprint()) {
        throw new TokenError('BINDING_MISMATCH', 'the token is bound to another certificate');
      }
      if (net && !isWithin(peer.address, net)) throw new TokenError('BINDING_MISMATCH', 'the token is bound to another network');
      // last, so that nobody uses up the proof of a caller without the rest of what the token is bound to
      if (presented.scheme === 'DPoP') checkKey(cnf?.jkt, presented, rule.method);
    },
    nonce: () => nonces?.current(),
  };
}

function isWithin(address: string, cidrs: readonly string[]): boolean {
  const list = new BlockList();
  for (const cidr of cidrs) {
    const [network = '', prefix = ''] = cidr.split('/');
    list.addSubnet(network, Number(prefix), isIPv6(network) ? 'ipv6' : 'ipv4');
  }
  // an IPv4 address in IPv6 form (`::ffff:10.0.0.1`), as a socket for both has it, is found in IPv4 networks as well
  return list.check(address, isIPv6(address) ? 'ipv6' : 'ipv4');
}
