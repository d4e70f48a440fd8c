import { execFile } from 'node:child_process';
import { createHash, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { Agent, request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type ChannelCredentials, credentials } from '@grpc/grpc-js';
import { unary } from '@tokenmesh/interceptor';
import { type ExchangeTokensResponse, tokenmesh } from '@tokenmesh/proto';
import { createCertificateAuthority } from '@tokenmesh/shop/demo';
import {
  createLocalKeySet,
  createTimeOrderedIds,
  exportJwk,
  generateSigningKey,
  signClientAssertion,
  verifyServiceToken,
} from '@tokenmesh/token';
import { cpuMicros, drive, type SuiteOptions, type SuiteResult, summarize } from './measure.ts';
import { type ServerProcess, startServer } from './server-process.ts';

const fileOf = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));
const audience = 'spiffe://bench.test/orders';
/** What a service that calls five others asks for in one request when it starts. */
const audiences = ['orders', 'payments', 'stock', 'mail', 'ledger'].map((name) => `spiffe://bench.test/${name}`);
const client = 'spiffe://bench.test/gateway';
const issuer = 'https://token-exchange.bench.test';
const assertionType = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';
const inFlight = 32;
/** Requests to each server before it is measured, as many to one that is asked in two ways: of two servers the warmer one would look faster. */
const warmUpOf = (quick: boolean) => (quick ? 10_000 : 20_000);

/** One way to get tokens. */
interface Side {
  readonly name: string;
  readonly server: ServerProcess;
  readonly call: () => Promise<unknown>;
  /** Of one call; default 1. */
  readonly tokens?: number;
}

