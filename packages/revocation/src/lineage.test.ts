import type { ServiceTokenClaims } from '@tokenmesh/token';
import { expect, it } from 'vitest';
import { createRevocationSet, type RevocableToken } from './revocation-set.ts';
import type { TargetKind } from './target.ts';

const derived = 100_000;
const workload = (index: number) => `spiffe://shop.test/service-${index}`;

/** A token as it stands at the end of one path through the mesh: `path` tells the hops apart. */
function tokenOf({ sub, sid, txn, rn }: Pick<ServiceTokenClaims, 'sub' | 'sid' | 'txn' | 'rn'>, path: number): RevocableToken {
  const actors = Array.from({ length: 1 + (path % 5) }, (_, hop) => workload((path + hop * 7) % 500));
  const act = actors.reduceRight<ServiceTokenClaims['act']>((inner, actor) => ({ sub: actor, ...(inner && { act: inner }) }), undefined);
  const claims = {
    ...{ sub, txn, rn, ...(sid !== undefined && { sid }), ...(act && { act }) },
    iss: 'https://token-exchange.shop.test',
    aud: workload(path % 300),
    iat: 1_800_000_000,
    exp: 1_800_000_300,
    jti: `jti-${sub}-${txn}-${path}`,
    client_id: actors[0] ?? sub,
    scope: 'orders.read',
  };
  return { kid: `key-${path % 2}`, claims };
}

const own = { sub: 'user:ada', sid: 'session-1', txn: 'chain-1', rn: 41 };
/** Who has most in common with what is revoked, and is none of it. */
const siblings: readonly (readonly [string, Partial<typeof own>])[] = [
  ['another chain and session of the same subject', { sid: 'session-2', txn: 'chain-2' }],
  ['another subject', { sub: 'user:eve', sid: 'session-3', txn: 'chain-3' }],
  ['a chain and a session whose names begin alike', { sid: 'session-11', txn: 'chain-11' }],
  ['a chain named as the session, and the other way round', { sid: 'chain-1', txn: 'session-1' }],
  ['the same, obtained afterwards', { rn: 42 }],
];

it.each<[TargetKind, string]>([
  ['chain', 'chain-1'],
  ['session', 'session-1'],
])('one %s target covers every one of 100 000 tokens that were derived in it, and none of its siblings', (kind, value) => {
  const set = createRevocationSet();
  set.apply({ n: 42, t: 1_800_000_100_000, targets: [{ kind, value, exp: 1_800_001_000 }] });
  expect(set.size).toBe(1);
  const covered = (lineage: typeof own, count: number) => {
    let found = 0;
    for (let path = 0; path < count; path++) if (set.find(tokenOf(lineage, path))?.kind === kind) found++;
    return found;
  };
  expect(covered(own, derived)).toBe(derived);
  for (const [who, changes] of siblings) expect([who, covered({ ...own, ...changes }, derived / 10)]).toEqual([who, 0]);
});
