import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';

/** The key-encryption key is missing, malformed, or not the one that the stored keys were sealed with. Never holds key bytes. */
export class KeyEncryptionError extends Error {
  override readonly name = 'KeyEncryptionError';
}

/** Encrypts private keys at rest. */
export interface KeyEncryption {
  /** AES-256-GCM under a fresh nonce, as text. `context` is authenticated along with it: the same context opens it, no other does. */
  seal(secret: string, context: string): string;
  /** @throws {KeyEncryptionError} When the text was sealed with another key or context, or was changed. */
  open(sealed: string, context: string): string;
  /** A key of 32 bytes for another purpose (HKDF, RFC 5869): the same for every process that has this key-encryption key, and telling nothing of it. */
  derive(purpose: string): Buffer;
}

const variable = 'TOKENMESH_KEY_ENCRYPTION_KEY';
const howToMakeOne = 'make one with: openssl rand -base64 32';

/**
 * The key-encryption key of this installation: 32 bytes in base64, from TOKENMESH_KEY_ENCRYPTION_KEY, the file that
 * TOKENMESH_KEY_ENCRYPTION_KEY_FILE names, or the configured file, in this order.
 *
 * @throws {KeyEncryptionError} When there is none, or it is not 32 bytes in base64. There is no default: keys are never stored in the clear.
 */
export function readKeyEncryption(
  environment: Readonly<Record<string, string | undefined>>,
  configuredFile: string | undefined,
): KeyEncryption {
  const direct = environment[variable];
  if (direct) return createKeyEncryption(direct, variable);
  const file = environment[`${variable}_FILE`] || configuredFile;
  if (!file) {
    throw new KeyEncryptionError(
      `no key-encryption key: set ${variable} or ${variable}_FILE, or keys.encryption_key_file; ${howToMakeOne}`,
    );
  }
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new KeyEncryptionError(
      `the key-encryption key cannot be read from ${file} (${(error as NodeJS.ErrnoException).code ?? 'error'})`,
    );
  }
  return createKeyEncryption(text, file);
}

/**
 * @param base64 32 bytes; white space around them is ignored.
 * @param source Names the place in errors.
 */
export function createKeyEncryption(base64: string, source: string): KeyEncryption {
  const text = base64.trim();
  const key = Buffer.from(text, 'base64');
  if (!/^[A-Za-z0-9+/]{43}=$/.test(text) || key.length !== 32) {
    throw new KeyEncryptionError(`the key-encryption key from ${source} is not 32 bytes in base64; ${howToMakeOne}`);
  }
  return {
    seal(secret, context) {
      const nonce = randomBytes(12);
      const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(context));
      const encrypted = Buffer.concat([cipher.update(secret, 'utf8'), cipher.final()]);
      return `v1.${[nonce, encrypted, cipher.getAuthTag()].map((part) => part.toString('base64url')).join('.')}`;
    },
    open(sealed, context) {
      const [version, ...parts] = sealed.split('.');
      const [nonce, encrypted, tag] = parts.map((part) => Buffer.from(part, 'base64url'));
      if (version !== 'v1' || !nonce || !encrypted || tag?.length !== 16)
        throw new KeyEncryptionError('a stored key is not in a known format');
      try {
        const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: 16 }).setAAD(Buffer.from(context)).setAuthTag(tag);
        return Buffer.concat([decipher.update(encrypted), decipher.final()]).toString('utf8');
      } catch {
        throw new KeyEncryptionError(
          `the key-encryption key from ${source} does not open the stored signing keys: it is another one, or the record was changed`,
        );
      }
    },
    derive: (purpose) => Buffer.from(hkdfSync('sha256', key, '', `tokenmesh ${purpose}`, 32)),
  };
}
