import { createHash, createPrivateKey, X509Certificate } from 'node:crypto';
import { type FSWatcher, readFileSync, watch } from 'node:fs';
import { dirname } from 'node:path';
import { createSecureContext } from 'node:tls';

/** A certificate chain and its key, both PEM. */
export interface Certificate {
  readonly cert: string | Buffer;
  readonly key: string | Buffer;
}

/** The same in files, which are read again whenever they change. */
export interface CertificateFiles {
  readonly certFile: string;
  readonly keyFile: string;
}

/** Where TLS gets its material from. */
export interface TlsSources {
  readonly certificate?: Certificate | CertificateFiles | undefined;
  readonly ca?: string | Buffer | undefined;
  readonly caFile?: string | undefined;
}

/** What connections are made with; PEM. It holds together: the key is the certificate's, and TLS takes both. */
export interface TlsMaterial {
  readonly identity?: {
    readonly cert: Buffer;
    readonly key: Buffer;
    /** SHA-256 of the certificate's DER encoding, base64url (RFC 8705 section 3.1). */
    readonly thumbprint: string;
    /** When it expires; milliseconds since epoch. */
    readonly expMs: number;
  };
  readonly ca?: Buffer;
}

/** What became of a certificate, or of authorities, that changed. `kept`: the ones before go on, because of the problem. */
export type CertificateChange =
  | { readonly state: 'renewed'; readonly thumbprint: string | undefined; readonly expMs: number | undefined }
  | { readonly state: 'kept'; readonly problem: string };

export interface TlsFiles {
  current(): TlsMaterial;
  /** Called after other material became current; returns the way to stop. */
  onRenewed(listener: () => void): () => void;
  close(): void;
}

/** The file system reports the parts of one write one by one: files are read when they have been quiet for this long. */
const quietMs = 100;
/** What the file system does not report, on a network file system say, this finds. */
const defaultIntervalMs = 10_000;

/**
 * Reads TLS material, and reads its files again when they change: on what the file system reports of their folders, and every few seconds.
 *
 * Content is what counts: a symbolic link that is turned to another folder, as Kubernetes does it, is a change, a `touch` is none. Material that does not
 * hold together (half written, a key that is not the certificate's, expired, not valid yet, none at all) changes nothing, is reported once, and is looked at
 * again with the next change and the next interval.
 *
 * @param options.onChange Told of what was renewed, and of what was not and why. Never holds anything of a key.
 * @throws {TypeError} When the material does not hold together at the start, has expired by then, or is named twice.
 */
export function openTlsFiles(
  sources: TlsSources,
  options: {
    readonly onChange?: ((change: CertificateChange) => void) | undefined;
    readonly intervalMs?: number;
    readonly now: () => number;
  },
): TlsFiles {
  const { onChange, intervalMs = defaultIntervalMs, now } = options;
  const files = [...('certFile' in (sources.certificate ?? {}) ? Object.values(sources.certificate ?? {}) : []), sources.caFile].filter(
    (file): file is string => typeof file === 'string',
  );
  if (sources.ca !== undefined && sources.caFile !== undefined) throw new TypeError('ca and caFile exclude each other');
  const listeners = new Set<() => void>();
  let material = readTls(sources);
  let reported = '';
  if (material.identity && material.identity.expMs <= now()) throw new TypeError('the certificate has expired');
  if (files.length === 0) return { current: () => material, onRenewed: () => () => undefined, close: () => undefined };

  function look(): void {
    let next: TlsMaterial;
    try {
      next = readTls(sources);
      if (isSame(next, material)) {
        reported = '';
        return;
      }
      checkLife(next, now());
    } catch (error) {
      const problem = (error as Error).message; // readTls and checkLife throw TypeErrors
      if (problem !== reported) onChange?.({ state: 'kept', problem });
      reported = problem;
      return;
    }
    material = next;
    reported = '';
    for (const listener of [...listeners]) listener();
    onChange?.({ state: 'renewed', thumbprint: next.identity?.thumbprint, expMs: next.identity?.expMs });
  }

  let quiet: NodeJS.Timeout | undefined;
  const watchers = [...new Set(files.map((file) => dirname(file)))].flatMap((folder) => watchFolder(folder, lookSoon));
  const timer = setInterval(look, intervalMs).unref();

  function lookSoon(): void {
    clearTimeout(quiet);
    quiet = setTimeout(look, quietMs).unref();
  }

  return {
    current: () => material,
    onRenewed(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    close() {
      clearInterval(timer);
      clearTimeout(quiet);
      for (const watcher of watchers) watcher.close();
      listeners.clear();
    },
  };
}

// the folder and not the file: a file that is replaced is another one, and its watcher would go on with the old
function watchFolder(folder: string, onEvent: () => void): FSWatcher[] {
  try {
    const watcher = watch(folder, { persistent: false }, onEvent);
    return [watcher.on('error', () => watcher.close())];
  } catch {
    return [];
  }
}

function readTls({ certificate, ca: caText, caFile }: TlsSources): TlsMaterial {
  const caPem = caFile === undefined ? caText : readText(caFile);
  const ca = caPem === undefined ? undefined : readAuthorities(Buffer.from(caPem), caFile ?? 'ca');
  if (!certificate) return { ...(ca && { ca }) };
  const isFile = 'certFile' in certificate;
  const cert = Buffer.from(isFile ? readText(certificate.certFile) : certificate.cert);
  const key = Buffer.from(isFile ? readText(certificate.keyFile) : certificate.key);
  const names = isFile ? { cert: certificate.certFile, key: certificate.keyFile } : { cert: 'certificate.cert', key: 'certificate.key' };
  const leaf = attempt(`${names.cert} is no certificate in PEM`, () => new X509Certificate(cert));
  const privateKey = attempt(`${names.key} is no unencrypted private key in PEM`, () => createPrivateKey(key));
  if (!leaf.checkPrivateKey(privateKey)) throw new TypeError(`${names.key} is not the key of ${names.cert}`);
  attempt(`TLS takes ${names.cert} and ${names.key} not`, () => createSecureContext({ cert, key, ca }));
  const thumbprint = createHash('sha256').update(leaf.raw).digest('base64url');
  return { identity: { cert, key, thumbprint, expMs: leaf.validToDate.getTime() }, ...(ca && { ca }) };
}

function readText(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    throw new TypeError(`${file} cannot be read: ${(error as NodeJS.ErrnoException).code}`);
  }
}

function readAuthorities(pem: Buffer, name: string): Buffer {
  const blocks = pem.toString('latin1').match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  if (blocks.length === 0) throw new TypeError(`${name} holds no certificate in PEM`);
  for (const block of blocks) attempt(`${name} holds what is no certificate`, () => new X509Certificate(block));
  return pem;
}

// what OpenSSL says is about the bytes, and stays here
function attempt<T>(problem: string, read: () => T): T {
  try {
    return read();
  } catch {
    throw new TypeError(problem);
  }
}

function checkLife({ identity }: TlsMaterial, nowMs: number): void {
  if (!identity) return;
  const { validFromDate } = new X509Certificate(identity.cert);
  if (identity.expMs <= nowMs) throw new TypeError('the new certificate has expired');
  if (validFromDate.getTime() > nowMs) throw new TypeError('the new certificate is not valid yet');
}

function isSame(a: TlsMaterial, b: TlsMaterial): boolean {
  const isEqual = (one: Buffer | undefined, other: Buffer | undefined) => one === other || Boolean(one && other?.equals(one));
  return isEqual(a.identity?.cert, b.identity?.cert) && isEqual(a.identity?.key, b.identity?.key) && isEqual(a.ca, b.ca);
}
