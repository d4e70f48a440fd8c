import { credentials } from '@grpc/grpc-js';
import { shop, shopPackage } from '@tokenmesh/proto/shop';
import { generateSigningKey } from '@tokenmesh/token';
import { afterEach, describe, expect, it } from 'vitest';
import { createMesh, type Mesh, type MeshOptions } from './mesh.ts';
import { privateKeyJwt } from './workload-credential.ts';

const usual: MeshOptions = {
  self: 'spiffe://shop.test/orders',
  tokenExchange: '127.0.0.1:1', // nothing listens there: a mesh comes up without token-exchange
  credential: privateKeyJwt(generateSigningKey()),
};

let mesh: Mesh | undefined;

afterEach(async () => {
  await mesh?.close();
  mesh = undefined;
});

const connect = (target: string, secure: boolean) =>
  new shop.Payments(
    target,
    secure ? credentials.createSsl() : credentials.createInsecure(),
    (mesh as Mesh).client('spiffe://shop.test/payments'),
  ).close();

describe('createMesh', () => {
  it.each([
    ['self that is no SPIFFE ID', { self: 'orders' }],
    ['no address of token-exchange', { tokenExchange: '' }],
    ['a staleness limit out of its range', { staleAfterMs: 0 }],
  ])('refuses %s at once', async (_, wrong) => {
    await expect(createMesh({ ...usual, ...wrong })).rejects.toThrow(TypeError);
  });

  it('comes up while token-exchange is away, decides nothing, and closes without waiting', async () => {
    mesh = await createMesh(usual);
    expect(mesh.feed.freshness()).toEqual({ state: 'empty' });
    const ready = mesh.ready();
    ready.catch(() => undefined);
    await mesh.close();
  });

  it('refuses to serve a package that has a method without a rule', async () => {
    mesh = await createMesh(usual);
    const open = mesh;
    const { 'shop.v1.Gateway': gateway } = shopPackage as unknown as Record<string, { PlaceOrder: object }>;
    const bare = { 'shop.v1.Gateway': { PlaceOrder: { ...gateway?.PlaceOrder, options: {} } } };
    expect(() => open.server(bare as unknown as typeof shopPackage)).toThrow('has no access rule');
    expect(open.server(shopPackage)).toHaveLength(2);
  });

  it('refuses a client that would send tokens in plaintext to another host, before a byte is sent', async () => {
    mesh = await createMesh(usual);
    for (const target of [
      '10.0.0.1:7000',
      'payments:7000',
      'dns:///payments.test:7000',
      'localhost.evil.test:7000',
      '127.0.0.1.evil.test:1',
    ]) {
      expect(() => connect(target, false)).toThrow(`tokens are not sent in plaintext to ${target}`);
      expect(() => connect(target, true)).not.toThrow();
    }
    for (const target of ['127.0.0.1:7000', 'localhost:7000', 'dns:///localhost:7000', '[::1]:7000', 'unix:/run/payments.sock']) {
      expect(() => connect(target, false)).not.toThrow();
    }
  });

  it('sends tokens in plaintext to another host where that is allowed in so many words', async () => {
    mesh = await createMesh({ ...usual, allowPlaintext: true });
    expect(() => connect('payments:7000', false)).not.toThrow();
  });

  it('serves over mutual TLS only with a certificate and an authority', async () => {
    mesh = await createMesh(usual);
    expect(mesh.serverCredentials).toThrow('certificate and ca');
  });
});
