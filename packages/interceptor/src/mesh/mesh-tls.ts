import { rootCertificates } from 'node:tls';
import {
  Channel,
  type ChannelCredentials,
  type ChannelInterface,
  type ChannelOptions,
  credentials,
  experimental,
  ServerCredentials,
} from '@grpc/grpc-js';
import { createRenewedChannel } from './renewed-channel.ts';
import { type CertificateChange, openTlsFiles, type TlsSources } from './tls-files.ts';

/** TLS of this workload, to call and to serve with, by the certificate that is current when a connection is made. */
export interface MeshTls {
  /** SHA-256 of the certificate that new connections are made with, base64url; `undefined` without one. */
  thumbprint(): string | undefined;
  channelCredentials(): ChannelCredentials;
  /**
   * Mutual TLS.
   *
   * @throws {TypeError} Without a certificate and authorities.
   */
  serverCredentials(): ServerCredentials;
  /** A channel whose calls are made over a connection with the current certificate; those under way when it is renewed stay where they are. */
  openChannel(target: string, credentials: ChannelCredentials, options: ChannelOptions): ChannelInterface;
  /** Called after another certificate, or other authorities, became current; returns the way to stop. */
  onRenewed(listener: () => void): () => void;
  /** Stops looking at files; connections go on. */
  close(): void;
}

/**
 * @param options.onChange Told when files of `sources` changed, and what became of that.
 * @throws {TypeError} When the material does not hold together.
 */
export function openMeshTls(
  sources: TlsSources,
  options: {
    readonly onChange?: ((change: CertificateChange) => void) | undefined;
    readonly intervalMs?: number;
    readonly now: () => number;
  },
): MeshTls {
  const files = openTlsFiles(sources, options);
  const { certificate } = sources;
  const isRenewed = sources.caFile !== undefined || (certificate !== undefined && 'certFile' in certificate);
  const provider = providerOf(files.current, files.onRenewed);
  const thumbprint = () => files.current().identity?.thumbprint;
  return {
    thumbprint,
    channelCredentials() {
      if (isRenewed) return experimental.createCertificateProviderChannelCredentials(provider, certificate ? provider : null);
      const { identity, ca } = files.current();
      return credentials.createSsl(ca, identity?.key, identity?.cert);
    },
    serverCredentials() {
      const { identity, ca } = files.current();
      if (!identity || !ca) throw new TypeError('serverCredentials() needs the options certificate and ca (or caFile)');
      if (isRenewed) return experimental.createCertificateProviderServerCredentials(provider, provider, true);
      return ServerCredentials.createSsl(ca, [{ private_key: identity.key, cert_chain: identity.cert }], true);
    },
    openChannel(target, channelCredentials, channelOptions) {
      if (!isRenewed) return new Channel(target, channelCredentials, channelOptions);
      let generation = 0;
      return createRenewedChannel({
        // an option that no earlier channel had: channels with equal options share their connections
        open: () =>
          new Channel(target, channelCredentials, { ...channelOptions, 'tokenmesh.certificate': `${thumbprint()} ${generation++}` }),
        onRenewed: files.onRenewed,
      });
    },
    onRenewed: files.onRenewed,
    close: files.close,
  };
}

/**
 * What grpc-js asks for certificates; nothing but material that holds together gets here. Its own `FileWatcherCertificateProvider` hands on whatever is in
 * the files, and a server whose files are half written drops every connection.
 */
function providerOf(
  current: () => { identity?: { readonly cert: Buffer; readonly key: Buffer }; ca?: Buffer },
  onRenewed: (listener: () => void) => () => void,
): experimental.CertificateProvider {
  const systemAuthorities = () => Buffer.from(rootCertificates.join('\n'));
  const caListeners = new Set<experimental.CaCertificateUpdateListener>();
  const identityListeners = new Set<experimental.IdentityCertificateUpdateListener>();
  const tellCa = (listener: experimental.CaCertificateUpdateListener) => {
    if (caListeners.has(listener)) listener({ caCertificate: current().ca ?? systemAuthorities() });
  };
  const tellIdentity = (listener: experimental.IdentityCertificateUpdateListener) => {
    const { identity } = current();
    if (identity && identityListeners.has(listener)) listener({ certificate: identity.cert, privateKey: identity.key });
  };
  onRenewed(() => {
    caListeners.forEach(tellCa);
    identityListeners.forEach(tellIdentity);
  });
  // told later, for who listens to credentials is registered only after the providers were asked
  return {
    addCaCertificateListener(listener) {
      caListeners.add(listener);
      process.nextTick(tellCa, listener);
    },
    removeCaCertificateListener: (listener) => void caListeners.delete(listener),
    addIdentityCertificateListener(listener) {
      identityListeners.add(listener);
      process.nextTick(tellIdentity, listener);
    },
    removeIdentityCertificateListener: (listener) => void identityListeners.delete(listener),
  };
}
