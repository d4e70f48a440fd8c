import { createHmac, randomBytes } from 'node:crypto';
import { Metadata } from '@grpc/grpc-js';
import { exportJwk, generateSigningKey, type Reason, type SigningKey, signJws, tokenTypes } from '@tokenmesh/token';
import type { MemoryIssuer, TestToken } from './memory-issuer.ts';

/** A credential that must not get in. */
export interface BadToken {
  /** What is wrong with it; one of `badTokenKinds`. */
  readonly kind: BadTokenKind;
  /** The reason for which it has to be refused. */
  readonly reason: Reason;
  /** The whole value of `authorization`, scheme and all. */
  readonly authorization: string;
  /** The same as metadata of a call; a new object each time. */
  metadata(): Metadata;
}

type Claims = Readonly<Record<string, unknown>>;

/** What bad tokens are made from. */
interface Ingredients {
  readonly issuer: MemoryIssuer;
  readonly key: SigningKey;
  /** The claims of the good token. */
  readonly claims: Claims;
  /** Seconds since epoch. */
  readonly now: number;
}

interface Recipe {
  readonly reason: Reason;
  /** Default Bearer. */
  readonly scheme?: 'Bearer' | 'DPoP';
  make(from: Ingredients): string;
}

/** RFC 7800: what no caller of a test has. */
const sha256 = () => randomBytes(32).toString('base64url');
const encode = (content: unknown) => Buffer.from(typeof content === 'string' ? content : JSON.stringify(content)).toString('base64url');

const signed = (claims: Claims, key: SigningKey, typ: string = tokenTypes.serviceToken) => signJws(claims, { typ, key });
const changed = (reason: Reason, change: (from: Ingredients) => Claims): Recipe => ({
  reason,
  make: (from) => signed({ ...from.claims, ...change(from) }, from.key),
});
const without = (claim: string): Recipe => changed('TOKEN_MALFORMED', () => ({ [claim]: undefined }));

/** A signature that is right over a header that no issuer would write. */
function withHeader(header: object, { claims, key }: Ingredients): string {
  const good = signed(claims, key);
  return `${encode(header)}.${good.split('.').slice(1).join('.')}`;
}

