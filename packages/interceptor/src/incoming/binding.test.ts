import { type Confirmation, createDpopNonces, generateSigningKey, nonceWindowMs, signDpopProof, TokenError } from '@tokenmesh/token';
import { beforeEach, describe, expect, it } from 'vitest';
import { createTestIssuer, orders, type TestIssuer } from '../test-issuer.ts';
import type { PresentedCredential } from './bearer.ts';
import type { ProofPolicy } from './binding.ts';
import type { Rule } from './rules.ts';
import { type CallVerifier, createCallVerifier, type Peer } from './verify-call.ts';

const rule: Rule = {
  method: '/shop.v1.Orders/Create',
  scopes: ['orders.write'],
  anyScope: [],
  public: false,
  callers: [],
  maxActDepth: undefined,
  requireBinding: false,
  class: 'standard',
  maxStaleMs: undefined,
  maxBlindMs: undefined,
};
const otherMethod: Rule = { ...rule, method: '/shop.v1.Orders/Upload' };
const bindingRequired: Rule = { ...rule, requireBinding: true };
const thumbprint = 'A'.repeat(43);
const peer: Peer = { certificateThumbprint: () => thumbprint, address: '10.1.2.3' };
const key = generateSigningKey();
const thief = generateSigningKey();
const bound: Confirmation = { jkt: key.kid };

let issuer: TestIssuer;
let verifier: CallVerifier;
let proofs: number;

function open(policy: { proofs?: ProofPolicy; authority?: string; audience?: string } = {}): CallVerifier {
  const { issuer: iss, keys, revocation, now } = issuer;
  return createCallVerifier({ audience: orders, issuer: iss, keys, revocation, now, ...policy });
}

function sign(token: string, changes: Partial<Parameters<typeof signDpopProof>[0]> = {}): string {
  return signDpopProof({
    ...{ key, htm: 'POST', htu: `https://orders.shop.test${rule.method}`, accessToken: token },
    ...{ now: issuer.now, newId: () => `proof ${++proofs}`.replace(' ', '-') },
    ...changes,
  });
}

const withProof = (token: string, proof = sign(token)): PresentedCredential => ({ scheme: 'DPoP', token, proof });
const asBearer = (token: string): PresentedCredential => ({ scheme: 'Bearer', token });

function verdict(presented: PresentedCredential, as: Rule = rule, from: Peer = peer): string {
  try {
    const outcome = verifier.verify(presented, as, from);
    if (outcome instanceof Promise) throw new Error('the verifier made a promise where the key is known');
    return 'ADMITTED';
  } catch (error) {
    return error instanceof TokenError ? error.reason : String(error);
  }
}

beforeEach(() => {
  proofs = 0;
  issuer = createTestIssuer();
  verifier = open();
});

