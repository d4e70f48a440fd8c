import { credentials } from '@grpc/grpc-js';
import { shop, shopPackage } from '@tokenmesh/proto/shop';
import { exportSigningKey, generateSigningKey } from '@tokenmesh/token';
import { afterEach, describe, expect, it } from 'vitest';
import { privateKeyJwt } from '../outgoing/workload-credential.ts';
import { createMesh, type Mesh, type MeshOptions } from './mesh.ts';

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
    const ended = expect(ready).rejects.toThrow('the mesh was closed');
    await mesh.close();
    await ended;
    await expect(mesh.ready()).rejects.toThrow('the mesh was closed');
  });

  it('tells what changes until it is closed, to those who began to read before', async () => {
    mesh = await createMesh(usual);
    const changes = Array.fromAsync(mesh.status());
    mesh.client('spiffe://shop.test/payments');
    for await (const change of mesh.status()) if (change.type === 'token') break;
    await mesh.close();
    const told = await changes;
    const failed = { type: 'token', issuer: 'https://token-exchange.shop.test', change: 'failed', error: expect.any(Error) };
    expect(told).toContainEqual({ ...failed, audience: 'spiffe://shop.test/payments' });
    expect(told.at(-1)).toEqual({ type: 'closed' });
    expect(await Array.fromAsync(mesh.status())).toEqual([]);
  });

  it('describes itself in plain data without a secret', async () => {
    const dpop = generateSigningKey();
    mesh = await createMesh({
      ...usual,
      ...{ dpop, tokenExchange: ['127.0.0.1:1', '127.0.0.1:2'], clockToleranceSeconds: 1, staleAfterMs: 2_000, opaqueKeepMs: 0 },
      alsoTrust: [{ tokenExchange: '127.0.0.1:3', self: 'spiffe://next.test/orders' }],
    });
    mesh.server(shopPackage);
    mesh.client('spiffe://shop.test/payments');
    const description = mesh.describe();
    expect(description).toMatchObject({
      self: 'spiffe://shop.test/orders',
      issuers: [
        {
          issuer: 'https://token-exchange.shop.test',
          audience: 'spiffe://shop.test/orders',
          tokenExchange: ['127.0.0.1:1', '127.0.0.1:2'],
          kids: [],
          revocations: { state: 'empty' },
        },
        { issuer: 'https://token-exchange.next.test', audience: 'spiffe://next.test/orders', tokenExchange: ['127.0.0.1:3'] },
      ],
      audiences: ['spiffe://shop.test/token-exchange', 'spiffe://shop.test/payments'],
      binding: { certificate: undefined, dpop: true },
      tolerances: { clockToleranceSeconds: 1, maxLifeSeconds: 900, staleAfterMs: 2_000, opaqueKeepMs: 0, maxUnaryWaitMs: 30_000 },
      versions: { interceptor: expect.stringMatching(/^\d+\.\d+\.\d+/), node: process.versions.node },
    });
    expect(description.methods).toContainEqual(
      expect.objectContaining({ method: '/shop.v1.Payments/Charge', scopes: ['payments.charge'] }),
    );
    expect(JSON.parse(JSON.stringify(description))).toMatchObject({ self: 'spiffe://shop.test/orders' });
    expect(JSON.stringify(description)).not.toContain(exportSigningKey(dpop).slice(40, 80));
  });

  it('refuses to trust one issuer twice, and leaves nothing open', async () => {
    const alsoTrust = [{ tokenExchange: '127.0.0.1:2' }];
    await expect(createMesh({ ...usual, alsoTrust })).rejects.toThrow('the issuer https://token-exchange.shop.test is named twice');
  });

  it('refuses to serve a package that has a method without a rule', async () => {
    mesh = await createMesh(usual);
    const open = mesh;
    const { 'shop.v1.Gateway': gateway } = shopPackage as unknown as Record<string, { PlaceOrder: object }>;
    const bare = { 'shop.v1.Gateway': { PlaceOrder: { ...gateway?.PlaceOrder, options: {} } } };
    expect(() => open.server(bare as unknown as typeof shopPackage)).toThrow('has no access rule');
    expect(open.server(shopPackage)).toHaveLength(1);
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
