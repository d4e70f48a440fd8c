import { beforeEach, describe, expect, it, vi } from 'vitest';
import { createTestIssuer, orders, type TestIssuer } from '../test-issuer.ts';
import { createTokenSource, type HeldToken, type IssuedToken, type TokenSource } from './token-source.ts';

const [first, second] = ['A'.repeat(43), `${'A'.repeat(42)}E`];

let issuer: TestIssuer;
let source: TokenSource;
let certificate: string | undefined;
let asked: PromiseWithResolvers<IssuedToken>[];

/** Answers the exchange that is waiting. */
function answer(accessToken: string): void {
  asked.at(-1)?.resolve({ accessToken, tokenType: 'Bearer', expiresInSeconds: 300 });
}

async function obtain(token: string): Promise<HeldToken> {
  const waiting = source.get({ audience: orders });
  answer(token);
  return waiting;
}

const boundTo = (thumbprint: string) => issuer.token({ cnf: { 'x5t#S256': thumbprint } });

beforeEach(() => {
  issuer = createTestIssuer();
  asked = [];
  certificate = first;
  source = createTokenSource({
    exchange() {
      const answering = Promise.withResolvers<IssuedToken>();
      asked.push(answering);
      return answering.promise;
    },
    certificate: () => certificate,
    now: issuer.now,
  });
});

describe('a token source whose certificate is renewed', () => {
  it('obtains a token again that is bound to the one before', async () => {
    await obtain(boundTo(first));
    expect(source.get({ audience: orders })).not.toBeInstanceOf(Promise);
    certificate = second;
    const next = boundTo(second);
    expect((await obtain(next)).compact).toBe(next);
    expect(asked).toHaveLength(2);
    expect(source.get({ audience: orders })).toMatchObject({ compact: next });
  });

  it('keeps a token that is bound to no certificate', async () => {
    for (const token of [issuer.token(), issuer.token({ cnf: { jkt: first } })]) {
      const held = await obtain(token);
      certificate = second;
      expect(source.get({ audience: orders })).toBe(held);
      source.drop(held, undefined);
      issuer.nowMs += 2000;
    }
  });

  it('obtains a token again that cannot be read, for it may be bound', async () => {
    await obtain('tm_opaque');
    certificate = second;
    expect((await obtain('tm_another')).compact).toBe('tm_another');
  });

  it('asks again when the renewal overtakes the answer', async () => {
    const waiting = source.get({ audience: orders });
    certificate = second;
    answer(boundTo(first));
    await vi.waitUntil(() => asked.length === 2);
    const next = boundTo(second);
    answer(next);
    expect((await waiting).compact).toBe(next);
  });

  it('holds on to what it gets where token-exchange sees another certificate than its own, as behind a proxy', async () => {
    const held = await obtain(boundTo(second));
    expect(source.get({ audience: orders })).toBe(held);
    expect(asked).toHaveLength(1);
  });

  it('holds on to bound tokens where it has no certificate of its own', async () => {
    certificate = undefined;
    const held = await obtain(boundTo(first));
    expect(source.get({ audience: orders })).toBe(held);
  });
});
