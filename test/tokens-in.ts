// A JOSE header or claims set in base64url begins with `{"`, which is `eyJ`; an opaque token with `tm_`; private keys with their PEM line.
const secret = /eyJ[A-Za-z0-9_-]{16,}|\btm_[A-Za-z0-9_-]{20,}|-----BEGIN [A-Z ]*PRIVATE KEY-----/g;

/**
 * What in a text looks like a token or a private key: the first 12 characters of each, enough to find it and too little to use it.
 */
export function tokensIn(text: string | undefined): string[] {
  return [...(text ?? '').matchAll(secret)].map(([match]) => `${match.slice(0, 12)}…`);
}
