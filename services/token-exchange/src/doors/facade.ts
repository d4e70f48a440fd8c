import { createHash } from 'node:crypto';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { getRequestListener, type HttpBindings } from '@hono/node-server';
import { trace } from '@opentelemetry/api';
import { oauthError, refusalStatus, spanAttributes } from '@tokenmesh/interceptor';
import type { GetMetadataResponse, IntrospectTokenResponse } from '@tokenmesh/proto';
import { type DpopNonces, type Reason, TokenError } from '@tokenmesh/token';
import { type Context, Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { type ClientEvidence, readClientCertificate } from '../clients/client-evidence.ts';
import type { EventLog } from '../event-log.ts';
import type { TokenOperations } from '../grants/operations.ts';
import { traceRequests } from './http-span.ts';
import type { ServerTls } from './server-credentials.ts';

export interface FacadeOptions {
  readonly operations: TokenOperations;
  readonly log: EventLog;
  readonly listen: { readonly host: string; readonly port: number };
  /** PEM. There is no plaintext: OAuth parameters are credentials (RFC 6749 section 3.2). */
  readonly tls: ServerTls;
  /** Where clients reach it, without a trailing slash; what the metadata's endpoints begin with. */
  readonly url: string;
  /** The nonces that `operations` asks of DPoP proofs; absent: none. */
  readonly dpopNonces?: DpopNonces | undefined;
}

/** What the Node server hands to handlers. */
interface NodeEnv {
  readonly Bindings: HttpBindings;
}

/** An HTTP server that answers. */
export interface Facade {
  readonly port: number;
  /** Takes no new connections, finishes the requests under way, and stops. */
  close(): Promise<void>;
}

const posted = ['/token', '/introspect', '/revoke'] as const;
const got = ['/jwks', '/.well-known/oauth-authorization-server'] as const;
/** Parameters are some tokens of 4 KiB each. */
const maxBodyBytes = 64 * 1024;
const maxHeaderBytes = 16 * 1024;
const requestTimeoutMs = 10_000;
const drainTimeoutMs = 5_000;

/**
 * OAuth 2.0 over HTTPS in front of the same operations as gRPC, for clients and proxies that know OAuth and not this mesh: `POST /token`,
 * `/introspect` (RFC 7662), `/revoke` (RFC 7009), `GET /jwks` (RFC 7517), `GET /.well-known/oauth-authorization-server` (RFC 8414).
 *
 * Nothing but the form of requests and answers is decided here.
 */
export async function startFacade(options: FacadeOptions): Promise<Facade> {
  const { tls, listen } = options;
  const server = createServer(
    {
      ...{ cert: tls.cert, key: tls.key, ca: tls.clientCa, requestCert: tls.clientCa !== undefined },
      // a certificate that does not chain counts as none where none is required
      rejectUnauthorized: tls.clientCertificate !== 'optional',
      ...{ maxHeaderSize: maxHeaderBytes, requestTimeout: requestTimeoutMs, headersTimeout: requestTimeoutMs },
    },
    getRequestListener(createApp(options).fetch),
  );
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(listen.port, listen.host.replace(/^\[|\]$/g, ''), resolve); // Node wants an IPv6 address bare
  });
  return {
    port: (server.address() as AddressInfo).port, // it listens on an address, not on a pipe
    close: () =>
      new Promise((resolve) => {
        const limit = setTimeout(() => server.closeAllConnections(), drainTimeoutMs);
        server.close(() => {
          clearTimeout(limit);
          resolve();
        });
        server.closeIdleConnections();
      }),
  };
}

