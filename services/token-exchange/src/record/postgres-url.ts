const example = 'expected one such as postgres://token-exchange:…@db.example.test/tokenmesh?sslmode=verify-full';
const loopback = /^(localhost|127(\.\d+){3}|\[::1\]|)$/;

/**
 * Checks what `openPostgresStore` takes: a whole URL with a database, and TLS unless the server is on this machine or the URL says `disable`.
 *
 * @throws {Error} With a text for the reader of a configuration, which never holds the URL: a password is in it.
 */
export function checkPostgresUrl(text: string): void {
  if (!URL.canParse(text)) throw new Error(`not a URL, ${example}`);
  const { protocol, hostname, pathname, searchParams } = new URL(text);
  if (protocol !== 'postgres:' && protocol !== 'postgresql:') throw new Error(`not the URL of a PostgreSQL, ${example}`);
  if (pathname.length < 2) throw new Error(`no database is named, ${example}`);
  const host = searchParams.get('host') ?? hostname;
  if (!loopback.test(host) && !host.startsWith('/') && !searchParams.has('sslmode')) {
    throw new Error(`says nothing of TLS, ${example}; sslmode=disable lets the network read and change the record`);
  }
}
