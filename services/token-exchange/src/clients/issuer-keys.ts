import { createPublicKey, type JsonWebKey, type KeyObject } from 'node:crypto';
import { lookup as resolveHost } from 'node:dns/promises';
import { type RequestOptions, request } from 'node:https';
import { BlockList, isIP, isIPv4, isIPv6, type LookupFunction } from 'node:net';
import { TokenError } from '@tokenmesh/token';
import type { JWTHeaderParameters } from 'jose';

/** Algorithms that other issuers may sign with, each for one type of key; which of them are accepted is configured per issuer. */
export const issuerAlgorithms = ['ES256', 'ES384', 'EdDSA', 'RS256', 'PS256'] as const;
export type IssuerAlgorithm = (typeof issuerAlgorithms)[number];

/** Exactly one for each type of key, so that a key that does not say its algorithm can be bound to one. */
export const defaultIssuerAlgorithms: readonly IssuerAlgorithm[] = ['ES256', 'EdDSA', 'RS256'];

/** Where another issuer's keys come from: a JWK set that was read with the configuration, or its address. Never from a token. */
export type IssuerKeySource =
  | { readonly jwks: string }
  | {
      /** https, without user name or fragment. */
      readonly url: string;
      /** Present: `url` is that of an OpenID provider's configuration, which has to name this `issuer` and names the address of the keys. */
      readonly discovers?: string;
      /** Lets the name resolve to loopback, link-local and private addresses, as that of a cluster's own API server does. Default false. */
      readonly allowPrivateNetwork?: boolean;
      /** PEM of the authorities that the server's certificate chains to; default the system's. */
      readonly ca?: Buffer;
    };

/** The keys of one issuer that is not token-exchange itself. */
export interface IssuerKeys {
  /**
   * The key for a JWS header, as `jwtVerify` of jose asks for it. `kid` is required, and the key's own algorithm must be the header's.
   *
   * @throws {TokenError} SIGNING_KEY_UNKNOWN; KEYS_UNAVAILABLE when the issuer was never reached, or not for a day.
   */
  find(header: Pick<JWTHeaderParameters, 'alg' | 'kid'>): Promise<KeyObject>;
}

interface IssuerKey {
  readonly alg: IssuerAlgorithm;
  readonly key: KeyObject;
}

/** Issuers announce keys hours before they use them: asking every five minutes is soon enough, and no burden. */
const refreshAfterMs = 5 * 60_000;
/** Unknown kids cause no more than this; the first keys are asked for more often, for nothing works before. */
const retryAfterMs = 30_000;
const firstRetryAfterMs = 1000;
/** Keys are used for so long while the issuer cannot be reached. */
const hardAgeMs = 24 * 3600_000;

/**
 * Keys of an issuer, bounded in staleness and polite: a known key answers at once, also while the issuer cannot be reached, for up to 24 h;
 * keys older than five minutes are asked for again in the background; an unknown kid causes at most one request in 30 s, shared by all who
 * wait. Asks only when it is used, so there is nothing to close.
 *
 * Rules for addresses: https, no redirect, no proxy, every resolved address public unless the source allows others (judged on the very
 * address that is connected to), at most 256 KiB within 3 s, JSON by content type.
 *
 * @param options.algorithms What is accepted. A key that does not name its own is bound to the one of these that fits its type; when none
 *   fits, or several, it is left out, as is a key for another use and a symmetric or private one.
 * @throws {TypeError} The address is not https, or a given JWK set has no usable key.
 */
export function createIssuerKeys(options: {
  readonly source: IssuerKeySource;
  readonly algorithms?: readonly IssuerAlgorithm[];
  readonly now: () => number;
}): IssuerKeys {
  const { source, algorithms = defaultIssuerAlgorithms, now } = options;
  if ('jwks' in source) {
    const keys = importIssuerJwks(source.jwks, algorithms);
    return { find: async (header) => fitting(keys, header) };
  }
  checkKeysUrl(source.url);
  let keys: ReadonlyMap<string, IssuerKey> = new Map();
  let fetchedAtMs = Number.NEGATIVE_INFINITY;
  let askedAtMs = Number.NEGATIVE_INFINITY;
  let inFlight: Promise<void> | undefined;

  function refresh(): Promise<void> {
    askedAtMs = now();
    inFlight ??= fetchKeys(source as Exclude<IssuerKeySource, { jwks: string }>) // true: the other kind has returned above
      .then((jwks) => importIssuerJwks(jwks, algorithms))
      .then(
        (fetched) => {
          keys = fetched;
          fetchedAtMs = now();
        },
        () => undefined, // what is known stays, up to its age
      )
      .finally(() => {
        inFlight = undefined;
      });
    return inFlight;
  }

  return {
    async find(header) {
      const sinceAsked = now() - askedAtMs;
      const known = header.kid !== undefined && keys.has(header.kid) && now() - fetchedAtMs <= hardAgeMs;
      if (known) {
        if (now() - fetchedAtMs > refreshAfterMs && sinceAsked > retryAfterMs) void refresh();
      } else if (inFlight || sinceAsked > (keys.size === 0 ? firstRetryAfterMs : retryAfterMs)) {
        await refresh();
      }
      if (now() - fetchedAtMs > hardAgeMs) throw new TokenError('KEYS_UNAVAILABLE', 'the issuer has not been reached for its keys');
      return fitting(keys, header);
    },
  };
}