describe('a token bound to a key', () => {
  let token: string;
  beforeEach(() => {
    token = issuer.token({ cnf: bound });
  });

  it('is taken with a proof by that key, on the first sight of the token and on every later one', () => {
    for (let call = 0; call < 3; call++) expect(verdict(withProof(token))).toBe('ADMITTED');
  });

  it('is no credential as a bearer token, with its proof or without', () => {
    expect(verdict(asBearer(token))).toBe('BOUND_TOKEN_AS_BEARER');
    expect(verdict({ ...asBearer(token), proof: sign(token) })).toBe('BOUND_TOKEN_AS_BEARER');
  });

  it('is refused without a proof', () => {
    expect(verdict({ scheme: 'DPoP', token })).toBe('PROOF_INVALID');
  });

  it('is refused with a proof by another key', () => {
    expect(verdict(withProof(token, sign(token, { key: thief })))).toBe('BINDING_MISMATCH');
  });

  it.each<[string, (token: string) => string]>([
    ['another method of the service', (token) => sign(token, { htu: `https://orders.shop.test${otherMethod.method}` })],
    ['another service', (token) => sign(token, { htu: `https://payments.shop.test${rule.method}` })],
    ['another port', (token) => sign(token, { htu: `https://orders.shop.test:8443${rule.method}` })],
    ['plaintext', (token) => sign(token, { htu: `http://orders.shop.test${rule.method}` })],
    ['another method of HTTP', (token) => sign(token, { htm: 'GET' })],
    ['another token of the same caller', () => sign(issuer.token({ cnf: bound }))],
    ['no token', (token) => sign(token, { accessToken: undefined })],
    ['nothing at all', () => 'abc'],
  ])('is refused with a proof for %s', (_, proofFor) => {
    expect(verdict(withProof(token, proofFor(token)))).toBe('PROOF_INVALID');
  });

  it('takes a proof once', () => {
    const presented = withProof(token);
    expect(verdict(presented)).toBe('ADMITTED');
    expect(verdict(presented)).toBe('PROOF_REPLAYED');
  });

  it('takes a proof once for as long as it could be used again', () => {
    const presented = withProof(token);
    verdict(presented);
    issuer.nowMs += 64_999;
    expect(verdict(presented)).toBe('PROOF_REPLAYED');
    issuer.nowMs += 1;
    expect(verdict(presented)).toBe('PROOF_INVALID');
  });

  it('T-44: takes a proof of 60 s and the tolerance, and none that is older or further ahead', () => {
    const presented = withProof(token);
    issuer.nowMs += 64_999;
    expect(verdict(presented)).toBe('ADMITTED');
    const old = withProof(token);
    issuer.nowMs += 65_000;
    expect(verdict(old)).toBe('PROOF_INVALID');
    expect(verdict(withProof(token, sign(token, { now: () => issuer.nowMs + 5_000 })))).toBe('ADMITTED');
    expect(verdict(withProof(token, sign(token, { now: () => issuer.nowMs + 6_000 })))).toBe('PROOF_INVALID');
  });

  it('uses no proof up for who lacks the rest of what the token is bound to', () => {
    const both = issuer.token({ cnf: { ...bound, 'x5t#S256': thumbprint }, net: ['10.0.0.0/8'] });
    const presented = withProof(both);
    expect(verdict(presented, rule, { ...peer, certificateThumbprint: () => undefined })).toBe('BINDING_MISMATCH');
    expect(verdict(presented, rule, { ...peer, address: '192.168.0.1' })).toBe('BINDING_MISMATCH');
    expect(verdict(presented)).toBe('ADMITTED');
  });

  it('goes by the authority that is configured', () => {
    verifier = open({ authority: 'Orders.internal:8443' });
    expect(verdict(withProof(token))).toBe('PROOF_INVALID');
    expect(verdict(withProof(token, sign(token, { htu: `https://orders.internal:8443${rule.method}` })))).toBe('ADMITTED');
  });

  it('is refused where there is no authority that a proof could be for', () => {
    const audience = 'spiffe://mesh.1/orders';
    verifier = open({ audience });
    const here = issuer.token({ aud: audience, cnf: bound });
    expect(verdict(withProof(here))).toBe('PROOF_INVALID');
    expect(verdict(withProof(here, sign(here, { htu: `https://undefined${rule.method}` })))).toBe('PROOF_INVALID');
    expect(verdict(asBearer(issuer.token({ aud: audience })))).toBe('ADMITTED');
  });

  it('T-44: has no more of its proofs remembered than its key may, and no replay gets through for that', () => {
    verifier = open({ proofs: { maxRemembered: 16 } });
    const first = [0, 1, 2, 3].map(() => withProof(token));
    for (const presented of first) expect(verdict(presented)).toBe('ADMITTED');
    issuer.nowMs += 1000;
    expect(verdict(withProof(token))).toBe('ADMITTED');
    for (const presented of first) expect(verdict(presented)).toBe('PROOF_REPLAYED');
  });
});

describe('the DPoP scheme', () => {
  it('is refused with a token that is bound to no key', () => {
    for (const cnf of [undefined, { 'x5t#S256': thumbprint }]) {
      const token = issuer.token(cnf && { cnf });
      expect(verdict(withProof(token))).toBe('BINDING_MISMATCH');
      expect(verdict({ scheme: 'DPoP', token })).toBe('BINDING_MISMATCH');
      expect(verdict(asBearer(token))).toBe('ADMITTED');
    }
  });
});

