import { Metadata } from '@grpc/grpc-js';
import { TokenError } from '@tokenmesh/token';
import { describe, expect, it } from 'vitest';
import { credentialKeys, hasCredential, readCredential, removeCredential } from './bearer.ts';

function withAuthorization(...values: string[]): Metadata {
  const metadata = new Metadata();
  for (const value of values) metadata.add('authorization', value);
  return metadata;
}

function withCompact(...values: string[]): Metadata {
  const metadata = new Metadata();
  for (const value of values) metadata.add('tokenmesh-token', value);
  return metadata;
}

function reasonOf(metadata: Metadata): string | undefined {
  try {
    readCredential(metadata);
    return undefined;
  } catch (error) {
    return error instanceof TokenError ? error.reason : String(error);
  }
}

describe('readCredential', () => {
  it('reads a bearer token whatever the case of its scheme', () => {
    expect(readCredential(withAuthorization('Bearer a.b-c_d~e+f/g=='))).toEqual({ scheme: 'Bearer', token: 'a.b-c_d~e+f/g==' });
    expect(readCredential(withAuthorization('bEaReR abc'))).toEqual({ scheme: 'Bearer', token: 'abc' });
  });

  it('reads a DPoP-bound token', () => {
    expect(readCredential(withAuthorization('DPoP abc'))).toEqual({ scheme: 'DPoP', token: 'abc' });
  });

  it('reads the proof that comes with a DPoP-bound token, and none with a bearer token', () => {
    const withProof = (authorization: string, ...proofs: string[]) => {
      const metadata = withAuthorization(authorization);
      for (const proof of proofs) metadata.add('dpop', proof);
      return metadata;
    };
    expect(readCredential(withProof('DPoP abc', 'proof'))).toEqual({ scheme: 'DPoP', token: 'abc', proof: 'proof' });
    expect(readCredential(withProof('Bearer abc', 'proof'))).toEqual({ scheme: 'Bearer', token: 'abc' });
  });

  it('T-40: refuses two proofs', () => {
    const metadata = withAuthorization('DPoP abc');
    metadata.add('dpop', 'proof');
    metadata.add('dpop', 'proof');
    expect(reasonOf(metadata)).toBe('PROOF_INVALID');
  });

  it('T-44: takes 8 192 bytes of token and proof together, and no more', () => {
    const withSize = (bytes: number) => {
      const metadata = withAuthorization(`DPoP ${'a'.repeat(4000)}`);
      metadata.set('dpop', 'p'.repeat(bytes - 4005));
      return metadata;
    };
    expect(readCredential(withSize(8192))?.proof).toHaveLength(4187);
    expect(reasonOf(withSize(8193))).toBe('CREDENTIAL_AMBIGUOUS');
  });

  it('finds nothing on a call without credential', () => {
    expect(readCredential(new Metadata())).toBeUndefined();
  });

  it('T-40: takes a value that it read before for itself alone, and not twice on one call', () => {
    const value = 'Bearer aaaa.bbbb.cccc';
    const read = readCredential(withAuthorization(value));
    expect(readCredential(withCompact(value))).toEqual(read);
    expect(readCredential(withAuthorization('Bearer aaaa.bbbb.cccd'))).toEqual({ scheme: 'Bearer', token: 'aaaa.bbbb.cccd' });
    readCredential(withAuthorization(value));
    for (const other of ['Bearer aaaa.bbbb.ccc!', 'Bearer aaaa.bbbb,cccc', `${value} `]) {
      expect(reasonOf(withAuthorization(other))).toBe('CREDENTIAL_AMBIGUOUS');
    }
    expect(reasonOf(withAuthorization(value, value))).toBe('CREDENTIAL_AMBIGUOUS');
    expect(readCredential(new Metadata())).toBeUndefined();
  });

  it('refuses two authorization values', () => {
    expect(reasonOf(withAuthorization('Bearer abc', 'Bearer abc'))).toBe('CREDENTIAL_AMBIGUOUS');
  });

  it('reads the same under the compact key', () => {
    expect(readCredential(withCompact('Bearer abc'))).toEqual({ scheme: 'Bearer', token: 'abc' });
    const proved = withCompact('DPoP abc');
    proved.set('dpop', 'proof');
    expect(readCredential(proved)).toEqual({ scheme: 'DPoP', token: 'abc', proof: 'proof' });
  });

  it('T-40: refuses a value under each key, also where one is empty, and two under the compact one', () => {
    for (const [usual, compact] of [
      ['Bearer abc', 'Bearer abc'],
      ['', 'Bearer abc'],
      ['Bearer abc', ''],
    ] as const) {
      const both = withAuthorization(usual);
      both.set('tokenmesh-token', compact);
      expect(reasonOf(both)).toBe('CREDENTIAL_AMBIGUOUS');
    }
    expect(reasonOf(withCompact('Bearer abc', 'Bearer abc'))).toBe('CREDENTIAL_AMBIGUOUS');
  });

  it.each([
    'Bearer abc,Bearer def',
    'Bearer abc, Bearer def',
    'Bearer abc def',
    'Bearer  abc',
    'Bearer abc ',
    'Bearer',
    'Bearer ',
    'Basic YTpi',
    'abc',
    '',
    'Bearer a=b',
  ])('T-40: refuses %j, which is not the whole b64token grammar', (value) => {
    expect(reasonOf(withAuthorization(value))).toBe('CREDENTIAL_AMBIGUOUS');
    expect(reasonOf(withCompact(value))).toBe('CREDENTIAL_AMBIGUOUS');
  });

  it('T-44: takes a value of 8 192 bytes and refuses one of 8 193', () => {
    expect(readCredential(withAuthorization(`Bearer ${'a'.repeat(8192 - 7)}`))?.token).toHaveLength(8185);
    expect(reasonOf(withAuthorization(`Bearer ${'a'.repeat(8193 - 7)}`))).toBe('CREDENTIAL_AMBIGUOUS');
  });
});

describe.each(credentialKeys)('what stands under %s', (key) => {
  it('is a credential, good or bad, until it is removed', () => {
    for (const value of ['Bearer abc', '']) {
      const metadata = new Metadata();
      metadata.set('x-other', 'kept');
      expect(hasCredential(metadata)).toBe(false);
      metadata.set(key, value);
      expect(hasCredential(metadata)).toBe(true);
      removeCredential(metadata);
      expect(metadata.getMap()).toEqual({ 'x-other': 'kept' });
    }
  });
});
