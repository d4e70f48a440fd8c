import { createPrivateKey, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { connect, createServer, type TLSSocket } from 'node:tls';
import { expect, test } from 'vitest';
import { type Certificate, createCertificateAuthority } from './certificates.ts';

test('issues a leaf with the SPIFFE ID as its only URI, and localhost and 127.0.0.1', async () => {
  const authority = await createCertificateAuthority('shop.test');
  const leaf = new X509Certificate((await authority.issue('spiffe://shop.test/orders')).cert);
  expect(leaf.subjectAltName?.split(', ')).toEqual(['URI:spiffe://shop.test/orders', 'DNS:localhost', 'IP Address:127.0.0.1']);
  expect(leaf.ca).toBe(false);
});

test('issues a leaf that its root signed and whose private key fits', async () => {
  const authority = await createCertificateAuthority('shop.test');
  const { cert, key } = await authority.issue('spiffe://shop.test/orders');
  const root = new X509Certificate(authority.cert);
  const leaf = new X509Certificate(cert);
  expect(root.ca).toBe(true);
  expect(leaf.verify(root.publicKey)).toBe(true);
  expect(leaf.checkIssued(root)).toBe(true);
  expect(leaf.checkPrivateKey(createPrivateKey(key))).toBe(true);
});

test('makes certificates valid from five minutes ago for a day', async () => {
  const now = Date.UTC(2026, 10, 1, 12, 0, 0);
  const leaf = new X509Certificate(
    (await (await createCertificateAuthority('shop.test', { now: () => now })).issue('spiffe://shop.test/a')).cert,
  );
  expect(Date.parse(leaf.validFrom)).toBe(now - 5 * 60_000);
  expect(Date.parse(leaf.validTo)).toBe(now + 24 * 60 * 60_000);
});

test('in mutual TLS a leaf of the same authority is trusted, and one of another is not', async () => {
  const authority = await createCertificateAuthority('shop.test');
  const stranger = await (await createCertificateAuthority('shop.test')).issue('spiffe://shop.test/gateway');
  const gateway = await authority.issue('spiffe://shop.test/gateway');
  const orders = await authority.issue('spiffe://shop.test/orders');
  const server = createServer({ ...orders, ca: authority.cert, requestCert: true, rejectUnauthorized: false });
  server.on('secureConnection', (socket) => socket.end(`${socket.authorized} ${socket.getPeerCertificate().subjectaltname}`));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  // The cast holds: a listening TCP server has an AddressInfo.
  const { port } = server.address() as AddressInfo;
  const dial = (certificate: Certificate) => readAll(connect({ ...certificate, port, host: '127.0.0.1', ca: authority.cert }));
  try {
    expect(await dial(gateway)).toMatch(/^true URI:spiffe:\/\/shop\.test\/gateway,/);
    expect(await dial(stranger)).toMatch(/^false /);
  } finally {
    server.close();
  }
});

async function readAll(socket: TLSSocket): Promise<string> {
  let text = '';
  for await (const chunk of socket) text += chunk;
  return text;
}
