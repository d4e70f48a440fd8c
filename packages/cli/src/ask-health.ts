import { type Client, makeGenericClientConstructor, type ServiceError } from '@grpc/grpc-js';
import { service } from 'grpc-health-check';

/** A client of `grpc.health.v1.Health`, to be closed. */
export const HealthClient = makeGenericClientConstructor(service, 'Health');

/**
 * What a server says of itself as a whole, such as `SERVING`.
 *
 * @param client A `HealthClient`.
 * @throws {ServiceError} It did not answer within `limitMs` milliseconds.
 */
export function askHealth(client: Client, limitMs: number): Promise<string> {
  const method = service.Check;
  if (method === undefined) throw new TypeError('grpc-health-check has no Check');
  return new Promise((resolve, reject) => {
    const answered = (error: ServiceError | null, answer?: { readonly status?: unknown }) =>
      error ? reject(error) : resolve(String(answer?.status));
    const { path, requestSerialize, responseDeserialize } = method;
    client.makeUnaryRequest(path, requestSerialize, responseDeserialize, { service: '' }, { deadline: Date.now() + limitMs }, answered);
  });
}
