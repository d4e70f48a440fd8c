import type { ServiceTokenClaims } from '@tokenmesh/token';
import { describe, expect, it } from 'vitest';
import { gateway, grants, operator, orders, own, payments } from '../testing.ts';
import { createPolicy, type Grant } from './policy.ts';

const policy = createPolicy({ grants, ownAudience: own, lifeSeconds: 300 });
const nobody = 'spiffe://shop.test/nobody';

/** Claims of a subject token with as many actors as the test wants. */
function subjectWith(actors: number, claims: Partial<ServiceTokenClaims> = {}): ServiceTokenClaims {
  let act: ServiceTokenClaims['act'];
  for (let depth = 0; depth < actors; depth++) act = { sub: gateway, ...(act && { act }) };
  const usual = { iss: 'i', sub: gateway, aud: orders, exp: 2, iat: 1, jti: 'j', client_id: gateway, scope: '', txn: 't', rn: 0 };
  return { ...usual, ...(act && { act }), ...claims };
}

describe('a decision in a workload’s own name', () => {
  // T-26: one table for the policy; every path to it calls the same function
  const table: readonly [string, string, string, string[], ReturnType<typeof policy.decide>][] = [
    ['all granted scopes when none is asked for', gateway, orders, [], allow(gateway, orders, ['orders.read', 'orders.write'])],
    ['the scope asked for', gateway, orders, ['orders.read'], allow(gateway, orders, ['orders.read'])],
    ['the granted part of what is asked for', gateway, orders, ['admin', 'orders.read'], allow(gateway, orders, ['orders.read'])],
    [
      'nothing when no scope of the request is granted',
      gateway,
      orders,
      ['admin'],
      refuse('SCOPE_REFUSED', `grant from ${gateway} to ${orders}`),
    ],
    ['nothing for a target without a grant', operator, orders, [], refuse('TARGET_REFUSED', `no grant from ${operator} to this target`)],
    [
      'nothing for a target that does not exist',
      operator,
      nobody,
      [],
      refuse('TARGET_REFUSED', `no grant from ${operator} to this target`),
    ],
    ['nothing to a workload without grants', nobody, orders, [], refuse('TARGET_REFUSED', `no grant from ${nobody} to this target`)],
    [
      'the feed to every workload',
      orders,
      own,
      [],
      { allowed: true, rule: 'revocation.read for every workload', scope: ['revocation.read'], maxLifeSeconds: 300 },
    ],
    ['no admin scope without a grant', orders, own, ['admin.read'], refuse('SCOPE_REFUSED', 'revocation.read for every workload')],
    ['admin scopes and the feed by a grant', operator, own, [], allow(operator, own, ['admin.read', 'admin.revoke', 'revocation.read'])],
  ];
  it.each(table)('T-26 gives %s', (_, actor, audience, scope, expected) => {
    expect(policy.decide({ audience, scope }, undefined, { id: actor })).toEqual(expected);
  });

  it('takes the shorter of the life of the grant and the configured one', () => {
    const short: Grant = { from: gateway, to: orders, scopes: ['a'], maxLifeSeconds: 60, delegation: false };
    const decide = (lifeSeconds: number) =>
      createPolicy({ grants: [short], ownAudience: own, lifeSeconds }).decide({ audience: orders, scope: [] }, undefined, { id: gateway });
    expect(decide(300)).toMatchObject({ maxLifeSeconds: 60 });
    expect(decide(30)).toMatchObject({ maxLifeSeconds: 30 });
  });
});

describe('a decision on behalf of a subject', () => {
  const decide = (actor: string, audience: string, subject = subjectWith(0), scope: string[] = []) =>
    policy.decide({ audience, scope }, subject, { id: actor });

  it('gives what the grant allows for delegated subjects, never what it allows the workload itself', () => {
    expect(decide(gateway, orders)).toMatchObject({ allowed: true, scope: ['orders.write'] });
    expect(decide(gateway, orders, subjectWith(0), ['orders.read'])).toEqual(refuse('SCOPE_REFUSED', `grant from ${gateway} to ${orders}`));
  });

  it('refuses when the grant does not allow delegation', () => {
    expect(decide(gateway, payments)).toEqual(refuse('DELEGATION_NOT_ALLOWED', `grant from ${gateway} to ${payments}`));
  });

  it('refuses the feed, which is nobody’s to read for somebody else', () => {
    expect(decide(orders, own)).toMatchObject({ allowed: false, reason: 'DELEGATION_NOT_ALLOWED' });
  });

  it('accepts a fifth actor and refuses a sixth', () => {
    expect(decide(orders, payments, subjectWith(4))).toMatchObject({ allowed: true });
    expect(decide(orders, payments, subjectWith(5))).toEqual(refuse('DELEGATION_TOO_DEEP', 'at most 5 actors'));
  });

  it('lets only the one act whom may_act names', () => {
    expect(decide(orders, payments, subjectWith(0, { may_act: { sub: orders } }))).toMatchObject({ allowed: true });
    expect(decide(orders, payments, subjectWith(0, { may_act: { sub: gateway } }))).toEqual(
      refuse('CLIENT_NOT_ALLOWED', 'may_act of the subject token'),
    );
  });

  it('answers for a target that is not granted as for one that does not exist, whatever the subject', () => {
    const subject = subjectWith(5, { may_act: { sub: gateway } });
    expect(decide(operator, orders, subject)).toEqual(decide(operator, nobody, subject));
  });
});

describe('the audiences of a workload', () => {
  it('are those it has grants for, and token-exchange', () => {
    expect(policy.audiencesOf(gateway)).toEqual([orders, payments, own].sort());
    expect(policy.audiencesOf(nobody)).toEqual([own]);
  });
});

function allow(from: string, to: string, scope: string[]) {
  return { allowed: true, rule: `grant from ${from} to ${to}`, scope, maxLifeSeconds: 300 } as const;
}

function refuse(
  reason: 'SCOPE_REFUSED' | 'TARGET_REFUSED' | 'DELEGATION_NOT_ALLOWED' | 'DELEGATION_TOO_DEEP' | 'CLIENT_NOT_ALLOWED',
  rule: string,
) {
  return { allowed: false, reason, rule } as const;
}
