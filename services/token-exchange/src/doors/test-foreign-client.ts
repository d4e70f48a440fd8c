// For tests: an OAuth client that shares no code with this mesh. It knows the public .proto files, the RFCs, grpc-js, proto-loader and jose.
import { randomUUID } from 'node:crypto';
import { request as httpsRequest } from 'node:https';
import { fileURLToPath } from 'node:url';
import { Client, credentials, Metadata, type MethodDefinition, type ServiceDefinition, type ServiceError, status } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose';

/** What a client asks: the endpoints of RFC 6749, 7662 and 7009, and the methods that are the same over gRPC. */
export type Operation = 'token' | 'introspect' | 'revoke';

export interface Answer {
  /** Members that the answer has; of a refusal none. */
  readonly body: Readonly<Record<string, unknown>>;
  /** OAuth's error code, over gRPC the name of the status where no challenge tells the code; absent when it was done. */
  readonly error?: string;
  /** RFC 9449 section 8. */
  readonly nonce?: string;
}

/** A way to token-exchange. */
export interface Door {
  /** What a DPoP proof for this operation is for. */
  uriOf(operation: Operation): string;
  ask(operation: Operation, parameters: Readonly<Record<string, string>>, proof: string | undefined): Promise<Answer>;
  metadata(): Promise<Answer['body']>;
  keys(): Promise<{ readonly keys: JWK[] }>;
  close(): void;
}

const methods = { token: 'ExchangeToken', introspect: 'IntrospectToken', revoke: 'RevokeToken' } as const;

/** @param address Where it listens; `authority` is under which name it is known. */
export function openGrpcDoor({ address, authority, ca }: { address: string; authority: string; ca: Buffer }): Door {
  const definitions = loadSync('tokenmesh/v1/token_exchange.proto', {
    includeDirs: [fileURLToPath(new URL('../../../../proto', import.meta.url))],
    ...{ keepCase: true, longs: Number, enums: String },
  });
  const service = definitions['tokenmesh.v1.TokenExchange'] as ServiceDefinition; // so the .proto says
  const client = new Client(address, credentials.createSsl(ca));
  function call(name: string, message: object, metadata: Metadata): Promise<Answer> {
    const { path, requestSerialize, responseDeserialize } = service[name] as MethodDefinition<object, Answer['body']>; // of messages, which are objects
    return new Promise((resolve) => {
      let outcome: { error: ServiceError | null; body: Answer['body'] };
      client
        .makeUnaryRequest(path, requestSerialize, responseDeserialize, message, metadata, (error, body) => {
          outcome = { error, body: body ?? {} };
        })
        .on('status', ({ metadata: trailers }) => {
          const [nonce] = trailers.get('dpop-nonce').map(String);
          const { error, body } = outcome;
          const code = error && /error="(\w+)"/.exec(String(trailers.get('www-authenticate')))?.[1];
          resolve({ body, ...(error && { error: code ?? status[error.code] }), ...(nonce !== undefined && { nonce }) });
        });
    });
  }
  return {
    uriOf: (operation) => `https://${authority}${service[methods[operation]]?.path}`,
    ask(operation, parameters, proof) {
      const metadata = new Metadata();
      if (proof !== undefined) metadata.set('dpop', proof);
      return call(methods[operation], parameters, metadata);
    },
    metadata: async () => (await call('GetMetadata', {}, new Metadata())).body,
    keys: async () => ({ keys: (await call('GetJwks', {}, new Metadata())).body.keys as JWK[] }), // RFC 7517's members are the message's
    close: () => client.close(),
  };
}

/** @param issuer Whose metadata names the endpoints; whatever host they have, `port` of this machine answers. */
export function openHttpDoor({ issuer, port, ca }: { issuer: string; port: number; ca: Buffer }): Door {
  const headersOf = (proof: string | undefined) => ({
    'content-type': 'application/x-www-form-urlencoded',
    ...(proof !== undefined && { dpop: proof }),
  });
  function send(method: string, url: string, headers: Record<string, string>, form = ''): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const sent = httpsRequest({ host: 'localhost', port, path: new URL(url).pathname, method, headers, ca }, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('end', () => {
          const body = JSON.parse(String(Buffer.concat(chunks)) || '{}') as Record<string, unknown>; // OAuth answers with objects
          const nonce = response.headers['dpop-nonce'];
          resolve({
            body,
            ...(response.statusCode !== 200 && { error: String(body.error) }),
            ...(nonce !== undefined && { nonce: String(nonce) }),
          });
        });
      });
      sent.on('error', reject);
      sent.end(form);
    });
  }
  const paths = { token: '/token', introspect: '/introspect', revoke: '/revoke' } as const;
  const uriOf = (operation: Operation) => `${issuer}${paths[operation]}`;
  return {
    uriOf,
    ask: (operation, parameters, proof) => send('POST', uriOf(operation), headersOf(proof), String(new URLSearchParams(parameters))),
    metadata: async () => (await send('GET', `${issuer}/.well-known/oauth-authorization-server`, {})).body,
    keys: async () => (await send('GET', `${issuer}/jwks`, {})).body as unknown as { keys: JWK[] }, // RFC 7517 section 5
    close: () => {},
  };
}

/** A key of one's own, as RFC 7517 publishes it. */
export async function generateKey(kid: string) {
  const { privateKey, publicKey } = await generateKeyPair('ES256');
  const publicJwk: JWK = await exportJWK(publicKey);
  return { kid, privateKey, publicJwk, registered: { ...publicJwk, kid, alg: 'ES256' } };
}

type Key = Awaited<ReturnType<typeof generateKey>>;

/** A client that authenticates by `private_key_jwt`; with `dpopKey` it asks for bound tokens, and comes again once with the nonce that is wanted. */
export function createForeignClient(options: { clientId: string; issuer: string; key: Key; dpopKey?: Key | undefined; door: Door }) {
  const { clientId, issuer, key, dpopKey, door } = options;
  const refusals: string[] = [];
  let nonce: string | undefined;

  const assert = () =>
    new SignJWT({ jti: randomUUID() })
      .setProtectedHeader({ alg: 'ES256', kid: key.kid, typ: 'client-authentication+jwt' })
      .setIssuer(clientId)
      .setSubject(clientId)
      .setAudience(issuer)
      .setIssuedAt()
      .setExpirationTime('30s')
      .sign(key.privateKey);

  const prove = ({ privateKey, publicJwk }: Key, htu: string) =>
    new SignJWT({ jti: randomUUID(), htm: 'POST', htu, ...(nonce !== undefined && { nonce }) })
      .setProtectedHeader({ alg: 'ES256', typ: 'dpop+jwt', jwk: publicJwk })
      .setIssuedAt()
      .sign(privateKey);

  async function attempt(operation: Operation, parameters: Readonly<Record<string, string>>): Promise<Answer> {
    const authentication = {
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      client_assertion: await assert(),
    };
    const answer = await door.ask(
      operation,
      { ...parameters, ...authentication },
      dpopKey && (await prove(dpopKey, door.uriOf(operation))),
    );
    if (answer.error !== undefined) refusals.push(answer.error);
    nonce = answer.nonce ?? nonce;
    return answer;
  }

  return {
    /** OAuth's error codes, in the order in which they came. */
    refusals,
    async ask(operation: Operation, parameters: Readonly<Record<string, string>>): Promise<Answer> {
      const answer = await attempt(operation, parameters);
      return answer.error === 'use_dpop_nonce' ? await attempt(operation, parameters) : answer;
    },
  };
}
