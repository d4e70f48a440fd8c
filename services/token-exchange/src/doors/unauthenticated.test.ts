// T-33, T-36: what can be reached by whoever proves nothing. Everything that is served is asked, by the descriptors it is served from.
import { Client, Metadata, type ServiceError, status } from '@grpc/grpc-js';
import { unary } from '@tokenmesh/interceptor';
import { type MethodDefinition, tokenmeshPackage } from '@tokenmesh/proto';
import { generateSigningKey, signClientAssertion } from '@tokenmesh/token';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { jwtBearerAssertion } from '../clients/client-authentication.ts';
import { hashClientSecret } from '../clients/client-secret.ts';
import { authenticate, gateway, issuerUrl, newId, operator, orders, workloads } from '../testing.ts';
import { openTestDoors, type TestDoors } from './test-doors.ts';

type Method = MethodDefinition<object, object>;
const secret = 'a secret that is long enough';
let doors: TestDoors;
/** A token of gateway that somebody may want to see revoked. */
let token: string;
let kid: string;

beforeAll(async () => {
  const registered = new Map(workloads);
  const plain = workloads.get(orders);
  if (plain) registered.set(orders, { ...plain, tlsClientAuth: true, clientSecretScrypt: await hashClientSecret(secret) });
  doors = await openTestDoors({ workloads: registered, development: false });
  const asked = { ...authenticate(gateway, Date.now), grant_type: 'client_credentials', audience: orders };
  token = (await unary(doors.exchange, 'exchangeToken', asked)).access_token;
  kid = JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString()).kid;
});
afterAll(() => doors.close());

/** Every method of every service of the contract. */
const methods: readonly Method[] = Object.values(tokenmeshPackage()).flatMap(
  (definition) => ('format' in definition ? [] : (Object.values(definition) as Method[])), // true: what is no message or enum is a service
);

/** What each would be asked to do, and with whose token it would. */
function requests(): Readonly<Record<string, { readonly request: object; readonly scope?: string }>> {
  const own = { client_id: gateway, grant_type: 'client_credentials', audience: orders };
  const revoke = 'admin.revoke';
  const [read, keys] = ['admin.read', 'admin.keys'];
  return {
    '/tokenmesh.v1.TokenExchange/ExchangeToken': { request: own },
    '/tokenmesh.v1.TokenExchange/ExchangeTokens': { request: { client_id: gateway, requests: [{ ...own, client_id: '' }] } },
    '/tokenmesh.v1.TokenExchange/IntrospectToken': { request: { client_id: gateway, token } },
    '/tokenmesh.v1.TokenExchange/RevokeToken': { request: { client_id: gateway, token } },
    '/tokenmesh.v1.TokenExchange/GetJwks': { request: {} },
    '/tokenmesh.v1.TokenExchange/GetMetadata': { request: {} },
    '/tokenmesh.v1.RevocationFeed/GetFeedKeys': { request: {}, scope: 'revocation.read' },
    '/tokenmesh.v1.RevocationFeed/GetSnapshot': { request: {}, scope: 'revocation.read' },
    '/tokenmesh.v1.RevocationFeed/ListEvents': { request: { from: 1 }, scope: 'revocation.read' },
    '/tokenmesh.v1.RevocationFeed/Checkpoint': { request: { nonce: 'n' }, scope: 'revocation.read' },
    '/tokenmesh.v1.RevocationFeed/Sync': { request: { report: { instance: 'forged', fresh_at_ms: 1, n: 1 } }, scope: 'revocation.read' },
    '/tokenmesh.v1.Admin/AddRevocation': { request: { targets: [{ kind: 'subject', value: 'somebody' }] }, scope: revoke },
    '/tokenmesh.v1.Admin/ListRevocations': { request: {}, scope: read },
    '/tokenmesh.v1.Admin/SuspendWorkload': { request: { client_id: gateway }, scope: revoke },
    '/tokenmesh.v1.Admin/ResumeWorkload': { request: { client_id: gateway }, scope: revoke },
    '/tokenmesh.v1.Admin/ListWorkloads': { request: {}, scope: read },
    '/tokenmesh.v1.Admin/ListVerifiers': { request: {}, scope: read },
    '/tokenmesh.v1.Admin/ListAccessRules': { request: {}, scope: read },
    '/tokenmesh.v1.Admin/ListKeys': { request: {}, scope: read },
    '/tokenmesh.v1.Admin/Simulate': {
      request: { client_id: gateway, grant_type: 'client_credentials', audience: orders },
      scope: read,
    },
    '/tokenmesh.v1.Admin/QueryEvents': { request: {}, scope: read },
    '/tokenmesh.v1.Admin/WatchEvents': { request: {}, scope: read },
    '/tokenmesh.v1.Admin/RotateKeys': { request: { purpose: 'token' }, scope: keys },
    '/tokenmesh.v1.Admin/WithdrawKey': { request: { kid }, scope: keys },
    '/tokenmesh.v1.StreamCredential/Renew': { request: { stream_id: 's' }, scope: 'revocation.read' },
  };
}