/** Cost of one exchange at the server, beside oidc-provider and beside the floor of bare gRPC with one verification and one signature. */
export async function exchangeSuite({ quick, report }: SuiteOptions): Promise<SuiteResult> {
  await using started = new AsyncDisposableStack();
  const directory = await mkdtemp(join(tmpdir(), 'tokenmesh-bench-'));
  started.defer(() => rm(directory, { recursive: true }));
  const { cert, key, ca, clientCertificate } = await certificates();
  const workload = generateSigningKey();
  const own = (server: ServerProcess) => {
    started.defer(() => server.stop());
    return server;
  };

  report('starting token-exchange, oidc-provider and the bare server');
  const material = { cert, key, ca, jwk: exportJwk(workload) };
  const exchange = own(await startTokenExchange(directory, 'by-key', material));
  const exchangeByCertificate = own(await startTokenExchange(directory, 'by-certificate', material));
  const peer = own(await startPeer(directory, { cert, key, jwk: exportJwk(workload) }));
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const bare = own(await startBare(directory, { cert, key, publicKey }));

  const trust = credentials.createSsl(Buffer.from(ca));
  const exchangeClient = new tokenmesh.TokenExchange(`localhost:${exchange.port}`, trust);
  const identity = credentials.createSsl(Buffer.from(ca), Buffer.from(clientCertificate.key), Buffer.from(clientCertificate.cert));
  const certificateClient = new tokenmesh.TokenExchange(`localhost:${exchangeByCertificate.port}`, identity);
  const bareClient = new tokenmesh.TokenExchange(`localhost:${bare.port}`, trust);
  const agent = new Agent({ keepAlive: true, maxSockets: inFlight, ca });
  started.defer(() => {
    exchangeClient.close();
    certificateClient.close();
    bareClient.close();
    agent.destroy();
  });

  // as privateKeyJwt makes them
  const newId = createTimeOrderedIds(Date.now);
  const assertion = (clientId: string, to: string) => signClientAssertion({ clientId, audience: to, key: workload, now: Date.now, newId });
  const byExchange = () =>
    unary(exchangeClient, 'exchangeToken', {
      grant_type: 'client_credentials',
      client_id: client,
      client_assertion_type: assertionType,
      client_assertion: assertion(client, issuer),
      audience,
    });
  const byExchangeOfSeveral = () =>
    unary(exchangeClient, 'exchangeTokens', {
      client_id: client,
      client_assertion_type: assertionType,
      client_assertion: assertion(client, issuer),
      requests: audiences.map((each) => ({ grant_type: 'client_credentials', audience: each })),
    });
  const post = (form: Record<string, string>, headers: Record<string, string> = {}) => postForm(agent, peer.port, form, headers);
  const byPeerKey = () =>
    post({
      grant_type: 'client_credentials',
      client_id: 'by-key',
      client_assertion_type: assertionType,
      client_assertion: assertion('by-key', 'https://localhost'),
    });
  const byCertificate = () => unary(certificateClient, 'exchangeToken', { grant_type: 'client_credentials', client_id: client, audience });
  const basic = { authorization: `Basic ${Buffer.from(`by-secret:${clientSecret(key)}`).toString('base64')}` };
  const byPeerSecret = () => post({ grant_type: 'client_credentials' }, basic);
  const byBare = () => {
    const data = crypto.randomUUID();
    const signature = sign('sha256', Buffer.from(data, 'latin1'), privateKey).toString('base64url');
    return unary(bareClient, 'exchangeToken', { client_assertion: `${data}.${signature}` });
  };

  const checks = [
    ...(await selfCheck({ byExchange, byExchangeOfSeveral, byPeerKey, exchangeClient, assertion: assertion(client, issuer) })),
    ...(await checkIdentities({ byCertificate, byPeerSecret, certificateClient, post, port: exchangeByCertificate.port, trust })),
  ];

  const sides: readonly Side[] = [
    { name: 'token-exchange, private_key_jwt', server: exchange, call: byExchange },
    { name: 'oidc-provider, private_key_jwt', server: peer, call: byPeerKey },
    { name: 'bare gRPC, one verify and one sign', server: bare, call: byBare },
    { name: 'token-exchange, tls_client_auth', server: exchangeByCertificate, call: byCertificate },
    { name: 'oidc-provider, client_secret_basic', server: peer, call: byPeerSecret },
    {
      name: 'token-exchange, private_key_jwt, five audiences in one request',
      server: exchange,
      call: byExchangeOfSeveral,
      tokens: audiences.length,
    },
  ];
  // tokens: of fewer it would show whether one collection of garbage more is among them
  const perSlice = quick ? 800 : 1_000;
  const rounds = quick ? 10 : 30;
  report('requests that are not measured');
  const ways = (server: ServerProcess) => sides.filter((side) => side.server === server).length;
  await Promise.all(sides.map(({ server, call }) => drive(warmUpOf(quick) / ways(server), inFlight, call)));
  const cost = sides.map(() => [] as number[]);
  for (let round = 0; round < rounds; round++) {
    report(`round ${round + 1} of ${rounds}`);
    // there and back, so that nobody always comes after the same other one
    for (const [index, { server, call, tokens = 1 }] of round % 2 === 0 ? sides.entries() : [...sides.entries()].toReversed()) {
      const before = cpuMicros(server.pid);
      await drive(perSlice / tokens, inFlight, call);
      cost[index]?.push((cpuMicros(server.pid) - before) / perSlice);
    }
  }
  const [ours = [], theirs = [], floor = [], oursByCertificate = [], theirsBySecret = [], oursOfSeveral = []] = cost;
  const pairwise = (a: readonly number[], b: readonly number[]) => a.map((value, index) => value / (b[index] ?? Number.NaN));
  return {
    suite: 'exchange',
    checks,
    figures: [
      summarize('P8 tokens per server-core-second / oidc-provider, private_key_jwt', '×', pairwise(theirs, ours), { atLeast: 2.4 }),
      summarize(
        'P9 tokens per server-core-second, mTLS identity / oidc-provider, client_secret_basic',
        '×',
        pairwise(theirsBySecret, oursByCertificate),
        { atLeast: 2.8 },
      ),
      summarize('P10 server CPU / (bare gRPC + verify + sign)', '×', pairwise(ours, floor), { atMost: 1.35 }),
      summarize(
        'tokens per server-core-second, five audiences in one request / oidc-provider, private_key_jwt',
        '×',
        pairwise(theirs, oursOfSeveral),
      ),
      ...sides.map(({ name }, index) => summarize(`server CPU per token: ${name}`, 'µs', cost[index] ?? [])),
    ],
  };
}