/**
 * Whether keys may be asked for there.
 *
 * @throws {TypeError} With a text for the reader of the configuration.
 */
export function checkKeysUrl(text: string): void {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol !== 'https:' || url.username || url.password || url.hash) {
    throw new TypeError('expected an https URL without user name and fragment');
  }
}

/**
 * Reads a JWK set of another issuer; keys by kid.
 *
 * @throws {TypeError} It is none, two keys have one kid, or no key is usable. Nothing of the content is in the message.
 */
export function importIssuerJwks(text: string, algorithms: readonly IssuerAlgorithm[]): ReadonlyMap<string, IssuerKey> {
  const jwks = parseJson(text);
  const list = isObject(jwks) && Array.isArray(jwks.keys) ? (jwks.keys as readonly unknown[]) : [];
  const keys = new Map<string, IssuerKey>();
  for (const jwk of list) {
    if (!isObject(jwk) || typeof jwk.kid !== 'string' || jwk.kid === '' || jwk.kid.length > 256) continue;
    const alg = algorithmFor(jwk, algorithms);
    if (!alg) continue;
    if (keys.has(jwk.kid)) throw new TypeError('a JWK set with two keys of one kid');
    const key = readPublicKey(jwk);
    if (key) keys.set(jwk.kid, { alg, key });
  }
  if (keys.size === 0) throw new TypeError('no usable key in it, expected a JWK set (RFC 7517) of public keys with kid');
  return keys;
}

function readPublicKey(jwk: object): KeyObject | undefined {
  try {
    return createPublicKey({ key: jwk as JsonWebKey, format: 'jwk' }); // node:crypto checks every member that it uses
  } catch {
    return undefined;
  }
}

const keyTypes: Readonly<Record<IssuerAlgorithm, { readonly kty: string; readonly crv?: string }>> = {
  ES256: { kty: 'EC', crv: 'P-256' },
  ES384: { kty: 'EC', crv: 'P-384' },
  EdDSA: { kty: 'OKP', crv: 'Ed25519' },
  RS256: { kty: 'RSA' },
  PS256: { kty: 'RSA' },
};

/** One key, one algorithm: the header of a token never chooses (CVE-2026-22817). SPIFFE bundles name no `alg`, and their `use` is `jwt-svid`. */
function algorithmFor(jwk: Readonly<Record<string, unknown>>, algorithms: readonly IssuerAlgorithm[]): IssuerAlgorithm | undefined {
  if ('d' in jwk || 'k' in jwk) return undefined;
  if (jwk.use !== undefined && jwk.use !== 'sig' && jwk.use !== 'jwt-svid') return undefined;
  if (jwk.key_ops !== undefined && String(jwk.key_ops) !== 'verify') return undefined;
  const fit = algorithms.filter((alg) => {
    const { kty, crv } = keyTypes[alg];
    return jwk.kty === kty && (crv === undefined || jwk.crv === crv) && (jwk.alg === undefined || jwk.alg === alg);
  });
  return fit.length === 1 ? fit[0] : undefined;
}

function fitting(keys: ReadonlyMap<string, IssuerKey>, { alg, kid }: Pick<JWTHeaderParameters, 'alg' | 'kid'>): KeyObject {
  const found = kid === undefined ? undefined : keys.get(kid);
  if (!found) throw new TokenError('SIGNING_KEY_UNKNOWN', 'the issuer has no key of this kid');
  if (found.alg !== alg) throw new TokenError('TOKEN_SIGNATURE_INVALID', 'the key is for another algorithm');
  return found.key;
}