/** All that anybody may ask for; neither changes anything. */
const open = ['/tokenmesh.v1.TokenExchange/GetJwks', '/tokenmesh.v1.TokenExchange/GetMetadata'];
/** What is answered to a request that is allowed, where it is not OK. */
const answersTo: Readonly<Record<string, string>> = {
  '/tokenmesh.v1.RevocationFeed/ListEvents': 'FAILED_PRECONDITION', // without an epoch there is no position to list from
  '/tokenmesh.v1.StreamCredential/Renew': 'NOT_FOUND', // nobody has a stream of this name
};

/** The status that a method answers with; a stream's, once it is said: OK with its first message or its metadata. */
function call({ path, requestStream, responseStream, ...method }: Method, request: object, metadata: Metadata): Promise<string> {
  const client = new Client(doors.address, doors.tls);
  return new Promise<string>((resolve) => {
    const ended = (error: ServiceError | null) => resolve(status[error ? error.code : status.OK]);
    const { requestSerialize: write, responseDeserialize: read } = method;
    if (!requestStream && !responseStream) return client.makeUnaryRequest(path, write, read, request, metadata, ended);
    const duplex = requestStream ? client.makeBidiStreamRequest(path, write, read, metadata) : undefined;
    const stream = duplex ?? client.makeServerStreamRequest(path, write, read, request, metadata);
    stream.on('error', ended).on('data', () => {});
    stream.on('status', ({ code }) => resolve(status[code]));
    // the headers of a refusal come with its status
    stream.on('metadata', () => setImmediate(() => resolve(status[status.OK])));
    duplex?.write(request);
  }).finally(() => client.close());
}

/** The status of every method, each asked for what it would do. */
async function askAll(change: (request: object) => object, metadata: () => Metadata): Promise<Readonly<Record<string, string>>> {
  const outcomes: Record<string, string> = {};
  for (const method of methods) {
    const { request = {} } = requests()[method.path] ?? {};
    outcomes[method.path] = await call(method, change(request), metadata());
  }
  return outcomes;
}

const withBearer = (text: string) => () => {
  const metadata = new Metadata();
  metadata.set('authorization', text);
  return metadata;
};

