// T-44: every limited field of a request, at its limit and one past it, through the door that it comes in by.
import { type ServiceError, status } from '@grpc/grpc-js';
import { unary } from '@tokenmesh/interceptor';
import { tokenmesh } from '@tokenmesh/proto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { authenticate, gateway, newId, operator, orders, own, payments } from '../testing.ts';
import { openTestDoors, type TestDoors } from './test-doors.ts';

type AddRevocation = Parameters<TestDoors['admin']['addRevocation']>[0];
let doors: TestDoors;
beforeAll(async () => {
  doors = await openTestDoors({
    grants: [
      { from: gateway, to: orders, scopes: ['s'.repeat(128), 't'.repeat(128)], delegation: false },
      { from: operator, to: own, scopes: ['admin.read', 'admin.revoke', 'admin.keys'], delegation: false },
    ],
  });
});
afterAll(() => doors.close());

const text = (length: number) => 'x'.repeat(length);
const subjects = (count: number, length = 8) =>
  Array.from({ length: count }, (_, index) => ({ kind: 'subject', value: String(index).padStart(length, '0') }));
/** A limited field: how much it may hold, and a call that fills it. Everything else about the call is in order. */
interface Limit {
  readonly max: number;
  readonly call: (size: number) => Promise<unknown>;
  /** How one past the limit is refused; default INVALID_ARGUMENT. */
  readonly refusal?: keyof typeof status;
}

const bearer = () => doors.bearer(operator);
const add = async (request: AddRevocation) => unary(doors.admin, 'addRevocation', request, await bearer());
const ask = (parameters: object) =>
  unary(doors.exchange, 'exchangeToken', {
    ...{ ...authenticate(gateway, Date.now), grant_type: 'client_credentials', audience: orders },
    ...parameters,
  });
const scope = (length: number) =>
  `${'s'.repeat(128)} `
    .repeat(40)
    .slice(0, length - 1)
    .concat('s');

const limits: Readonly<Record<string, Limit>> = {
  'a note of a revocation': { max: 1000, call: (size) => add({ targets: subjects(1), note: text(size) }) },
  'a note of a suspension': {
    max: 1000,
    call: async (size) => unary(doors.admin, 'suspendWorkload', { client_id: payments, note: text(size) }, await bearer()),
  },
  'a note of a withdrawal': {
    max: 1000,
    call: async (size) => {
      const { keys } = await unary(doors.admin, 'listKeys', {}, await bearer());
      const kid = keys.find(({ purpose, state }) => purpose === 'token' && state === 'active')?.kid ?? '';
      return await unary(doors.admin, 'withdrawKey', { kid, note: text(size) }, await bearer());
    },
  },
  'the targets of a revocation': { max: 500, call: (size) => add({ targets: subjects(size) }) },
  'the value of a target': { max: 512, call: (size) => add({ targets: subjects(1, size) }) },
  'half of the value of a grant': { max: 512, call: (size) => add({ targets: [{ kind: 'grant', value: `${text(size)} ${orders}` }] }) },
  'the id of a request': { max: 256, call: (size) => add({ targets: subjects(1), request_id: newId().padEnd(size, 'x') }) },
  'the nonce of a checkpoint': {
    max: 128,
    call: async (size) => unary(doors.feed, 'checkpoint', { nonce: text(size) }, await doors.bearer(orders)),
  },
  'the requests of one request': {
    max: 32,
    call: (size) =>
      unary(doors.exchange, 'exchangeTokens', {
        ...authenticate(gateway, Date.now),
        requests: Array.from({ length: size }, () => ({ grant_type: 'client_credentials', audience: orders })),
      }),
  },
  'a scope': { max: 4096, call: (size) => ask({ scope: scope(size) }) },
  'a message': {
    max: 256 * 1024,
    call: async (size) => {
      const request = { token: text(size - 4) }; // a tag, and its length in three bytes
      expect(tokenmesh.TokenExchange.service.IntrospectToken.requestSerialize(request)).toHaveLength(size);
      await unary(doors.exchange, 'introspectToken', request).catch((error: ServiceError) => {
        if (error.code !== status.UNAUTHENTICATED) throw error; // it got in, and is refused for bringing no proof
      });
    },
    refusal: 'RESOURCE_EXHAUSTED',
  },
};

describe('T-44 a limited field', () => {
  it.each(Object.entries(limits))(
    '%s is taken at its limit and refused one past it',
    async (_, { max, call, refusal = 'INVALID_ARGUMENT' }) => {
      await call(max);
      const refused = await call(max + 1).then(
        () => 'nothing',
        ({ code }: ServiceError) => status[code],
      );
      expect(refused).toBe(refusal);
    },
  );

  it('a page of revocations is whatever was asked for, up to its limit', async () => {
    for (let event = 0; event < 3; event++) await add({ targets: subjects(450) });
    const listed = async (page_size: number) =>
      (await unary(doors.admin, 'listRevocations', { page_size }, await bearer())).revocations.length;
    // events whole: two of them, whether 1000, 1001 or four thousand million were asked for
    expect([await listed(1000), await listed(1001), await listed(0xffff_ffff)]).toEqual([900, 900, 900]);
  });
});

describe('T-44 over HTTP', () => {
  const form = () => {
    const { client_id, client_assertion_type, client_assertion } = authenticate(gateway, Date.now);
    return new URLSearchParams({ client_id, client_assertion_type, client_assertion, grant_type: 'client_credentials', audience: orders });
  };

  it('a body is taken at 64 KiB and refused one byte past it', async () => {
    const padded = (bytes: number) => `${form()}&unheard=`.padEnd(bytes, 'x');
    expect((await doors.http('POST', '/token', padded(64 * 1024))).status).toBe(200);
    expect((await doors.http('POST', '/token', padded(64 * 1024 + 1))).status).toBe(413);
  });

  it('headers are taken up to 16 KiB and refused beyond', async () => {
    const withHeader = (bytes: number) => doors.http('GET', '/jwks', undefined, { 'x-filler': text(bytes) });
    expect((await withHeader(15 * 1024)).status).toBe(200);
    expect((await withHeader(16 * 1024)).status).toBe(431);
  });
});
