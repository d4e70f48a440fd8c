import { hash } from 'node:crypto';

/**
 * What spans name a token by: the first 16 hexadecimal digits of the SHA-256 of its `jti`. The same in every process, so that the spans of all who
 * met with a token can be found; whoever reads them learns no handle that could be asked about or revoked.
 */
export function tokenIdHash(jti: string): string {
  return hash('sha256', jti, 'buffer').toString('hex', 0, 8); // no part of a longer string, which spans would keep
}
