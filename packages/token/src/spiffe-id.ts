declare const brand: unique symbol;

/** The identity of a workload, `spiffe://<trust domain>/<path>`, known to follow the grammar. Compare with `===`: there is one spelling. */
export type SpiffeId = string & { readonly [brand]: 'SpiffeId' };

// A path segment of dots alone would be `.` or `..`, which the specification forbids; `...` is an ordinary name.
const grammar = /^spiffe:\/\/([a-z0-9._-]{1,255})(?:\/(?!\.{1,2}(?:\/|$))[A-Za-z0-9._-]+)*$/;
const maxLength = 2048;

/** Whether a value is a SPIFFE ID in its only spelling. */
export function isSpiffeId(text: unknown): text is SpiffeId {
  return typeof text === 'string' && text.length <= maxLength && grammar.test(text);
}

/**
 * Reads a SPIFFE ID. Nothing is normalised: capitals in scheme or trust domain, percent-encoding, a port, a query, an empty segment and
 * `.` or `..` are refused, so that what is checked and what is used are the same bytes. The path may be absent (the trust domain itself).
 *
 * @param text At most 2048 characters.
 * @throws {TypeError} The text is no SPIFFE ID.
 * @see SPIFFE-ID specification, section 2.
 */
export function parseSpiffeId(text: string): SpiffeId {
  if (!isSpiffeId(text)) throw new TypeError('not a SPIFFE ID: expected spiffe://<trust domain>/<path>');
  return text;
}

/** The trust domain of an identity, for example `shop.test`. */
export function trustDomainOf(id: SpiffeId): string {
  const start = 'spiffe://'.length;
  const end = id.indexOf('/', start);
  return end === -1 ? id.slice(start) : id.slice(start, end);
}