function createApp({ operations, log, url, dpopNonces }: FacadeOptions): Hono<NodeEnv> {
  const app = new Hono<NodeEnv>();
  app.use(traceRequests(url, [...posted, ...got]));
  app.use(bodyLimit({ maxSize: maxBodyBytes, onError: (c) => oauthFailure(c, 413, 'invalid_request', 'the request is too large') }));
  app.onError((error, c) => answerError(c, error, log));
  app.notFound((c) => oauthFailure(c, 404, 'invalid_request', 'there is no such endpoint'));

  // RFC 9449 section 8.2: with every answer, so that the next proof holds the nonce without a refusal before
  app.use(async (c, next) => {
    await next();
    if (dpopNonces && c.req.header('dpop') !== undefined) c.header('dpop-nonce', dpopNonces.current());
  });

  app.post('/token', async (c) => {
    const response = await operations.exchange({ ...emptyExchange, ...(await readParameters(c, exchangeParameters)) }, evidenceOf(c, url));
    return c.json(presentMembers({ ...response, compact_metadata: undefined }), 200, noStore); // which is of gRPC
  });
  app.post('/introspect', async (c) => {
    const response = await operations.introspect(
      { ...emptyTokenRequest, ...(await readParameters(c, tokenParameters)) },
      evidenceOf(c, url),
    );
    return c.json(response.active ? toIntrospection(response) : { active: false }, 200, noStore);
  });
  app.post('/revoke', async (c) => {
    const parameters = await readParameters(c, tokenParameters);
    await operations.revoke({ ...emptyTokenRequest, cascade: false, request_id: '', ...parameters }, evidenceOf(c, url));
    return c.body(null, 200, noStore);
  });
  app.get('/jwks', (c) => {
    const { keys, max_age } = operations.jwks();
    const body = JSON.stringify({ keys: (keys ?? []).map(presentMembers) });
    const etag = `"${createHash('sha256').update(body).digest('base64url')}"`;
    const headers = { etag, 'cache-control': `public, max-age=${max_age}` };
    if (c.req.header('if-none-match') === etag) return c.body(null, 304, headers);
    return c.body(body, 200, { ...headers, 'content-type': 'application/jwk-set+json' });
  });
  app.get('/.well-known/oauth-authorization-server', (c) =>
    c.json(describe(operations.metadata(), url), 200, { 'cache-control': 'public, max-age=300' }),
  );
  for (const path of posted) app.all(path, (c) => methodNotAllowed(c, 'POST'));
  for (const path of got) app.all(path, (c) => methodNotAllowed(c, 'GET, HEAD'));
  return app;
}

const clientParameters = ['client_id', 'client_assertion_type', 'client_assertion', 'client_secret'] as const;
const tokenParameters = [...clientParameters, 'token', 'token_type_hint'] as const;
const exchangeParameters = [
  ...clientParameters,
  'grant_type',
  'audience',
  'resource',
  'scope',
  'requested_token_type',
  'subject_token',
  'subject_token_type',
  'actor_token',
  'actor_token_type',
  'refresh_token',
] as const;

const empty = <Name extends string>(names: readonly Name[]) => Object.fromEntries(names.map((name) => [name, ''])) as Record<Name, string>; // every name is there
const emptyExchange = { ...empty(exchangeParameters), subject_token_binding: null, actor_token_binding: null };
const emptyTokenRequest = empty(tokenParameters);

const noStore = { 'cache-control': 'no-store', pragma: 'no-cache' };

/**
 * The parameters of a form request, and the client's credentials from an `Authorization: Basic` header. Unknown parameters are ignored, empty
 * ones count as absent, and none may be given twice (RFC 6749 sections 3.1 and 3.2).
 */
async function readParameters<Name extends string>(c: Context<NodeEnv>, names: readonly Name[]): Promise<Partial<Record<Name, string>>> {
  const [mediaType] = (c.req.header('content-type') ?? '').split(';');
  if (mediaType?.trim().toLowerCase() !== 'application/x-www-form-urlencoded') {
    throw new TokenError('REQUEST_INVALID', 'the content type must be application/x-www-form-urlencoded');
  }
  const form = new URLSearchParams(await c.req.text());
  const parameters: Record<string, string> = {};
  const known: ReadonlySet<string> = new Set(names);
  const seen = new Set<string>();
  for (const [name, value] of form) {
    if (seen.has(name)) throw new TokenError('REQUEST_INVALID', 'a parameter is given twice');
    seen.add(name);
    if (known.has(name)) parameters[name] = value;
  }
  return { ...parameters, ...readBasic(c, parameters) } as Partial<Record<Name, string>>; // only known names were kept
}

/** What the client proves beside its parameters: the certificate that node:tls found good, and a DPoP proof for this endpoint. */
function evidenceOf(c: Context<NodeEnv>, url: string): ClientEvidence {
  const socket = c.env.incoming.socket as TLSSocket; // of an HTTPS server
  const raw = socket.authorized ? socket.getPeerCertificate().raw : undefined;
  const proof = c.req.header('dpop');
  return {
    ...(raw && { certificate: readClientCertificate(raw) }),
    ...(proof !== undefined && { dpop: { proof, htu: `${url}${c.req.path}` } }),
  };
}

