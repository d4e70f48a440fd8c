import { shopPackage } from '@tokenmesh/proto/shop';
import { describe, expect, it } from 'vitest';
import { refusalOf, refusalStatus } from '../status.ts';
import { createRefusalStatuses } from './refusal-statuses.ts';
import { type Rule, readRules } from './rules.ts';

const rules = readRules([shopPackage]);
// The casts hold: the methods are in the package.
const create = rules.get('/shop.v1.Orders/Create') as Rule;
const track = rules.get('/shop.v1.Orders/Track') as Rule;

describe('createRefusalStatuses', () => {
  it('tells each method, each reason and whether the handler was reached apart, the second time as well', () => {
    const statusOf = createRefusalStatuses();
    for (let time = 0; time < 2; time++) {
      for (const rule of [create, track]) {
        for (const reason of ['TOKEN_REVOKED', 'TOKEN_EXPIRED', 'REVOCATION_STALE'] as const) {
          for (const admitted of [true, false]) {
            const status = statusOf(reason, rule, admitted);
            expect(status).toEqual(refusalStatus(reason, { method: rule.method, admitted: String(admitted) }));
          }
        }
      }
    }
  });

  it('names the scopes that the method needs when they are missing', () => {
    expect(refusalOf(createRefusalStatuses()('SCOPE_INSUFFICIENT', create, false))?.info.scope).toBe(create.scopes.join(' '));
  });

  it('keeps what another interceptor adds to the trailers of one call out of the next', () => {
    const statusOf = createRefusalStatuses();
    statusOf('TOKEN_REVOKED', create, false).metadata.set('request-id', 'of the first call');
    expect(statusOf('TOKEN_REVOKED', create, false).metadata.get('request-id')).toEqual([]);
  });
});
