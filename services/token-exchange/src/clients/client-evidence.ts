import { hash, X509Certificate } from 'node:crypto';
import type { ServerUnaryCall } from '@grpc/grpc-js';
import { certificateThumbprintOf } from '@tokenmesh/interceptor';
import { TokenError } from '@tokenmesh/token';

/** A certificate that the client proved to hold the key of, and that chains to `tls.client_ca`. */
export interface ClientCertificate {
  /** The SPIFFE ID, or another URI, that it names; `undefined` unless it is the leaf of exactly one (SPIFFE's X509-SVID section 5.2). */
  readonly uri: string | undefined;
  /** SHA-256 of the DER encoding, base64url (RFC 8705 section 3.1). */
  readonly thumbprint: string;
}

/** What a client proves beside the parameters of its request. */
export interface ClientEvidence {
  readonly certificate?: ClientCertificate;
  /** DPoP proof as received (RFC 9449 section 5), and the URI of this request by configuration. */
  readonly dpop?: { readonly proof: string; readonly htu: string };
}

/**
 * Reads the evidence of a call: the certificate of its connection and the metadata entry `dpop`.
 *
 * @param authority Host, and port where it is not 443, under which clients know token-exchange.
 * @throws {TokenError} PROOF_INVALID for more than one proof.
 */
export function evidenceOf(
  call: Pick<ServerUnaryCall<unknown, unknown>, 'getAuthContext' | 'metadata' | 'getPath'>,
  authority: string,
): ClientEvidence {
  const certificate = certificateOf(call);
  const [dpop, second] = call.metadata.get('dpop');
  if (second !== undefined) throw new TokenError('PROOF_INVALID', 'more than one DPoP proof');
  return {
    ...(certificate && { certificate }),
    ...(dpop !== undefined && { dpop: { proof: dpop.toString(), htu: `https://${authority}${call.getPath()}` } }),
  };
}

// grpc-js hands out the certificate of a connection only when node:tls found it authorized, which it can only when one was asked for
function certificateOf(call: Pick<ServerUnaryCall<unknown, unknown>, 'getAuthContext' | 'metadata'>): ClientCertificate | undefined {
  const thumbprint = certificateThumbprintOf(call);
  if (thumbprint === undefined) return undefined;
  const before = known.get(thumbprint);
  if (before) return before;
  const raw = call.getAuthContext().sslPeerCertificate?.raw;
  return raw && readClientCertificate(raw);
}

/** Certificates whose contents are remembered. */
const maxCertificates = 1000;
const known = new Map<string, ClientCertificate>();

/**
 * What a certificate says; of one that was read before it is remembered, for each call presents it anew and reading it takes 15 µs. Does NOT verify it: node:tls
 * did so when the connection was made.
 *
 * @param raw DER.
 */
export function readClientCertificate(raw: Buffer): ClientCertificate {
  const thumbprint = hash('sha256', raw, 'base64url');
  const before = known.get(thumbprint);
  if (before) return before;
  if (known.size === maxCertificates) known.clear();
  const read = { uri: soleUriOf(new X509Certificate(raw)), thumbprint };
  known.set(thumbprint, read);
  return read;
}

function soleUriOf(certificate: X509Certificate): string | undefined {
  const names = certificate.subjectAltName ?? '';
  // node:crypto quotes a name that holds a comma or anything else unusual: no SPIFFE ID does, and what is quoted is not taken apart
  const uris = names.includes('"') ? [] : names.split(', ').flatMap((name) => (name.startsWith('URI:') ? [name.slice(4)] : []));
  return uris.length === 1 && !certificate.ca ? uris[0] : undefined;
}
