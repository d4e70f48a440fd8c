/**
 * Host, and port where it is not 443, under which a workload is known to those who call it: what their DPoP proofs are for (`htu`). It need not be in
 * DNS; both sides only have to say the same.
 *
 * Derived from its SPIFFE ID, so that they do without being told: the segments of the path from the last to the first, then the trust domain.
 * `spiffe://shop.test/ns/a/orders` is `orders.a.ns.shop.test`.
 *
 * @returns `undefined` when that makes no host of a URL, which happens where a trust domain ends in a number: name the authority then.
 */
export function findAuthorityOf(id: string): string | undefined {
  const [trustDomain = '', ...segments] = id.replace(/^spiffe:\/\//, '').split('/');
  return findAuthority([...segments.reverse(), trustDomain].join('.'));
}

/**
 * The same where there has to be one.
 *
 * @throws {TypeError} When the SPIFFE ID makes no host.
 */
export function authorityOf(id: string): string {
  const authority = findAuthorityOf(id);
  if (authority === undefined) throw new TypeError(`${id} makes no host of a URL: name its authority`);
  return authority;
}

/**
 * Reads an authority that was configured.
 *
 * @throws {TypeError} When it is not a host, or a host and a port.
 */
export function parseAuthority(text: string): string {
  const authority = findAuthority(text);
  if (authority === undefined) throw new TypeError(`authority must be a host, and its port where that is not 443; "${text}" is not`);
  return authority;
}

function findAuthority(text: string): string | undefined {
  const url = `https://${text}/`;
  if (!/^[\w.:[\]-]+$/.test(text) || !URL.canParse(url)) return undefined;
  return new URL(url).host;
}