interface Material {
  readonly cert: string;
  readonly key: string;
  readonly ca: string;
  readonly jwk: object;
}

async function certificates() {
  const authority = await createCertificateAuthority('bench.test');
  const clientCertificate = await authority.issue(client);
  return { ...(await authority.issue('spiffe://bench.test/token-exchange')), ca: authority.cert, clientCertificate };
}

const clientSecret = (key: string) => createHash('sha256').update(key).digest('base64url');

/** Its limits are out of the way: what an exchange costs is measured, not how many one workload may make. */
async function startTokenExchange(parent: string, method: 'by-key' | 'by-certificate', material: Material): Promise<ServerProcess> {
  const { cert, key, ca, jwk } = material;
  const directory = join(parent, method);
  await mkdir(directory);
  await Promise.all([
    writeFile(join(directory, 'ca.crt'), ca),
    writeFile(join(directory, 'tls.crt'), cert),
    writeFile(join(directory, 'tls.key'), key, { mode: 0o600 }),
    writeFile(join(directory, 'encryption.key'), Buffer.alloc(32, 7).toString('base64'), { mode: 0o600 }),
  ]);
  const config = {
    trust_domain: 'bench.test',
    listen: '127.0.0.1:0',
    tls: { cert: 'tls.crt', key: 'tls.key', ...(method === 'by-certificate' && { client_ca: 'ca.crt' }) },
    store: { sqlite: 'record.db' },
    keys: { encryption_key_file: 'encryption.key' },
    limits: { per_workload: 100_000, burst: 1_000_000, queue: 100_000 },
    workloads: [{ id: client, ...(method === 'by-certificate' ? { tls_client_auth: true } : { jwks: { keys: [jwk] } }) }],
    audiences: audiences.map((id) => ({ id, scopes: ['orders.read'] })),
    grants: audiences.map((to) => ({ from: client, to, scopes: ['orders.read'] })),
  };
  const file = join(directory, 'tokenmesh.yaml');
  await writeFile(file, JSON.stringify(config)); // JSON is YAML
  return await startServer(fileOf('../../services/token-exchange/src/main.ts'), ['--config', file]);
}

/** Installs the peer when it is not there: it is no dependency of the workspace. */
async function startPeer(directory: string, { cert, key, jwk }: Omit<Material, 'ca'>): Promise<ServerProcess> {
  const folder = fileOf('peers/oidc-provider');
  if (!existsSync(join(folder, 'node_modules'))) await promisify(execFile)('npm', ['ci', '--no-audit', '--no-fund'], { cwd: folder });
  const file = join(directory, 'peer.json');
  const settings = { cert, key, audience, clientSecret: clientSecret(key), clientJwks: { keys: [jwk] } };
  await writeFile(file, JSON.stringify(settings), { mode: 0o600 });
  return await startServer(join(folder, 'server.js'), [file]);
}

async function startBare(directory: string, { cert, key, publicKey }: { cert: string; key: string; publicKey: KeyObject }) {
  const file = join(directory, 'bare.json');
  await writeFile(file, JSON.stringify({ cert, key, clientKey: publicKey.export({ format: 'pem', type: 'spki' }) }), { mode: 0o600 });
  return await startServer(fileOf('bare-exchange-server.ts'), [file]);
}

function postForm(agent: Agent, port: number, form: Record<string, string>, headers: Record<string, string>): Promise<string> {
  const body = new URLSearchParams(form).toString();
  return new Promise((resolve, reject) => {
    const sent = request(
      {
        agent,
        port,
        host: 'localhost',
        path: '/token',
        method: 'POST',
        headers: { 'content-type': 'application/x-www-form-urlencoded', 'content-length': Buffer.byteLength(body), ...headers },
      },
      (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (chunk: string) => {
          text += chunk;
        });
        response.on('end', () =>
          response.statusCode === 200 ? resolve(text) : reject(new Error(`the peer answered ${response.statusCode}: ${text}`)),
        );
      },
    );
    sent.on('error', reject);
    sent.end(body);
  });
}