describe('a service that asks for nonces', () => {
  let token: string;
  const nonceKey = Buffer.alloc(32, 1);
  const proofWith = (nonce: string | undefined) => withProof(token, sign(token, { nonce }));
  beforeEach(() => {
    token = issuer.token({ cnf: bound, exp: Math.floor(issuer.nowMs / 1000) + 900 });
    verifier = open({ proofs: { nonce: 'required', nonceKey } });
  });

  it('takes a proof with the one that it gives, and none without', () => {
    expect(verdict(proofWith(undefined))).toBe('PROOF_NONCE_REQUIRED');
    expect(verdict(proofWith('made-up'))).toBe('PROOF_NONCE_REQUIRED');
    expect(verdict(proofWith(verifier.proofNonce()))).toBe('ADMITTED');
  });

  it('takes the one before for another window, and none that is older or still to come', () => {
    issuer.nowMs -= issuer.nowMs % nonceWindowMs;
    const given = verifier.proofNonce();
    issuer.nowMs += 2 * nonceWindowMs - 1;
    expect(verdict(proofWith(given))).toBe('ADMITTED');
    issuer.nowMs += 1;
    expect(verdict(proofWith(given))).toBe('PROOF_NONCE_REQUIRED');
    const toCome = createDpopNonces(nonceKey, () => issuer.nowMs + nonceWindowMs).current();
    expect(verdict(proofWith(toCome))).toBe('PROOF_NONCE_REQUIRED');
  });

  it('takes those of replicas that share its key, and of no others', () => {
    const replica = (key: Buffer) => open({ proofs: { nonce: 'required', nonceKey: key } }).proofNonce();
    expect(verdict(proofWith(replica(nonceKey)))).toBe('ADMITTED');
    expect(verdict(proofWith(replica(Buffer.alloc(32, 2))))).toBe('PROOF_NONCE_REQUIRED');
    expect(verdict(proofWith(open({ proofs: { nonce: 'required' } }).proofNonce()))).toBe('PROOF_NONCE_REQUIRED');
  });

  it('does not say it to somebody with another token or for another method', () => {
    expect(verdict(withProof(token, sign(token, { htu: `https://orders.shop.test${otherMethod.method}` })))).toBe('PROOF_INVALID');
  });

  it('gives none when it asks for none', () => {
    expect(open().proofNonce()).toBeUndefined();
  });
});

describe('a method that requires binding', () => {
  it.each<[string, Confirmation | undefined, string]>([
    ['bound to nothing', undefined, 'BINDING_MISMATCH'],
    ['bound to a certificate', { 'x5t#S256': thumbprint }, 'ADMITTED'],
    ['bound to another certificate', { 'x5t#S256': `${'A'.repeat(42)}E` }, 'BINDING_MISMATCH'],
    ['bound to a key', bound, 'BOUND_TOKEN_AS_BEARER'],
  ])('of a bearer token %s: %s', (_, cnf, expected) => {
    expect(verdict(asBearer(issuer.token(cnf && { cnf })), bindingRequired)).toBe(expected);
  });

  it('takes a token bound to a key with its proof', () => {
    const token = issuer.token({ cnf: bound });
    expect(verdict(withProof(token), bindingRequired)).toBe('ADMITTED');
  });
});

describe('a token bound to networks', () => {
  it.each([
    [['10.0.0.0/8'], '::ffff:10.1.2.3', 'ADMITTED'],
    [['10.0.0.0/8'], '::ffff:a01:203', 'ADMITTED'],
    [['10.0.0.0/8'], '::ffff:11.1.2.3', 'BINDING_MISMATCH'],
    [['10.1.2.3/32'], '::ffff:10.1.2.3', 'ADMITTED'],
    [['10.1.2.4/32'], '::ffff:10.1.2.3', 'BINDING_MISMATCH'],
    [['10.0.0.0/8'], '::10.1.2.3', 'BINDING_MISMATCH'],
    [['10.0.0.0/8'], '64:ff9b::10.1.2.3', 'BINDING_MISMATCH'],
    [['::ffff:0:0/96'], '10.1.2.3', 'ADMITTED'],
    [['fd00::/8'], 'fd12:3456::1', 'ADMITTED'],
    [['fd00::/8'], 'fe12:3456::1', 'BINDING_MISMATCH'],
    [['::/0'], 'fd00::1', 'ADMITTED'],
    [['10.0.0.0/8'], 'localhost', 'BINDING_MISMATCH'],
  ])('%j is taken from %s: %s', (net, address, expected) => {
    expect(verdict(asBearer(issuer.token({ net })), rule, { ...peer, address })).toBe(expected);
  });
});

describe('what proofs are judged by', () => {
  it.each<[string, ProofPolicy, ProofPolicy]>([
    ['maxAgeSeconds', { maxAgeSeconds: 0 }, { maxAgeSeconds: 1 }],
    ['maxAgeSeconds', { maxAgeSeconds: 301 }, { maxAgeSeconds: 300 }],
    ['maxAgeSeconds', { maxAgeSeconds: 1.5 }, { maxAgeSeconds: 2 }],
    ['maxRemembered', { maxRemembered: 15 }, { maxRemembered: 16 }],
    ['maxRemembered', { maxRemembered: 16.5 }, { maxRemembered: 17 }],
    ['nonceKey', { nonce: 'required', nonceKey: Buffer.alloc(31) }, { nonce: 'required', nonceKey: Buffer.alloc(32) }],
  ])('T-44: %s is checked when the verifier is made', (_, wrong, right) => {
    expect(() => open({ proofs: wrong })).toThrow(TypeError);
    expect(() => open({ proofs: right })).not.toThrow();
  });

  it('an authority that is none is refused when the verifier is made', () => {
    expect(() => open({ authority: 'https://orders' })).toThrow(TypeError);
  });
});
