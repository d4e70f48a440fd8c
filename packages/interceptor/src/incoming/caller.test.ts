import { Metadata } from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
import { callerOf, can, createCaller, findCaller, keepCaller, markStale, subjectTokenOf } from './caller.ts';

const caller = createCaller(
  {
    kid: 'k1',
    scope: ['orders.read', 'orders.write'],
    claims: {
      ...{
        iss: 'i',
        sub: 'alice',
        aud: 'a',
        exp: 100,
        iat: 1,
        jti: 'j1',
        client_id: 'gateway',
        scope: 'orders.read orders.write',
        txn: 't1',
      },
      ...{ rn: 0, act: { sub: 'gateway', act: { sub: 'web' } } },
    },
  },
  'the token itself',
);

describe('can', () => {
  it.each([
    ['orders.read', true],
    ['orders.read orders.write', true],
    ['orders.write orders.read', true],
    ['orders.delete', false],
    ['orders.read orders.delete', false],
    ['orders', false],
    ['ORDERS.READ', false],
  ])('%j: %s', (scope, expected) => {
    expect(can(caller, scope)).toBe(expected);
  });

  it.each(['', ' ', 'a  b', ' a', 'a ', 'a\tb', 'ä'])('refuses to check %j, which nobody could lack or have', (scope) => {
    expect(() => can(caller, scope)).toThrow(TypeError);
  });
});

describe('callerOf', () => {
  it('gives the caller of the call that is handled, with its chain, and no other', () => {
    const [metadata, other] = [new Metadata(), new Metadata()];
    keepCaller(metadata, caller);
    expect(callerOf({ metadata })).toMatchObject({ sub: 'alice', clientId: 'gateway', act: ['gateway', 'web'], txn: 't1', stale: false });
    expect(findCaller({ metadata: other })).toBeUndefined();
    expect(() => callerOf({ metadata: other })).toThrow('no verified caller');
  });

  it('takes nobody for the caller who was not verified, whoever put him there', () => {
    const metadata = new Metadata();
    for (const made of [{ ...caller }, Object.create(caller), 'alice', null]) {
      metadata.setOpaque('tokenmesh.caller', made);
      expect(findCaller({ metadata })).toBeUndefined();
    }
  });

  it('does not go along with metadata that are copied or sent', () => {
    const metadata = new Metadata();
    keepCaller(metadata, caller);
    expect(findCaller({ metadata: metadata.clone() })).toBeUndefined();
    expect(JSON.stringify([metadata, metadata.getMap(), metadata.toHttp2Headers()])).not.toContain('alice');
  });

  it('gives what cannot be changed', () => {
    expect(() => Object.assign(caller, { sub: 'mallory' })).toThrow(TypeError);
    expect(markStale(caller)).toMatchObject({ stale: true, sub: 'alice' });
    expect(subjectTokenOf(markStale(caller)).jti).toBe('j1');
  });

  it('keeps the token out of everything that could be printed', () => {
    expect(JSON.stringify(caller) + String(Object.values(caller))).not.toContain('the token itself');
  });
});
