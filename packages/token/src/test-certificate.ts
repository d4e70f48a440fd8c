import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';

/** A certificate and its key, both PEM, and SHA-256 of its DER encoding, base64url. */
export interface TestCertificate {
  readonly cert: Buffer;
  readonly key: Buffer;
  readonly thumbprint: string;
}

/**
 * A self-signed certificate for 127.0.0.1 and localhost, for tests: valid for an hour, ECDSA P-256. RFC 5280 section 4.1, written down by hand
 * because node:crypto reads certificates and writes none.
 */
export function createTestCertificate(): TestCertificate {
  const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return certify({ ...keys, name: 'token-exchange', altNames: local, issuer: { name: 'token-exchange', privateKey: keys.privateKey } });
}

/** What a test says of a certificate beside its URIs. */
export interface TestCertificateOptions {
  readonly isAuthority?: boolean;
  readonly dnsName?: string;
  /** Milliseconds since epoch; default a minute ago. */
  readonly validFromMs?: number;
  /** Milliseconds since epoch; default in an hour. */
  readonly validUntilMs?: number;
}

/** A certificate authority, for tests; what it issues is for 127.0.0.1 and localhost, and for these URIs. */
export function createTestAuthority(): {
  readonly cert: Buffer;
  issue(uris: readonly string[], options?: TestCertificateOptions): TestCertificate;
} {
  const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const issuer = { name: `authority ${randomBytes(4).toString('hex')}`, privateKey: keys.privateKey };
  const { cert } = certify({ ...keys, name: issuer.name, altNames: [], isAuthority: true, issuer });
  return {
    cert,
    issue(uris, { isAuthority = false, dnsName, ...validity } = {}) {
      const dnsNames = dnsName === undefined ? [] : [tag(0x82, Buffer.from(dnsName))];
      const altNames = [...local, ...dnsNames, ...uris.map((uri) => tag(0x86, Buffer.from(uri)))];
      return certify({
        ...generateKeyPairSync('ec', { namedCurve: 'P-256' }),
        name: 'workload',
        altNames,
        isAuthority,
        issuer,
        ...validity,
      });
    },
  };
}

function certify(options: {
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
  readonly name: string;
  readonly altNames: readonly Buffer[];
  readonly isAuthority?: boolean;
  readonly issuer: { readonly name: string; readonly privateKey: KeyObject };
  readonly validFromMs?: number;
  readonly validUntilMs?: number;
}): TestCertificate {
  const { privateKey, publicKey, name, altNames, isAuthority = false, issuer } = options;
  const { validFromMs = Date.now() - 60_000, validUntilMs = Date.now() + 3_600_000 } = options;
  const ecdsaWithSha256 = sequence(oid(0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02));
  const extensions = [
    ...(isAuthority ? [sequence(oid(0x55, 0x1d, 0x13), tag(0x04, sequence(tag(0x01, Buffer.from([0xff])))))] : []),
    ...(altNames.length > 0 ? [sequence(oid(0x55, 0x1d, 0x11), tag(0x04, sequence(...altNames)))] : []),
  ];
  const body = sequence(
    tag(0xa0, tag(0x02, Buffer.from([2]))), // v3
    tag(0x02, Buffer.from([1, ...randomBytes(8)])),
    ecdsaWithSha256,
    distinguishedName(issuer.name),
    sequence(time(validFromMs), time(validUntilMs)),
    distinguishedName(name),
    publicKey.export({ type: 'spki', format: 'der' }),
    tag(0xa3, sequence(...extensions)),
  );
  const signature = Buffer.concat([Buffer.from([0]), sign('sha256', body, issuer.privateKey)]);
  const certificate = sequence(body, ecdsaWithSha256, tag(0x03, signature));
  const base64 = certificate.toString('base64').replace(/.{64}(?=.)/g, '$&\n');
  return {
    cert: Buffer.from(`-----BEGIN CERTIFICATE-----\n${base64}\n-----END CERTIFICATE-----\n`),
    key: Buffer.from(privateKey.export({ type: 'pkcs8', format: 'pem' })),
    thumbprint: createHash('sha256').update(certificate).digest('base64url'),
  };
}

function distinguishedName(commonName: string): Buffer {
  return sequence(tag(0x31, sequence(oid(0x55, 0x04, 0x03), tag(0x0c, Buffer.from(commonName)))));
}

function sequence(...parts: readonly Buffer[]): Buffer {
  return tag(0x30, ...parts);
}

function oid(...bytes: readonly number[]): Buffer {
  return tag(0x06, Buffer.from(bytes));
}

function time(ms: number): Buffer {
  return tag(0x18, Buffer.from(`${new Date(ms).toISOString().replace(/\.\d+Z|[-:T]/g, '')}Z`));
}

function tag(type: number, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  const size = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([type, ...size]), content]);
}

const local = [tag(0x87, Buffer.from([127, 0, 0, 1])), tag(0x82, Buffer.from('localhost'))];