describe('T-33 without a proof', () => {
  const expected = Object.fromEntries(Object.keys(requests()).map((path) => [path, open.includes(path) ? 'OK' : 'UNAUTHENTICATED']));

  it('knows every method of the contract', () => {
    expect(methods.map(({ path }) => path).sort()).toEqual(Object.keys(requests()).sort());
  });

  it('nothing is answered but what anybody may read, and the record stays as it is', async () => {
    const before = doors.record();
    expect(
      await askAll(
        (request) => request,
        () => new Metadata(),
      ),
    ).toEqual(expected);
    expect(doors.record()).toEqual(before);
    expect((await unary(doors.admin, 'listVerifiers', {}, await doors.bearer(operator, 'admin.read'))).verifiers).toEqual([]);
  });

  it.each<[string, (request: object) => object]>([
    ['another workload’s key', (request) => ({ ...request, ...forged(gateway, generateSigningKey()) })],
    ['a token in place of a proof', (request) => ({ ...request, client_assertion_type: jwtBearerAssertion, client_assertion: token })],
    ['a client secret', (request) => ({ ...request, client_id: orders, client_secret: secret })],
  ])('nothing changes by %s', async (_, change) => {
    const before = doors.record();
    const outcomes = await askAll(change, withBearer('Bearer x'));
    for (const [path, code] of Object.entries(outcomes)) {
      // a bad credential is refused also where none is needed
      expect([path, code]).toEqual([path, 'UNAUTHENTICATED']);
    }
    expect(doors.record()).toEqual(before);
  });

  it('nothing that operators do is done with a token of a workload', async () => {
    const { metadata } = await doors.bearer(gateway);
    const before = doors.record();
    const outcomes = await askAll(
      (request) => request,
      () => metadata,
    );
    for (const [path, { scope }] of Object.entries(requests())) {
      if (scope?.startsWith('admin.')) expect([path, outcomes[path]]).toEqual([path, 'PERMISSION_DENIED']);
    }
    expect(doors.record()).toEqual(before);
  });

  it('T-36 no header and no parameter of a client says who it is or what is allowed', async () => {
    const claims: Record<string, string> = {
      'x-client-id': operator,
      'x-forwarded-user': operator,
      'x-forwarded-client-cert': `By=${issuerUrl};URI=${orders}`,
      'ssl-client-verify': 'SUCCESS',
      'x-http-method-override': 'GET',
      'x-original-url': '/jwks',
      'tokenmesh-development': 'true',
    };
    const metadata = new Metadata();
    for (const [name, value] of Object.entries(claims)) metadata.set(name, value);
    const before = doors.record();
    expect(
      await askAll(
        (request) => ({ ...request, client_id: orders }),
        () => metadata,
      ),
    ).toEqual(expected);
    const form = { grant_type: 'client_credentials', client_id: orders, audience: orders, token, development: 'true', active: 'true' };
    for (const path of ['/token', '/introspect', '/revoke']) {
      expect(await doors.http('POST', path, form, claims)).toMatchObject({ status: 401 });
      expect(await doors.http('POST', path, { ...form, client_secret: secret }, claims)).toMatchObject({ status: 401 });
    }
    expect(doors.record()).toEqual(before);
  });
});

describe('T-37 a method that needs no token', () => {
  /** The status of any path; what is in the messages does not matter. */
  const ask = (path: string) =>
    new Promise<string>((resolve) => {
      const client = new Client(doors.address, doors.tls);
      const nothing = () => Buffer.alloc(0);
      client.makeUnaryRequest(path, nothing, nothing, {}, (error) => {
        client.close();
        resolve(status[error ? error.code : status.OK]);
      });
    });

  it('T-37 nothing but health is exempt, whatever it is called like', async () => {
    expect(await ask('/grpc.health.v1.Health/Check')).toBe('OK');
    const health = 'grpc.health.v1.Health';
    const served = Object.entries(requests()).flatMap(([path, { scope }]) => (scope === undefined ? [] : [path]));
    for (const path of served) expect([path, await ask(path)]).toEqual([path, 'UNAUTHENTICATED']);
    const alike = [`/${health}X/Check`, `/x.${health}/Check`, `/${health}/Check/`, `//${health}/Check`, `/${health}/check`];
    const disguised = served.flatMap((path) => [`${path}?/${health}/Check`, `${path}/${health}/Check`, `/${health}${path}`]);
    for (const path of [...alike, ...disguised]) expect([path, await ask(path)]).toEqual([path, 'UNIMPLEMENTED']);
  });
});

