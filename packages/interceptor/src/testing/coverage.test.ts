import {
  Server,
  ServerCredentials,
  ServerInterceptingCall,
  type ServerInterceptor,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import { shop, shopPackage } from '@tokenmesh/proto/shop';
import { createTestAuthority } from '@tokenmesh/token/test-certificate';
import { HealthImplementation } from 'grpc-health-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type AccessRuleMembers, accessRules } from '../incoming/access-rules.ts';
import { type CoverageReport, coverage, type TestMesh, type TestMeshForOptions, testMesh } from './index.ts';

const orders = 'spiffe://mesh.test/orders';
const gateway = 'spiffe://mesh.test/gateway';
const { service } = shop.Orders;

let test: TestMesh;
let server: Server;
let entered: string[];

/** Handlers that note that they were entered. */
const handlers: UntypedServiceImplementation = Object.fromEntries(
  Object.keys(service).map((name) => [
    name,
    (_: unknown, respond?: (error: null, answer: object) => void) => {
      entered.push(name);
      respond?.(null, {});
    },
  ]),
);

beforeEach(() => {
  test = testMesh();
  entered = [];
});

afterEach(async () => {
  server.forceShutdown();
  await test.close();
});

async function serve(
  interceptors: ServerInterceptor[],
  add: (server: Server) => void = () => {},
  serverCredentials = ServerCredentials.createInsecure(),
): Promise<string> {
  server = new Server({ interceptors });
  server.addService(service, handlers);
  add(server);
  const port = await new Promise<number>((resolve) => {
    server.bindAsync('127.0.0.1:0', serverCredentials, (_, bound) => resolve(bound));
  });
  return `127.0.0.1:${port}`;
}

/** Orders under rules that a test gives its four methods. */
async function cover(rule: AccessRuleMembers, options: TestMeshForOptions = {}): Promise<CoverageReport> {
  const mesh = await test.meshFor(orders, options);
  const rules = accessRules(service, { Create: rule, Get: rule, Upload: rule, Track: rule });
  const address = await serve(mesh.server(rules));
  return coverage(server, { mesh: test, self: orders, address });
}

const lacking = ({ attempts }: CoverageReport) => Object.fromEntries(attempts.map(({ lacks, actual }) => [lacks, actual]));

describe('coverage', () => {
  it('finds every method of a server refused without a token, with one for another audience, and without its scope', async () => {
    const mesh = await test.meshFor(orders);
    const health = new HealthImplementation({ '': 'SERVING' });
    const address = await serve(mesh.server(shopPackage), (server) => {
      health.addToServer(server);
      server.addService(...mesh.streamCredential());
    });
    const { attempts, exempt, failures } = await coverage(server, { mesh: test, self: orders, address });
    expect(failures).toEqual([]);
    expect(attempts.filter(({ method }) => method === '/shop.v1.Orders/Track')).toEqual([
      { method: '/shop.v1.Orders/Track', lacks: 'a token', expected: 'CREDENTIAL_MISSING', actual: 'CREDENTIAL_MISSING', entered: false },
      {
        method: '/shop.v1.Orders/Track',
        lacks: 'the audience',
        expected: 'AUDIENCE_MISMATCH',
        actual: 'AUDIENCE_MISMATCH',
        entered: false,
      },
      {
        ...{ method: '/shop.v1.Orders/Track', lacks: 'the scope orders.read' },
        ...{ expected: 'SCOPE_INSUFFICIENT', actual: 'SCOPE_INSUFFICIENT', entered: false },
      },
    ]);
    expect(new Set(attempts.map(({ method }) => method))).toEqual(
      new Set([...Object.values(service).map(({ path }) => path), '/tokenmesh.v1.StreamCredential/Renew']),
    );
    expect(exempt.map(({ method, because }) => [method.split('/')[1], because])).toEqual(
      expect.arrayContaining([['grpc.health.v1.Health', 'health']]),
    );
    expect(entered).toEqual([]);
  });

  it('leaves the handlers as they were', async () => {
    const mesh = await test.meshFor(orders);
    const address = await serve(mesh.server(shopPackage));
    await coverage(server, { mesh: test, self: orders, address });
    const caller = await test.meshFor(gateway);
    const client = new shop.Orders(address, caller.channelCredentials(), caller.client(orders));
    await new Promise((resolve) => client.get({ order_id: 'o1' }, resolve));
    client.close();
    expect(entered).toEqual(['Get']);
  });

  it.each<[string, AccessRuleMembers, Record<string, string>]>([
    ['each of several scopes', { scopes: ['a', 'b'] }, { 'the scope a': 'SCOPE_INSUFFICIENT', 'the scope b': 'SCOPE_INSUFFICIENT' }],
    [
      'any of several scopes',
      { any_scope: ['a', 'b'], scopes: ['c'] },
      { 'any scope of a b': 'SCOPE_INSUFFICIENT', 'the scope c': 'SCOPE_INSUFFICIENT' },
    ],
    ['a caller by name', { callers: [gateway] }, { 'a caller who is named': 'CALLER_NOT_ALLOWED' }],
    ['a short chain of actors', { any_caller: true, max_act_depth: 2 }, { 'a chain that is short enough': 'DELEGATION_TOO_DEEP' }],
    ['no actor at all', { any_caller: true, max_act_depth: 0 }, { 'a chain that is short enough': 'DELEGATION_NOT_ALLOWED' }],
    ['a bound token', { scopes: ['a'], require_binding: true }, { 'a binding': 'BINDING_MISMATCH', 'the scope a': 'SCOPE_INSUFFICIENT' }],
  ])('tries a rule that asks for %s', async (_, rule, reasons) => {
    expect(lacking(await cover(rule))).toEqual({ 'a token': 'CREDENTIAL_MISSING', 'the audience': 'AUDIENCE_MISMATCH', ...reasons });
  });

  it('proves possession with the nonce that the service wants, and for the authority that it has', async () => {
    const mesh = await test.meshFor(orders, { proofs: { nonce: 'required' }, authority: 'orders.internal:7000' });
    const rule = { scopes: ['a'], require_binding: true };
    const address = await serve(mesh.server(accessRules(service, { Create: rule, Get: rule, Upload: rule, Track: rule })));
    const report = await coverage(server, { mesh: test, self: orders, address, authority: 'orders.internal:7000' });
    expect(lacking(report)).toMatchObject({ 'the scope a': 'SCOPE_INSUFFICIENT' });
  });

  it('calls over mutual TLS with the certificate of a workload', async () => {
    const authority = createTestAuthority();
    const mesh = await test.meshFor(orders, { certificate: authority.issue([orders]), ca: authority.cert });
    const caller = await test.meshFor(gateway, { certificate: authority.issue([gateway]), ca: authority.cert });
    const address = await serve(mesh.server(shopPackage), () => {}, mesh.serverCredentials());
    const channelCredentials = caller.channelCredentials();
    expect((await coverage(server, { mesh: test, self: orders, address, channelCredentials })).failures).toEqual([]);
    await expect(coverage(server, { mesh: test, self: orders, address })).rejects.toThrow('but it ended otherwise'); // in plaintext nothing gets there
  });

  it('lists public methods as exempt and verifies what is presented to them', async () => {
    const { attempts, exempt } = await cover({ public: true });
    expect(exempt).toHaveLength(4);
    expect(attempts.map(({ lacks }) => lacks)).toEqual(Array(4).fill('the audience'));
  });

  it('fails when a server lets calls in, says which, and does not reach the handlers', async () => {
    const mesh = await test.meshFor(orders);
    mesh.server(shopPackage); // and forgets to hand them to the server
    const address = await serve([]);
    const failed = await coverage(server, { mesh: test, self: orders, address }).catch((error: Error) => error);
    expect(failed).toMatchObject({ name: 'AssertionError', report: { failures: { length: 12 } } });
    expect((failed as Error).message).toContain('/shop.v1.Orders/Create without a token: expected CREDENTIAL_MISSING, but it was let in');
    expect(entered).toEqual([]);
  });

  it('fails when calls are refused for another reason', async () => {
    const mesh = await test.meshFor(orders);
    const deaf: ServerInterceptor = (_, call) =>
      new ServerInterceptingCall(call, {
        start(next) {
          next({
            onReceiveMetadata(metadata, nextMetadata) {
              metadata.remove('authorization');
              nextMetadata(metadata);
            },
          });
        },
      });
    const address = await serve([deaf, ...mesh.server(shopPackage)]);
    const failed = coverage(server, { mesh: test, self: orders, address });
    await expect(failed).rejects.toThrow('without the audience: expected AUDIENCE_MISMATCH, but it was refused for CREDENTIAL_MISSING');
  });

  it('finds a method that is served without a rule refused', async () => {
    const mesh = await test.meshFor(orders);
    const { Create } = service;
    const address = await serve(mesh.server(accessRules({ Create }, { Create: { scopes: ['a'] } })));
    const { attempts } = await coverage(server, { mesh: test, self: orders, address });
    expect(attempts.filter(({ lacks }) => lacks === 'a rule')).toHaveLength(3);
  });

  it('refuses a server without methods, and a workload that serves nothing', async () => {
    server = new Server();
    await expect(coverage(server, { mesh: test, self: orders, address: '127.0.0.1:1' })).rejects.toThrow(TypeError);
    const address = await serve([]);
    await expect(coverage(server, { mesh: test, self: orders, address })).rejects.toThrow(TypeError);
  });
});
