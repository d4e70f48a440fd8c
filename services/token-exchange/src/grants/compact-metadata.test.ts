import { unary } from '@tokenmesh/interceptor';
import type { ExchangeTokenResponse } from '@tokenmesh/proto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openTestDoors, type TestDoors } from '../doors/test-doors.ts';
import { authenticate, exchangeRequest, gateway, grants, orders, own, payments } from '../testing.ts';

const accessToken = 'urn:ietf:params:oauth:token-type:access_token';

let doors: TestDoors;
beforeAll(async () => {
  doors = await openTestDoors({
    grants: grants.map((grant) => ({ ...grant, ...(grant.to === orders && { compactMetadata: true, refresh: true }) })),
  });
});
afterAll(() => doors.close());

const ask = (clientId: string, parameters: Parameters<typeof exchangeRequest>[0]) =>
  unary(
    doors.exchange,
    'exchangeToken',
    exchangeRequest({ ...authenticate(clientId, Date.now), grant_type: 'client_credentials', ...parameters }),
  );
const announced = ({ compact_metadata }: Pick<ExchangeTokenResponse, 'compact_metadata'>) => compact_metadata;

describe('an audience that takes compact metadata', () => {
  it('is announced with each of its tokens, and no other audience is', async () => {
    const first = await ask(gateway, { audience: orders });
    const next = await ask(gateway, { grant_type: 'refresh_token', refresh_token: first.refresh_token });
    const delegated = await ask(orders, {
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      ...{ audience: payments, subject_token: first.access_token, subject_token_type: accessToken },
    });
    const ofIssuer = await ask(gateway, { audience: own });
    expect([first, next, delegated, ofIssuer].map(announced)).toEqual([true, true, false, false]);
  });

  it('is announced where several are asked for at once', async () => {
    const requests = [orders, payments].map((audience) => exchangeRequest({ grant_type: 'client_credentials', audience }));
    const { results } = await unary(doors.exchange, 'exchangeTokens', { ...authenticate(gateway, Date.now), requests });
    expect(results.map(({ response }) => response && announced(response))).toEqual([true, false]);
  });

  it('is not announced over HTTP, whose answer is as it was', async () => {
    for (const audience of [orders, payments]) {
      const { body } = await doors.http('POST', '/token', {
        ...authenticate(gateway, Date.now),
        grant_type: 'client_credentials',
        audience,
      });
      const members = Object.keys(JSON.parse(body)).filter((member) => member !== 'refresh_token');
      expect(members.sort()).toEqual(['access_token', 'expires_in', 'issued_token_type', 'scope', 'token_type']);
    }
  });
});