describe('over HTTP', () => {
  const paths = ['/token', '/introspect', '/revoke', '/jwks', '/.well-known/oauth-authorization-server', '/', '/admin', '/health'];
  const verbs = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];

  it('T-33 no path and no method does anything without a proof but show what anybody may read', async () => {
    const { body } = await doors.http('GET', '/.well-known/oauth-authorization-server');
    const named = Object.values(JSON.parse(body) as Record<string, unknown>).filter((value) => String(value).startsWith(`${issuerUrl}/`));
    expect(paths).toEqual(expect.arrayContaining(named.map((url) => new URL(String(url)).pathname)));
    const before = doors.record();
    const form = { grant_type: 'client_credentials', client_id: gateway, audience: orders, token };
    const answered: string[] = [];
    for (const path of paths) {
      for (const verb of verbs) {
        const { status: code } = await doors.http(verb, path, verb === 'GET' || verb === 'HEAD' ? undefined : form);
        if (![401, 404, 405].includes(code)) answered.push(`${verb} ${path}`);
      }
    }
    const shown = ['/jwks', '/.well-known/oauth-authorization-server'];
    expect(answered.sort()).toEqual(shown.flatMap((path) => [`GET ${path}`, `HEAD ${path}`]).sort());
    expect(doors.record()).toEqual(before);
  });

  it('T-31 no parameter is taken twice, and none from the address, at any endpoint', async () => {
    const before = doors.record();
    for (const path of ['/token', '/introspect', '/revoke']) {
      const whole = () => {
        const { client_id, client_assertion_type, client_assertion } = authenticate(gateway, Date.now);
        return { client_id, client_assertion_type, client_assertion, grant_type: 'client_credentials', audience: orders, token: 'none' };
      };
      for (const name of [...Object.keys(whole()), 'unheard']) {
        const form = new URLSearchParams(whole());
        form.append(name, form.get(name) ?? 'x');
        if (name === 'unheard') form.append(name, 'x');
        const answer = await doors.http('POST', path, form.toString());
        expect([path, name, answer.status, JSON.parse(answer.body).error]).toEqual([path, name, 400, 'invalid_request']);
      }
      const { client_assertion, ...others } = whole();
      expect(await doors.http('POST', `${path}?${new URLSearchParams({ client_assertion })}`, others)).toMatchObject({ status: 401 });
    }
    expect(doors.record()).toEqual(before);
  });
});

// last: it does what all the others are refused
describe('with a proof', () => {
  it('the same requests are answered, so that it was the proof that was missing', async () => {
    const scopes = { read: await doors.bearer(operator, 'admin.read'), revoke: await doors.bearer(operator, 'admin.revoke') };
    const feed = await doors.bearer(orders);
    const bearers: Record<string, Metadata> = {
      'admin.read': scopes.read.metadata,
      'admin.revoke': scopes.revoke.metadata,
      'revocation.read': feed.metadata,
    };
    const changing: string[] = [];
    for (const method of methods) {
      const { request, scope } = requests()[method.path] ?? { request: {} };
      if (scope === 'admin.keys') continue; // nobody in this mesh is granted it
      const before = doors.record();
      const isOwn = scope === undefined && !open.includes(method.path);
      const proof = isOwn ? authenticate(gateway, Date.now) : {};
      const outcome = await call(method, { ...request, ...proof }, bearers[scope ?? ''] ?? new Metadata());
      expect([method.path, outcome]).toEqual([method.path, answersTo[method.path] ?? 'OK']);
      if (JSON.stringify(doors.record()) !== JSON.stringify(before)) changing.push(method.path.split('/').at(-1) ?? '');
      if (method.path.endsWith('SuspendWorkload')) await unary(doors.admin, 'resumeWorkload', { client_id: gateway }, scopes.revoke);
    }
    expect(changing.sort()).toEqual(
      ['AddRevocation', 'ExchangeToken', 'ExchangeTokens', 'IntrospectToken', 'ResumeWorkload', 'RevokeToken', 'SuspendWorkload'].sort(),
    );
  });
});

function forged(clientId: string, key: ReturnType<typeof generateSigningKey>) {
  const client_assertion = signClientAssertion({ clientId, audience: issuerUrl, key, now: Date.now, newId });
  return { client_id: clientId, client_assertion_type: jwtBearerAssertion, client_assertion };
}
