import { experimental, ServerCredentials } from '@grpc/grpc-js';

/** What token-exchange serves TLS with; PEM. */
export interface ServerTls {
  readonly cert: Buffer;
  readonly key: Buffer;
  /** Authorities that certificates of clients have to chain to. Absent: none is asked for. */
  readonly clientCa?: Buffer;
  /** `required` (default): no connection without one. `optional`: one that does not chain to `clientCa` counts as none. */
  readonly clientCertificate?: 'required' | 'optional';
}

/**
 * Credentials of a gRPC server; certificates of clients are verified by node:tls, and a call's auth context holds only one that was found good.
 *
 * `optional` rests on grpc-js's experimental certificate providers, for `ServerCredentials.createSsl` knows only all or nothing.
 */
export function createServerCredentials({ cert, key, clientCa, clientCertificate = 'required' }: ServerTls): ServerCredentials {
  if (clientCa === undefined || clientCertificate === 'required') {
    return ServerCredentials.createSsl(clientCa ?? null, [{ private_key: key, cert_chain: cert }], clientCa !== undefined);
  }
  // told later, for who listens to credentials is registered only after the providers were asked
  const provider: experimental.CertificateProvider = {
    addCaCertificateListener: (listener) => process.nextTick(listener, { caCertificate: clientCa }),
    removeCaCertificateListener: () => undefined,
    addIdentityCertificateListener: (listener) => process.nextTick(listener, { certificate: cert, privateKey: key }),
    removeIdentityCertificateListener: () => undefined,
  };
  return experimental.createCertificateProviderServerCredentials(provider, provider, false);
}
