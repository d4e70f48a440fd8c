import { CallCredentials, type Metadata, status } from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
import { type Bearer, bearerCredentials, bearerMetadata } from './bearer-credentials.ts';

const held = { compact: 'abc', tokenType: 'Bearer', expMs: 9e15 };
const attempt = { method_name: 'Create', service_url: 'https://orders/shop.v1.Orders' };
const bearer: Bearer = { authenticate: async () => bearerMetadata(held) };

function of(key: string, value: string): CallCredentials {
  return CallCredentials.createFromMetadataGenerator((_, callback) => {
    const metadata = bearerMetadata({ ...held, compact: value }).clone();
    metadata.remove('authorization');
    metadata.set(key, value);
    callback(null, metadata);
  });
}

const mapOf = (metadata: Metadata) => metadata.getMap();

describe('bearerCredentials', () => {
  it('are themselves beside a channel that has none', () => {
    const credentials = bearerCredentials(bearer);
    expect(credentials.compose(CallCredentials.createEmpty())).toBe(credentials);
  });

  it('add to others, whichever come first', async () => {
    const others = of('x-own', 'own');
    for (const both of [bearerCredentials(bearer).compose(others), others.compose(bearerCredentials(bearer))]) {
      expect(mapOf(await both.generateMetadata(attempt))).toEqual({ authorization: 'Bearer abc', 'x-own': 'own' });
    }
  });

  it('give two values beside others of their kind, which grpc-js refuses to send', async () => {
    const both = bearerCredentials(bearer).compose(bearerCredentials(bearer));
    expect((await both.generateMetadata(attempt)).get('authorization')).toEqual(['Bearer abc', 'Bearer abc']);
  });

  it('end with the status of the bearer, alone and beside others', async () => {
    const failing = bearerCredentials({ authenticate: () => Promise.reject(Object.assign(new Error('x'), { code: status.UNAVAILABLE })) });
    for (const credentials of [failing, failing.compose(of('x-own', 'own'))]) {
      await expect(credentials.generateMetadata(attempt)).rejects.toMatchObject({ code: status.UNAVAILABLE });
    }
  });

  it('ask the bearer for every attempt', async () => {
    let asked = 0;
    const credentials = bearerCredentials({ authenticate: async () => bearerMetadata({ ...held, compact: String(++asked) }) });
    for (const count of [1, 2]) {
      expect(mapOf(await credentials.generateMetadata(attempt))).toEqual({ authorization: `Bearer ${count}` });
    }
  });
});

describe('bearerMetadata', () => {
  it('are made once for a held token, and anew for the next', () => {
    expect(bearerMetadata(held)).toBe(bearerMetadata(held));
    expect(mapOf(bearerMetadata({ ...held, compact: 'def' }))).toEqual({ authorization: 'Bearer def' });
  });
});
