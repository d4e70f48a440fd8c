import './reflect-polyfill.ts';
import { KeyObject, type webcrypto } from 'node:crypto';
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509CertificateGenerator,
} from '@peculiar/x509';

/** A certificate with its private key, both PEM; the key is PKCS#8. */
export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

/** Issues the certificates of one sample mesh. Its own private key never leaves the process. */
export interface CertificateAuthority {
  /** The root certificate, PEM. */
  readonly cert: string;
  /**
   * A leaf for both ends of mutual TLS on this machine: the SPIFFE ID as its only URI, and `localhost` and `127.0.0.1`.
   *
   * @param hosts Further DNS names, such as the one of a container. Default: none.
   */
  issue(spiffeId: string, hosts?: readonly string[]): Promise<Certificate>;
}

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const backdateMs = 5 * 60_000; // a container's clock may lag behind its host's
const dayMs = 24 * 60 * 60_000;

/**
 * A certificate authority that lives as long as the object: ECDSA P-256.
 *
 * @param trustDomain Goes into the name of the root; nothing checks it.
 * @param options.lifeMs How long it and what it issues is valid from now on; default a day.
 * @see X.509-SVID specification, sections 2, 4 and 5.
 */
export async function createCertificateAuthority(
  trustDomain: string,
  { now = Date.now, lifeMs = dayMs } = {},
): Promise<CertificateAuthority> {
  const notBefore = new Date(now() - backdateMs);
  const notAfter = new Date(now() + lifeMs);
  const keys = await generateKeys();
  const root = await X509CertificateGenerator.createSelfSigned({
    name: [{ CN: [`${trustDomain} demo root`] }],
    notBefore,
    notAfter,
    signingAlgorithm: algorithm,
    keys,
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return {
    cert: root.toString('pem'),
    issue: async (spiffeId, hosts = []) => {
      const leafKeys = await generateKeys();
      const leaf = await X509CertificateGenerator.create({
        subject: [{ O: [trustDomain] }],
        issuer: root.subjectName,
        notBefore,
        notAfter,
        signingAlgorithm: algorithm,
        publicKey: leafKeys.publicKey,
        signingKey: keys.privateKey,
        extensions: [
          new BasicConstraintsExtension(false, undefined, true),
          new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
          new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth, ExtendedKeyUsage.clientAuth]),
          new SubjectAlternativeNameExtension([
            { type: 'url', value: spiffeId },
            ...['localhost', ...hosts].map((value) => ({ type: 'dns' as const, value })),
            { type: 'ip', value: '127.0.0.1' },
          ]),
          await AuthorityKeyIdentifierExtension.create(keys.publicKey),
          await SubjectKeyIdentifierExtension.create(leafKeys.publicKey),
        ],
      });
      return { cert: leaf.toString('pem'), key: exportPrivateKey(leafKeys.privateKey) };
    },
  };
}

// The cast holds: an EC algorithm yields a pair.
const generateKeys = async () => (await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])) as webcrypto.CryptoKeyPair;

const exportPrivateKey = (key: webcrypto.CryptoKey): string => KeyObject.from(key).export({ type: 'pkcs8', format: 'pem' }).toString();