const timeoutMs = 3000;
const maxBytes = 256 * 1024;

/** The keys, or where an OpenID provider's configuration says that they are (OpenID Connect Discovery 1.0 section 4.3). */
async function fetchKeys(source: Exclude<IssuerKeySource, { jwks: string }>): Promise<string> {
  if (source.discovers === undefined) return await fetchJwks(source);
  const document = parseJson(await fetchJwks(source));
  const { issuer, jwks_uri: url } = isObject(document) ? document : {};
  if (issuer !== source.discovers || typeof url !== 'string') throw new Error('the configuration is of another issuer, or names no keys');
  checkKeysUrl(url);
  return await fetchJwks({ ...source, url });
}

/** One GET under the rules above; rejects with an error that holds nothing of the answer. */
async function fetchJwks({ url, allowPrivateNetwork = false, ca }: Exclude<IssuerKeySource, { jwks: string }>): Promise<string> {
  const { hostname } = new URL(url);
  const literal = hostname.replace(/^\[|\]$/g, '');
  // an address is connected to without a look-up
  if (!allowPrivateNetwork && isIP(literal) && !isPublic(literal)) throw new Error('the address of the keys is not a public one');
  const options: RequestOptions = {
    agent: false, // no connection, and no proxy, of others
    headers: { accept: 'application/jwk-set+json, application/json', 'accept-encoding': 'identity' },
    signal: AbortSignal.timeout(timeoutMs),
    ...(ca && { ca }),
    ...(!allowPrivateNetwork && { lookup: lookupPublic }),
  };
  return await new Promise((resolve, reject) => {
    const get = request(url, options, (response) => {
      const fail = (what: string) => {
        get.destroy();
        reject(new Error(what));
      };
      if (response.statusCode !== 200) return fail(`the keys were answered with status ${response.statusCode}`); // redirects among them
      const type = response.headers['content-type'] ?? '';
      if (!/^application\/(jwk-set\+)?json *(;|$)/i.test(type)) return fail('the keys were not answered as JSON');
      const chunks: Buffer[] = [];
      let bytes = 0;
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes > maxBytes) return fail('more than 256 KiB of keys');
        chunks.push(chunk);
      });
      response.on('error', reject);
      response.on('end', () => resolve(Buffer.concat(chunks).toString('utf8')));
    });
    get.on('error', reject);
    get.end();
  });
}

/** Resolves a name for a connection, to public addresses or not at all: what is judged is what is connected to. */
const lookupPublic: LookupFunction = (hostname, options, callback) => {
  resolveHost(hostname, { ...options, all: true }).then(
    (found) => {
      const [first] = found;
      if (!first || !found.every(({ address }) => isPublic(address))) {
        return callback(new Error('the name of the keys does not resolve to public addresses'), '', 0);
      }
      if (options.all) callback(null, [...found]);
      else callback(null, first.address, first.family);
    },
    (error: NodeJS.ErrnoException) => callback(error, '', 0),
  );
};

/** RFC 6890 and its registries: what is not one host on the public Internet. Apart, for a list compares IPv4 with IPv6 rules too. */
const notPublic4 = createBlockList('ipv4', [
  ...['0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '169.254.0.0/16', '172.16.0.0/12', '192.0.0.0/24', '192.0.2.0/24'],
  ...['192.88.99.0/24', '192.168.0.0/16', '198.18.0.0/15', '198.51.100.0/24', '203.0.113.0/24', '224.0.0.0/4', '240.0.0.0/4'],
]);
// everything outside 2000::/3, and what is reserved inside it or carries an IPv4 address
const notPublic6 = createBlockList('ipv6', ['::/3', '4000::/2', '8000::/1', '2001::/23', '2001:db8::/32', '2002::/16', '3fff::/20']);

function createBlockList(family: 'ipv4' | 'ipv6', blocks: readonly string[]): BlockList {
  const list = new BlockList();
  for (const block of blocks) {
    const [network = '', prefix = ''] = block.split('/');
    list.addSubnet(network, Number(prefix), family);
  }
  return list;
}

/** Whether an IP address is one that is routed on the public Internet; text that is no address is not. */
export function isPublic(address: string): boolean {
  if (isIPv4(address)) return !notPublic4.check(address, 'ipv4');
  return isIPv6(address) && !notPublic6.check(address, 'ipv6');
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new TypeError('not JSON, expected a JWK set (RFC 7517)'); // the engine's message quotes the text
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