/** Both issue signed tokens, and token-exchange refuses an assertion that was used before: its figures include remembering them. */
async function selfCheck(given: {
  readonly byExchange: () => Promise<{ readonly access_token: string }>;
  readonly byExchangeOfSeveral: () => Promise<ExchangeTokensResponse>;
  readonly byPeerKey: () => Promise<string>;
  readonly exchangeClient: InstanceType<typeof tokenmesh.TokenExchange>;
  readonly assertion: string;
}): Promise<readonly string[]> {
  const { keys } = await unary(given.exchangeClient, 'getJwks', {});
  const { access_token } = await given.byExchange();
  const ours = { issuer, keys: createLocalKeySet(keys), now: Date.now };
  await verifyServiceToken(access_token, { ...ours, audience });
  const { results } = await given.byExchangeOfSeveral();
  for (const [index, each] of audiences.entries()) {
    await verifyServiceToken(results?.[index]?.response?.access_token ?? '', { ...ours, audience: each });
  }
  expectSigned(await given.byPeerKey());
  const once = { grant_type: 'client_credentials', client_assertion_type: assertionType, client_assertion: given.assertion, audience };
  await unary(given.exchangeClient, 'exchangeToken', once);
  await expectRefused('token-exchange accepted an assertion twice', unary(given.exchangeClient, 'exchangeToken', once));
  return ["token-exchange's tokens verify", 'the peer issues JWTs signed by ES256', 'an assertion that was used before is refused'];
}

/** What takes the place of the assertion is looked at by both: tokens are issued to who has it, and to nobody who has not. */
async function checkIdentities(given: {
  readonly byCertificate: () => Promise<{ readonly access_token: string }>;
  readonly byPeerSecret: () => Promise<string>;
  readonly certificateClient: InstanceType<typeof tokenmesh.TokenExchange>;
  readonly post: (form: Record<string, string>, headers: Record<string, string>) => Promise<string>;
  /** Of the token-exchange that knows its client by a certificate. */
  readonly port: number;
  /** Mutual TLS's other half alone: no certificate is shown. */
  readonly trust: ChannelCredentials;
}): Promise<readonly string[]> {
  const { keys } = await unary(given.certificateClient, 'getJwks', {});
  const { access_token } = await given.byCertificate();
  await verifyServiceToken(access_token, { issuer, audience, keys: createLocalKeySet(keys), now: Date.now });
  const stranger = new tokenmesh.TokenExchange(`localhost:${given.port}`, given.trust);
  const asked = unary(stranger, 'exchangeToken', { grant_type: 'client_credentials', client_id: client, audience });
  await expectRefused('token-exchange accepted a client without its certificate', asked);
  stranger.close();
  expectSigned(await given.byPeerSecret());
  const wrong = { authorization: `Basic ${Buffer.from('by-secret:wrong').toString('base64')}` };
  await expectRefused('the peer accepted a wrong secret', given.post({ grant_type: 'client_credentials' }, wrong));
  return ['tokens by certificate verify, and without it there are none', 'the peer refuses a wrong secret'];
}

/** An answer of the peer holds a JWT with a signature like ours. */
function expectSigned(answer: string): void {
  // the cast holds: it is a token response (RFC 6749 section 5.1)
  const { access_token } = JSON.parse(answer) as { readonly access_token: string };
  const [header = '', , signature = ''] = access_token.split('.');
  const { alg }: { readonly alg?: unknown } = JSON.parse(Buffer.from(header, 'base64url').toString());
  if (alg !== 'ES256' || Buffer.from(signature, 'base64url').length !== 64) throw new Error('the peer did not sign a JWT by ES256');
}

async function expectRefused(otherwise: string, asked: Promise<unknown>): Promise<void> {
  const isAccepted = await asked.then(
    () => true,
    () => false,
  );
  if (isAccepted) throw new Error(otherwise);
}
