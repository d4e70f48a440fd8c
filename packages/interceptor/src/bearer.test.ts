import { Metadata } from '@grpc/grpc-js';
import { TokenError } from '@tokenmesh/token';
import { describe, expect, it } from 'vitest';
import { readCredential } from './bearer.ts';

function withAuthorization(...values: string[]): Metadata {
  const metadata = new Metadata();
  for (const value of values) metadata.add('authorization', value);
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

  it('finds nothing on a call without credential', () => {
    expect(readCredential(new Metadata())).toBeUndefined();
  });

  it('refuses two authorization values', () => {
    expect(reasonOf(withAuthorization('Bearer abc', 'Bearer abc'))).toBe('CREDENTIAL_AMBIGUOUS');
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
  });

  it('T-44: takes a value of 8 192 bytes and refuses one of 8 193', () => {
    expect(readCredential(withAuthorization(`Bearer ${'a'.repeat(8192 - 7)}`))?.token).toHaveLength(8185);
    expect(reasonOf(withAuthorization(`Bearer ${'a'.repeat(8193 - 7)}`))).toBe('CREDENTIAL_AMBIGUOUS');
  });
});
