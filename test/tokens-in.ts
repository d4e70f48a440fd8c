// A JOSE header or claims set in base64url begins with `{"`, which is `eyJ`; an opaque token with `tm_`; private keys with their PEM line, with what PKCS#8 of
// P-256 or Ed25519 begins with, with `d` of a JWK, or with the prefix of a seed of NATS. Quotes are escaped in what holds JSON as a text.
const secret = new RegExp(
  [
    'eyJ[A-Za-z0-9_-]{16,}',
    String.raw`\btm_[A-Za-z0-9_-]{20,}`,
    '-----BEGIN [A-Z ]*PRIVATE KEY-----',
    'MIGHAgEAMBMGByqGSM49|MC4CAQAwBQYDK2Vw',
    String.raw`\\*"d\\*":\s*\\*"[A-Za-z0-9_-]{40,}`,
    String.raw`\bS[UAOCNX][A-Z2-7]{56}\b`,
    String.raw`\b(?:[Aa]uthorization|tokenmesh-token)\W{1,8}(?:Bearer|DPoP|Basic) +[A-Za-z0-9+/._~-]{8,}`,
  ].join('|'),
  'g',
);
// Base64 of a text that holds a secret is not shorter; its groups of four may begin at any of four characters of a run.
const encoded = /[A-Za-z0-9+/_-]{32,}/g;
const alignments = [0, 1, 2, 3];
/** More than any token has characters. */
const carriedChars = 8192;

/**
 * What in a text looks like a token, a private key or the value of an authorization header or `tokenmesh-token`, also where it was encoded in base64 once
 * more: the first 12 characters of each, enough to find it and too little to use it.
 */
export function tokensIn(text: string | undefined): string[] {
  const runs = text?.match(encoded) ?? [];
  const decoded = runs.flatMap((run) => alignments.map((skipped) => Buffer.from(run.slice(skipped), 'base64').toString('latin1')));
  const found = [text ?? '', ...decoded].flatMap((readable) => readable.match(secret) ?? []);
  return found.filter((match) => !isChance(match)).map((match) => `${match.slice(0, 12)}…`);
}

/** A header or claims set goes on as readable as it begins: an id, a hash or a sealed value in which the same three letters stand by chance does not. */
function isChance(match: string): boolean {
  return match.startsWith('eyJ') && /[^\x20-\x7e]/.test(Buffer.from(match.slice(0, 19), 'base64url').toString('latin1'));
}

/** Looks for the same in what is written in parts: a secret is found wherever it is cut, with the part that makes it recognisable. */
export function createTokenScanner(): (part: string) => string[] {
  let carried = '';
  return (part) => {
    const known = tokensIn(carried).length;
    const text = carried + part;
    carried = text.slice(text.lastIndexOf('\n') + 1).slice(-carriedChars); // no token goes on in the next line
    return tokensIn(text).slice(known);
  };
}
