import { Client, credentials, Metadata, type MethodDefinition, Server, ServerCredentials, type ServiceError } from '@grpc/grpc-js';
import { shopPackage } from '@tokenmesh/proto/shop';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { refusalOf } from '../status.ts';
import { createTestIssuer, orders, type TestIssuer } from '../test-issuer.ts';
import { serverInterceptors } from './server-interceptor.ts';

const same = (bytes: Buffer) => bytes;

/** `grpc.reflection` as servers register it; what is in its messages is not the point. */
function reflection(version: string): { readonly ServerReflectionInfo: MethodDefinition<Buffer, Buffer> } {
  const functions = { requestSerialize: same, requestDeserialize: same, responseSerialize: same, responseDeserialize: same };
  const path = `/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`;
  return { ServerReflectionInfo: { path, requestStream: true, responseStream: true, ...functions } };
}

let issuer: TestIssuer;
let closers: (() => void)[];
beforeEach(() => {
  issuer = createTestIssuer();
  closers = [];
});
afterEach(() => {
  for (const close of closers.reverse()) close();
});

/** What a caller learns of a server's services, or why he learns nothing. */
async function reflect(
  version: string,
  options: { readonly allowReflection?: boolean; readonly token?: string },
): Promise<string | undefined> {
  const { allowReflection, token } = options;
  const { keys, revocation, now } = issuer;
  const guard = serverInterceptors({
    ...{ packages: [shopPackage], audience: orders, issuer: issuer.issuer, keys, revocation, now },
    ...(allowReflection !== undefined && { allowReflection }),
  });
  const server = new Server({ interceptors: guard.interceptors });
  const definition = reflection(version);
  server.addService(definition, {
    ServerReflectionInfo(call: { write(message: Buffer): void; end(): void }) {
      call.write(Buffer.from('shop.v1.Orders'));
      call.end();
    },
  });
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) => (error ? reject(error) : resolve(bound)));
  });
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
  closers.push(
    guard.close,
    () => server.forceShutdown(),
    () => client.close(),
  );
  const metadata = new Metadata();
  if (token !== undefined) metadata.set('authorization', `Bearer ${token}`);
  const { path } = definition.ServerReflectionInfo;
  return await new Promise((resolve) => {
    const call = client.makeBidiStreamRequest(path, same, same, metadata);
    call.on('data', (bytes: Buffer) => resolve(bytes.toString()));
    call.on('error', (error: ServiceError) => resolve(refusalOf(error)?.reason));
    call.end();
  });
}

it.each(['v1', 'v1alpha'])('reflection %s is refused unless it is allowed, and then needs no credential', async (version) => {
  expect(await reflect(version, {})).toBe('CALLER_NOT_ALLOWED');
  expect(await reflect(version, { token: issuer.token() })).toBe('CALLER_NOT_ALLOWED');
  expect(await reflect(version, { allowReflection: false })).toBe('CALLER_NOT_ALLOWED');
  expect(await reflect(version, { allowReflection: true })).toBe('shop.v1.Orders');
  expect(await reflect(version, { allowReflection: true, token: 'bad' })).toBe('TOKEN_MALFORMED');
});

it('nothing else is opened by it', async () => {
  expect(await reflect('v2', { allowReflection: true })).toBe('CALLER_NOT_ALLOWED');
});
