import { Client, credentials, Server } from '@grpc/grpc-js';
import { shop, shopPackage } from '@tokenmesh/proto/shop';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type BadToken, badTokenKinds, refusal, type TestMesh, testMesh } from './index.ts';

const payments = 'spiffe://mesh.test/payments';
const good = { as: 'spiffe://mesh.test/gateway', for: payments, scope: 'payments.charge' };
const { path } = shop.Payments.service.Charge;

let test: TestMesh;
let server: Server;
let client: Client;
let entered = 0;

const call = ({ metadata }: Pick<BadToken, 'metadata'>) => {
  const bytes = (message: Buffer) => message;
  const stream = client.makeBidiStreamRequest(path, bytes, bytes, metadata());
  stream.end(Buffer.alloc(0));
  return stream;
};

beforeAll(async () => {
  test = testMesh();
  const mesh = await test.meshFor(payments);
  server = new Server({ interceptors: mesh.server(shopPackage) });
  server.addService(shop.Payments.service, {
    Charge(_: unknown, callback: (error: null, answer: object) => void) {
      entered++;
      callback(null, {});
    },
  });
  const port = await new Promise<number>((resolve) => {
    server.bindAsync('127.0.0.1:0', mesh.serverCredentials(), (_, bound) => resolve(bound));
  });
  client = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
});

afterAll(async () => {
  client.close();
  server.forceShutdown();
  await test.close();
});

describe('badTokens', () => {
  it('has one of every kind, each from a token of its own, the revoked one among them', () => {
    const tokens = test.badTokens(good);
    expect(tokens.map(({ kind }) => kind)).toEqual(badTokenKinds);
    expect(new Set(tokens.map(({ authorization }) => authorization)).size).toBe(badTokenKinds.length);
  });

  it.each(badTokenKinds)('makes a credential that is %s, refused by a real server for the reason that it names', async (kind) => {
    const bad = test.badTokens(good).find((token) => token.kind === kind);
    if (!bad) throw new Error('none of that kind');
    expect(await refusal(call(bad))).toMatchObject({ reason: bad.reason });
    expect(entered).toBe(0);
  });

  it('starts from a token that gets in', async () => {
    const { authorizationOf } = await import('./bad-tokens.ts');
    const admitted = call({ metadata: () => authorizationOf(`Bearer ${test.token(good)}`) });
    await expect(refusal(admitted)).rejects.toThrow('succeeded');
    expect(entered).toBe(1);
    entered = 0;
  });
});
