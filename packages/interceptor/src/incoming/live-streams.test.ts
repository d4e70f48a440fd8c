import { status } from '@grpc/grpc-js';
import type { TargetKind } from '@tokenmesh/revocation';
import type { ServiceTokenClaims } from '@tokenmesh/token';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { refusalOf } from '../status.ts';
import { createTestIssuer, gateway, orders, type TestIssuer } from '../test-issuer.ts';
import { createTestShop, streamKinds, type TestShop, until } from '../test-shop.ts';

const claims: Partial<ServiceTokenClaims> = {
  scope: 'orders.read orders.write payments.watch',
  jti: 'token-1',
  sid: 'session-1',
  txn: 'chain-1',
  act: { sub: 'spiffe://shop.test/actor', act: { sub: 'spiffe://shop.test/earlier' } },
};
const somebodyElse: Partial<ServiceTokenClaims> = {
  ...claims,
  jti: 'token-2',
  sid: 'session-2',
  txn: 'chain-2',
  sub: 'spiffe://shop.test/other',
  client_id: 'spiffe://shop.test/other',
  act: { sub: 'spiffe://shop.test/unrelated' },
};

let issuer: TestIssuer;
let shop: TestShop;

beforeEach(async () => {
  issuer = createTestIssuer();
  shop = await createTestShop(issuer);
});

afterEach(() => shop.close());

/** Kinds of revocation, and whether one ends the streams of everybody on this server. */
const targets: readonly (readonly [TargetKind, string, boolean])[] = [
  ['token', 'token-1', false],
  ['subject', gateway, false],
  ['client', gateway, false],
  ['session', 'session-1', false],
  ['chain', 'chain-1', false],
  ['actor', 'spiffe://shop.test/actor', false],
  ['actor', 'spiffe://shop.test/earlier', false],
  ['grant', `${gateway} ${orders}`, false],
  ['audience', orders, true],
  ['key', 'test-key', true],
  ['all', '', true],
];

describe.each(streamKinds)('a live %s stream', (kind) => {
  it.each(targets)(
    'ends when a revocation of kind %s (%s) covers it, its handler sees it, and who is not covered goes on',
    async (target, value, isForAll) => {
      const stream = shop.open(kind, issuer.token(claims));
      const other = shop.open(kind, issuer.token(somebodyElse));
      await until(() => shop.entered.length === 2);
      issuer.revoke({ kind: target, value });
      const error = await stream.ended;
      expect(error?.code).toBe(status.UNAUTHENTICATED);
      expect(refusalOf(error)).toMatchObject({ reason: 'TOKEN_REVOKED', info: { admitted: 'true' } });
      expect(error?.metadata.get('www-authenticate')[0]).toMatch(/^Bearer error="invalid_token"/);
      await until(() => shop.cancelled.length >= (isForAll ? 2 : 1));
      if (isForAll) {
        expect(refusalOf(await other.ended)?.reason).toBe('TOKEN_REVOKED');
      } else {
        other.send(7);
        shop.push(7);
        await until(() => shop.received[kind].includes(7) || other.received.includes(7));
        expect(shop.cancelled).toEqual([kind]);
      }
    },
  );

  it.each(['its handler', 'its caller'])('that %s ended is looked at no more', async (who) => {
    let looks = 0;
    const { set } = issuer.revocation;
    const find = set.find.bind(set);
    set.find = (token) => {
      looks++;
      return find(token);
    };
    const stream = shop.open(kind, issuer.token(claims));
    await until(() => shop.entered.length === 1);
    if (who === 'its caller') {
      stream.cancel();
      await until(() => shop.cancelled.length === 1);
    } else {
      stream.finish();
      shop.endPush();
      await stream.ended;
    }
    looks = 0;
    issuer.revoke({ kind: 'all', value: '' });
    await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
    expect(looks).toBe(0);
  });

  it('that was opened after a watermark, with a token issued after it, is not touched by it', async () => {
    issuer.revoke({ kind: 'client', value: gateway });
    const stream = shop.open(kind, issuer.token(claims));
    await until(() => shop.entered.length === 1);
    issuer.revoke({ kind: 'client', value: 'spiffe://shop.test/other' });
    stream.send(7);
    shop.push(7);
    await until(() => shop.received[kind].includes(7) || stream.received.includes(7));
    expect(shop.cancelled).toEqual([]);
  });
});
