/**
 * Decodes base64url in its only spelling (RFC 7515 section 2, RFC 4648 section 3.5): without padding, blanks or bits left over. Two texts
 * never decode to the same bytes.
 *
 * @returns undefined when the text is another spelling, or none at all.
 */
export function decodeBase64url(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64url');
  return bytes.toString('base64url') === text ? bytes : undefined;
}
