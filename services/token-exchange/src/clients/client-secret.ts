import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';

const derive = promisify<string, Buffer, number, { N: number; r: number; p: number; maxmem: number }, Buffer>(scrypt);

// 32 MiB and about 60 ms: RFC 7914's interactive parameters, doubled for today's machines
const [logN, r, p, bytes] = [15, 8, 1, 32];
const cost = { N: 2 ** logN, r, p, maxmem: 64 * 1024 * 1024 };
/** Whoever guesses over the network has to guess these; a hash in a file is tried much faster. */
const minLength = 16;
const grammar = /^\$scrypt\$ln=15,r=8,p=1\$([A-Za-z0-9_-]{22})\$([A-Za-z0-9_-]{43})$/;

/**
 * The form in which a client secret is kept: `$scrypt$ln=15,r=8,p=1$<salt>$<hash>`, base64url.
 *
 * @param secret 16 to 512 characters.
 * @throws {TypeError} The secret is too short or too long; it is not in the message.
 */
export async function hashClientSecret(secret: string): Promise<string> {
  if (secret.length < minLength || secret.length > 512) throw new TypeError('a client secret must have 16 to 512 characters');
  const salt = randomBytes(16);
  const hash = await derive(secret, salt, bytes, cost);
  return `$scrypt$ln=${logN},r=${r},p=${p}$${salt.toString('base64url')}$${hash.toString('base64url')}`;
}

/** Whether this is what {@link hashClientSecret} writes. */
export function isClientSecretHash(text: string): boolean {
  return grammar.test(text);
}

/**
 * Whether a secret is the one that was hashed. Takes the same time whichever it is, also when there is no hash to compare with: nobody learns
 * which clients have a secret.
 */
export async function matchesClientSecret(secret: string, stored: string | undefined): Promise<boolean> {
  const [, salt = '', hash = ''] = (stored !== undefined && grammar.exec(stored)) || [];
  const expected = hash ? Buffer.from(hash, 'base64url') : Buffer.alloc(bytes);
  const actual = await derive(secret.slice(0, 513), Buffer.from(salt, 'base64url'), bytes, cost);
  return timingSafeEqual(actual, expected) && hash !== '';
}