const recipes = {
  expired: changed('TOKEN_EXPIRED', ({ now }) => ({ iat: now - 310, exp: now - 10 })),
  'not valid yet': changed('TOKEN_NOT_YET_VALID', ({ now }) => ({ nbf: now + 60 })),
  'issued in the future': changed('TOKEN_NOT_YET_VALID', ({ now }) => ({ iat: now + 60, exp: now + 360 })),
  'living too long': changed('TOKEN_MALFORMED', ({ now }) => ({ exp: now + 24 * 3600 })),
  'for another audience': changed('AUDIENCE_MISMATCH', ({ issuer }) => ({ aud: `spiffe://${issuer.trustDomain}/somebody-else` })),
  'for two audiences': changed('TOKEN_MALFORMED', ({ claims }) => ({ aud: [claims.aud, claims.sub] })),
  'of another issuer': changed('ISSUER_UNTRUSTED', () => ({ iss: 'https://issuer.invalid' })),
  'without iss': without('iss'),
  'without sub': without('sub'),
  'without aud': without('aud'),
  'without exp': without('exp'),
  'without iat': without('iat'),
  'without jti': without('jti'),
  'without client_id': without('client_id'),
  'without scope': without('scope'),
  'of a chain without a name': changed('TOKEN_MALFORMED', () => ({ txn: '' })),
  'without rn': without('rn'),
  'signed by an unknown key': { reason: 'SIGNING_KEY_UNKNOWN', make: ({ claims }) => signed(claims, generateSigningKey()) },
  'signed by another key of that name': {
    reason: 'TOKEN_SIGNATURE_INVALID',
    make: ({ claims, key }) => signed(claims, generateSigningKey(key.alg, key.kid)),
  },
  'changed after it was signed': {
    reason: 'TOKEN_SIGNATURE_INVALID',
    make({ claims, key }) {
      const [header, , signature] = signed(claims, key).split('.');
      return `${header}.${encode({ ...claims, jti: 'another' })}.${signature}`;
    },
  },
  'of alg none': {
    reason: 'TOKEN_MALFORMED',
    make: ({ claims, key }) => `${encode({ alg: 'none', kid: key.kid, typ: tokenTypes.serviceToken })}.${encode(claims)}.AA`,
  },
  'of HS256 with the public key': {
    reason: 'TOKEN_MALFORMED',
    make({ claims, key }) {
      const input = `${encode({ alg: 'HS256', kid: key.kid, typ: tokenTypes.serviceToken })}.${encode(claims)}`;
      const secret = key.publicKey.export({ format: 'pem', type: 'spki' });
      return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`;
    },
  },
  'of another type': { reason: 'TOKEN_TYPE_REJECTED', make: ({ claims, key }) => signed(claims, key, 'JWT') },
  'of no type': { reason: 'TOKEN_TYPE_REJECTED', make: (from) => withHeader({ alg: from.key.alg, kid: from.key.kid }, from) },
  'bringing its own key': {
    reason: 'TOKEN_MALFORMED',
    make: (from) => withHeader({ alg: from.key.alg, kid: from.key.kid, typ: tokenTypes.serviceToken, jwk: exportJwk(from.key) }, from),
  },
  'with a critical header': {
    reason: 'TOKEN_MALFORMED',
    make: (from) => withHeader({ alg: from.key.alg, kid: from.key.kid, typ: tokenTypes.serviceToken, crit: ['exp'] }, from),
  },
  'saying a claim twice': {
    reason: 'TOKEN_MALFORMED',
    make: ({ claims, key }) =>
      signJws(Buffer.from(JSON.stringify(claims).replace('{', '{"scope":"",')), { typ: tokenTypes.serviceToken, key }),
  },
  'larger than allowed': changed('TOKEN_MALFORMED', () => ({ padding: 'x'.repeat(4096) })),
  'no token': { reason: 'TOKEN_MALFORMED', make: () => 'not.a.token' },
  'two in one value': {
    reason: 'CREDENTIAL_AMBIGUOUS',
    make: ({ claims, key }) => `${signed(claims, key)},Bearer ${signed(claims, key)}`,
  },
  revoked: {
    reason: 'TOKEN_REVOKED',
    make({ issuer, claims, key }) {
      issuer.revoke({ kind: 'token', value: String(claims.jti) });
      return signed(claims, key);
    },
  },
  'opaque and unknown': { reason: 'TOKEN_REVOKED', make: () => `tm_${randomBytes(32).toString('base64url')}` },
  'bound to a key, as bearer': changed('BOUND_TOKEN_AS_BEARER', () => ({ cnf: { jkt: sha256() } })),
  'bound to a key, without proof': { ...changed('PROOF_INVALID', () => ({ cnf: { jkt: sha256() } })), scheme: 'DPoP' },
  'bound to another certificate': changed('BINDING_MISMATCH', () => ({ cnf: { 'x5t#S256': sha256() } })),
  'bound to another network': changed('BINDING_MISMATCH', () => ({ net: ['192.0.2.0/24'] })),
  'lacking the scope': changed('SCOPE_INSUFFICIENT', () => ({ scope: '' })),
} as const satisfies Record<string, Recipe>;

/** What can be wrong with a credential. */
export type BadTokenKind = keyof typeof recipes;

/** The closed list of what can be wrong. */
// True: the keys of an object literal.
export const badTokenKinds: readonly BadTokenKind[] = Object.keys(recipes) as BadTokenKind[];

/** One bad token of every kind, made from a good one. */
export function makeBadTokens(issuer: MemoryIssuer, token: TestToken): readonly BadToken[] {
  const now = Math.floor(issuer.now() / 1000);
  return badTokenKinds.map((kind) => {
    const { reason, scheme = 'Bearer', make }: Recipe = recipes[kind];
    // True: claims are an object of JSON values. Each kind has its own, so that the one that is revoked is no other.
    const claims = issuer.claims(token) as unknown as Claims;
    const authorization = `${scheme} ${make({ issuer, key: issuer.key, claims, now })}`;
    return { kind, reason, authorization, metadata: () => authorizationOf(authorization) };
  });
}

/** Metadata with one `authorization`. */
export function authorizationOf(value: string): Metadata {
  const metadata = new Metadata();
  metadata.set('authorization', value);
  return metadata;
}