/** RFC 6749 section 2.3.1: both halves are form-encoded before they are joined. */
function readBasic(c: Context<NodeEnv>, parameters: Readonly<Record<string, string>>): { client_id?: string; client_secret?: string } {
  const header = c.req.header('authorization');
  if (header === undefined) return {};
  if (parameters.client_assertion || parameters.client_secret)
    throw new TokenError('REQUEST_INVALID', 'two methods of client authentication at once');
  const encoded = /^Basic +([A-Za-z0-9+/]+={0,2})$/i.exec(header)?.[1];
  const text = Buffer.from(encoded ?? '', 'base64').toString();
  const separator = text.indexOf(':');
  if (encoded === undefined || separator < 0)
    throw new TokenError('CLIENT_AUTHENTICATION_FAILED', 'the Authorization header is not Basic with a name and a secret');
  try {
    const decode = (part: string) => decodeURIComponent(part.replaceAll('+', ' '));
    const client_id = decode(text.slice(0, separator));
    if (parameters.client_id && parameters.client_id !== client_id) throw new TokenError('REQUEST_INVALID', 'two client ids');
    return { client_id, client_secret: decode(text.slice(separator + 1)) };
  } catch (error) {
    if (error instanceof TokenError) throw error;
    throw new TokenError('CLIENT_AUTHENTICATION_FAILED', 'the Basic credentials are not form-encoded');
  }
}

/** RFC 6749 section 5.2. What is no error of OAuth leaves as `server_error` without its text. */
function answerError(c: Context<NodeEnv>, error: unknown, log: EventLog): Response {
  const method = `${c.req.method} ${c.req.path}`;
  if (!(error instanceof TokenError)) {
    log.error({ event: 'call.failed', method, err: error });
    return oauthFailure(c, 500, 'server_error', 'internal error');
  }
  const { reason } = error;
  log.warn({ event: 'call.refused', method, reason, detail: error.message });
  trace.getActiveSpan()?.setAttribute(spanAttributes.reason, reason); // also where no operation was asked for
  const { details } = refusalStatus(reason);
  if (reason === 'CLIENT_AUTHENTICATION_FAILED') {
    if (c.req.header('authorization') !== undefined) c.header('www-authenticate', 'Basic');
    return oauthFailure(c, 401, 'invalid_client', details);
  }
  const isLater = reason === 'EXCHANGE_OVERLOADED' || reason === 'KEYS_UNAVAILABLE' || reason === 'REVOCATION_STALE';
  if (isLater) c.header('retry-after', String(Math.ceil((error.retryAfterMs ?? 1000) / 1000)));
  return oauthFailure(c, isLater ? 503 : 400, tokenEndpointError(reason), details);
}

/** The token endpoint has no `insufficient_scope`: a client that may not act for others may not use this grant, and a long chain is a bad request. */
function tokenEndpointError(reason: Reason): string {
  switch (reason) {
    case 'DELEGATION_NOT_ALLOWED':
      return 'unauthorized_client';
    case 'DELEGATION_TOO_DEEP':
      return 'invalid_request';
    default:
      return oauthError(reason) ?? 'temporarily_unavailable';
  }
}

function oauthFailure(
  c: Context<NodeEnv>,
  status: 400 | 401 | 404 | 405 | 413 | 500 | 503,
  error: string,
  error_description: string,
): Response {
  return c.json({ error, error_description }, status, noStore);
}

function methodNotAllowed(c: Context<NodeEnv>, allowed: string): Response {
  c.header('allow', allowed);
  return oauthFailure(c, 405, 'invalid_request', `only ${allowed} is answered here`);
}

/** protobuf has no absent text or list: what is empty was not there. */
function presentMembers(message: object): object {
  return Object.fromEntries(
    Object.entries(message).filter(
      ([, value]) => value !== '' && value !== null && value !== undefined && !(Array.isArray(value) && value.length === 0),
    ),
  );
}

/** RFC 7662 section 2.2, with `act` nested as in RFC 8693 section 4.1 and `cnf` as in RFC 7800. */
function toIntrospection({ act, cnf, ...flat }: IntrospectTokenResponse): object {
  const nested = (act ?? []).reduceRight<object | undefined>((inner, sub) => ({ sub, ...(inner && { act: inner }) }), undefined);
  const confirmation = cnf && presentMembers({ 'x5t#S256': cnf.x5t_s256, jkt: cnf.jkt });
  return { ...presentMembers(flat), ...(nested && { act: nested }), ...(confirmation && { cnf: confirmation }) };
}

function describe(metadata: GetMetadataResponse, url: string): object {
  const methods = metadata.token_endpoint_auth_methods_supported;
  const algorithms = metadata.token_endpoint_auth_signing_alg_values_supported;
  return {
    ...presentMembers({ ...metadata, audience: '' }),
    token_endpoint: `${url}/token`,
    introspection_endpoint: `${url}/introspect`,
    introspection_endpoint_auth_methods_supported: methods,
    introspection_endpoint_auth_signing_alg_values_supported: algorithms,
    revocation_endpoint: `${url}/revoke`,
    revocation_endpoint_auth_methods_supported: methods,
    revocation_endpoint_auth_signing_alg_values_supported: algorithms,
    jwks_uri: `${url}/jwks`,
    response_types_supported: [], // RFC 8414 section 2 wants it; there is no authorization endpoint
  };
}
