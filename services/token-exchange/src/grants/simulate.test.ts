import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { credentials, type Metadata, type ServiceError, status } from '@grpc/grpc-js';
import { refusalOf, unary } from '@tokenmesh/interceptor';
import { type AccessRule, type SimulateRequest, tokenmesh } from '@tokenmesh/proto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestCertificate } from '../clients/test-certificate.ts';
import { openSqliteStore } from '../record/sqlite.ts';
import type { Store } from '../record/store.ts';
import { startTokenExchange, type TokenExchangeServer } from '../server.ts';
import { bearerOf } from '../test-bearer.ts';
import {
  authenticate,
  createTestLog,
  encryption,
  gateway,
  grants,
  newId,
  operator,
  orders,
  own,
  payments,
  temporaryDirectory,
  testConfig,
  workloads,
} from '../testing.ts';
import { createPolicy, type Grant } from './policy.ts';
import { simulate } from './simulate.ts';
import type { SubjectIssuer } from './subject-issuer.ts';

const { cert, key } = createTestCertificate();
const tokenExchange = 'urn:ietf:params:oauth:grant-type:token-exchange';
const ada = 'users:ada';
const idp = 'https://idp.example';
let directory: ReturnType<typeof temporaryDirectory>;
let store: Store;
let server: TokenExchangeServer;
let exchange: InstanceType<typeof tokenmesh.TokenExchange>;
let admin: InstanceType<typeof tokenmesh.Admin>;
let calling: { readonly metadata: Metadata };

beforeAll(async () => {
  directory = temporaryDirectory();
  const sqlite = join(directory.path, 'record.db');
  store = await openSqliteStore(sqlite, { newId });
  server = await startTokenExchange({
    config: testConfig({
      tls: { cert, key },
      store: { sqlite },
      grants: [...grants, { from: operator, to: orders, scopes: ['orders.read'], delegation: false, binding: 'dpop' }],
    }),
    store,
    encryption,
    log: createTestLog(),
  });
  const tls = credentials.createSsl(cert);
  exchange = new tokenmesh.TokenExchange(`localhost:${server.port}`, tls);
  admin = new tokenmesh.Admin(`localhost:${server.port}`, tls);
  calling = await bearerOf(exchange, operator);
});
afterAll(async () => {
  for (const client of [exchange, admin]) client.close();
  await server.close();
  await store.close();
  directory.remove();
});

type Question = Parameters<typeof admin.simulate>[0];

const ask = (question: Question) => unary(admin, 'simulate', question, calling);
const alone = (client_id: string, audience: string, scope = ''): Question => ({
  client_id,
  grant_type: 'client_credentials',
  audience,
  scope,
});
const onBehalf = (client_id: string, audience: string, subject: Question['subject'] = { sub: ada }, scope = ''): Question => ({
  ...{ client_id, grant_type: tokenExchange, audience, scope, subject },
});
const call = (rule: AccessRule) => ({ call: { method: '/shop.v1.Payments/Refund', rule } });
/** The message as the service reads it: members that are not given are empty. */
function complete({ subject, ...question }: Question): SimulateRequest {
  const service = tokenmesh.Admin.service.Simulate;
  return service.requestDeserialize(service.requestSerialize({ ...question, ...(subject && { subject }) }));
}
const trusted = { issuer: idp } as SubjectIssuer; // only its name is looked at
const fromOrders = `the grant from ${orders} to ${payments}`;

describe('Simulate', () => {
  it('answers with each check, what it compared, and what would be issued', async () => {
    const question = {
      ...onBehalf(orders, payments, { sub: ada, actors: [gateway] }),
      ...call({ scopes: ['payments.charge'], callers: [orders], max_act_depth: 2 }),
    };
    const { checks, ...answer } = await ask(question);
    expect(answer).toEqual({
      ...{ allowed: true, change: '', reason: '' },
      rule: `grant from ${orders} to ${payments}`,
      scope: 'payments.charge',
      max_life_seconds: 60,
    });
    expect(checks.map(({ name, passed, compared }) => [name, passed, compared])).toEqual([
      ['client', true, `${orders} with the registered workloads`],
      ['suspension', true, `${orders} with the suspended workloads`],
      ['suspension', true, `${ada}, ${gateway} with the suspended workloads`],
      ['grant', true, `grants from ${orders} with ${payments}`],
      ['may_act', true, `nobody in particular with ${orders}`],
      ['actors', true, '2 with at most 5'],
      ['delegation', true, `grant from ${orders} to ${payments}`],
      ['scope', true, 'everything with payments.charge'],
      ['scopes', true, 'payments.charge with payments.charge'],
      ['callers', true, `${orders} with ${orders}`],
      ['max_act_depth', true, '2 with at most 2'],
    ]);
  });

  it.each<[string, Question, string, string, string]>([
    [
      'a grant that is not offered',
      { ...alone(gateway, orders), grant_type: 'password' },
      'request',
      'GRANT_TYPE_UNSUPPORTED',
      'correct the request: only client_credentials, token-exchange and refresh_token are offered',
    ],
    ['no target', alone(gateway, ''), 'request', 'REQUEST_INVALID', 'correct the request: no target: audience or resource'],
    [
      'a subject where none belongs',
      { ...onBehalf(gateway, orders), grant_type: 'client_credentials' },
      'request',
      'REQUEST_INVALID',
      'correct the request: a subject token needs the token-exchange grant',
    ],
    [
      'a workload that nobody registered',
      alone('spiffe://shop.test/x', orders),
      'client',
      'CLIENT_AUTHENTICATION_FAILED',
      'register spiffe://shop.test/x under workloads',
    ],
    [
      'no grant',
      alone(orders, gateway, 'gateway.read'),
      'grant',
      'TARGET_REFUSED',
      `add a grant from ${orders} to ${gateway} with scope gateway.read`,
    ],
    [
      'no grant, on behalf',
      onBehalf(orders, gateway, { sub: ada }, 'gateway.read'),
      'grant',
      'TARGET_REFUSED',
      `add a grant from ${orders} to ${gateway} with scope gateway.read and delegation for the same`,
    ],
    [
      'a scope that the grant has not',
      alone(orders, payments, 'payments.void'),
      'scope',
      'SCOPE_REFUSED',
      `add scope payments.void to ${fromOrders}`,
    ],
    [
      'a scope that the delegation has not',
      onBehalf(orders, payments, { sub: ada }, 'payments.refund'),
      'scope',
      'SCOPE_REFUSED',
      `add scope payments.refund to the delegation of ${fromOrders}`,
    ],
    [
      'a scope that neither has',
      onBehalf(orders, payments, { sub: ada }, 'payments.void'),
      'scope',
      'SCOPE_REFUSED',
      `add scope payments.void to ${fromOrders}, and add scope payments.void to the delegation of ${fromOrders}`,
    ],
    [
      'a grant without delegation',
      onBehalf(gateway, payments, { sub: ada }, 'payments.read'),
      'delegation',
      'DELEGATION_NOT_ALLOWED',
      `add delegation with scope payments.read to the grant from ${gateway} to ${payments}`,
    ],
    [
      'another one in may_act',
      onBehalf(orders, payments, { sub: ada, may_act: gateway }),
      'may_act',
      'CLIENT_NOT_ALLOWED',
      `let ${gateway} ask, whom may_act of the subject token names`,
    ],
    [
      'a sixth actor',
      onBehalf(orders, payments, { sub: ada, actors: Array(5).fill(gateway) }),
      'actors',
      'DELEGATION_TOO_DEEP',
      'shorten the chain of calls by at least one actor',
    ],
    [
      'a foreign subject',
      onBehalf(orders, payments, { sub: ada, issuer: idp }),
      'subject issuer',
      'SUBJECT_TOKEN_INVALID',
      `configure ${idp} under subject_issuers`,
    ],
    [
      'a rule that needs more than the grant gives',
      { ...alone(gateway, payments), ...call({ scopes: ['payments.refund'] }) },
      'scopes',
      'SCOPE_INSUFFICIENT',
      `add scope payments.refund to the grant from ${gateway} to ${payments}`,
    ],
    [
      'a rule that needs what was not asked for',
      { ...alone(orders, payments, 'payments.charge'), ...call({ scopes: ['payments.refund'] }) },
      'scopes',
      'SCOPE_INSUFFICIENT',
      'ask for scope payments.refund',
    ],
    [
      'a rule that needs one of several',
      { ...alone(orders, payments, 'payments.charge'), ...call({ any_scope: ['payments.void', 'payments.refund'] }) },
      'any_scope',
      'SCOPE_INSUFFICIENT',
      'ask for scope payments.refund',
    ],
    [
      'a rule for other callers',
      { ...onBehalf(orders, payments), ...call({ callers: [gateway] }) },
      'callers',
      'CALLER_NOT_ALLOWED',
      `add ${orders} to callers in the rule of /shop.v1.Payments/Refund`,
    ],
    [
      'a rule without delegation',
      { ...onBehalf(orders, payments), ...call({ any_caller: true, max_act_depth: 0 }) },
      'max_act_depth',
      'DELEGATION_NOT_ALLOWED',
      'raise max_act_depth to 1 in the rule of /shop.v1.Payments/Refund',
    ],
    [
      'a rule for shorter chains',
      { ...onBehalf(orders, payments, { sub: ada, actors: [gateway] }), ...call({ any_caller: true, max_act_depth: 1 }) },
      'max_act_depth',
      'DELEGATION_TOO_DEEP',
      'raise max_act_depth to 2 in the rule of /shop.v1.Payments/Refund',
    ],
    [
      'a rule for bound tokens',
      { ...alone(orders, payments), ...call({ any_caller: true, require_binding: true }) },
      'binding',
      'BINDING_MISMATCH',
      `set binding: dpop or binding: certificate in ${fromOrders}`,
    ],
  ])('%s: names the check that fails, as the last one, and the change that lets it pass', async (_, question, name, reason, change) => {
    const answer = await ask(question);
    expect(answer).toMatchObject({ allowed: false, reason, change });
    expect(answer.checks.at(-1)).toMatchObject({ name, passed: false });
    expect(answer.checks.filter(({ passed }) => !passed)).toHaveLength(1);
  });

  it.each<[string, Question, Partial<Grant>]>([
    [
      `add a grant from ${orders} to ${gateway} with scope s and delegation for the same`,
      onBehalf(orders, gateway, { sub: ada }, 's'),
      { from: orders, to: gateway, scopes: ['s'], delegation: { scopes: ['s'] } },
    ],
    [`add scope s to ${fromOrders}`, alone(orders, payments, 's'), { scopes: ['payments.charge', 's'] }],
    [
      `add scope payments.refund to the delegation of ${fromOrders}`,
      onBehalf(orders, payments, { sub: ada }, 'payments.refund'),
      { delegation: { scopes: ['payments.refund'] } },
    ],
    [
      `add scope s to ${fromOrders}, and add scope s to the delegation of ${fromOrders}`,
      onBehalf(orders, payments, { sub: ada }, 's'),
      { scopes: ['s'], delegation: { scopes: ['s'] } },
    ],
    [
      `add the issuer ${idp} to the delegation of ${fromOrders}`,
      onBehalf(orders, payments, { sub: ada, issuer: idp }),
      { delegation: { scopes: ['payments.charge'], issuers: [idp] } },
    ],
    [
      `add scope s to ${fromOrders}, and ask for scope s`,
      { ...alone(orders, payments, 'payments.charge'), ...call({ scopes: ['s'] }) },
      { scopes: ['payments.charge', 's'] },
    ],
    [
      `set binding: dpop or binding: certificate in ${fromOrders}`,
      { ...alone(orders, payments), ...call({ any_caller: true, require_binding: true }) },
      { binding: 'dpop' },
    ],
  ])('is right that it passes after: %s', (change, question, changes) => {
    const judge = (grant: Grant, scope = question.scope ?? '') => {
      const asked = complete({ ...question, scope });
      const config = { workloads, grants: [grant], subjectIssuers: [trusted] };
      const policy = createPolicy({ grants: [grant], ownAudience: own, lifeSeconds: 300 });
      return simulate({ ...asked }, { config, policy, suspended: new Set() });
    };
    const before: Grant = {
      from: orders,
      to: payments,
      scopes: ['payments.charge', 'payments.refund'],
      delegation: { scopes: ['payments.charge'] },
    };
    expect(judge(before)).toMatchObject({ allowed: false, change });
    expect(judge({ ...before, ...changes }, change.includes('ask for') ? 's' : question.scope)).toMatchObject({
      allowed: true,
      change: '',
    });
  });

  it('asks for what is missing in a grant beside its delegation as well', async () => {
    const { change } = await ask(onBehalf(gateway, payments, { sub: ada }, 'payments.void'));
    expect(change).toBe(
      `add delegation with scope payments.void to the grant from ${gateway} to ${payments}, and scope payments.void to the grant itself`,
    );
  });

  it('takes the tokens of a grant that binds them for bound', async () => {
    const question = { ...alone(operator, orders), ...call({ any_caller: true, require_binding: true }) };
    expect(await ask(question)).toMatchObject({ allowed: true });
  });

  it.each([
    ['a grant', alone(gateway, orders)],
    ['some of the scope', alone(gateway, orders, 'orders.read orders.void')],
    ['no grant', alone(orders, gateway)],
    ['no scope', alone(gateway, orders, 'orders.void')],
    ['the feed, that everybody may read', alone(payments, own)],
    ['a scope that cannot be read', alone(gateway, orders, 'a  b')],
  ])('decides as the exchange itself does: %s', async (_, question) => {
    const real = await unary(exchange, 'exchangeToken', { ...question, ...authenticate(question.client_id ?? '', Date.now) }).then(
      ({ scope }) => ({ allowed: true, reason: '', scope }),
      (error: ServiceError) => ({ allowed: false, reason: refusalOf(error)?.reason, scope: '' }),
    );
    expect(await ask(question)).toMatchObject(real);
  });

  it('knows who is suspended: the client, the subject, and every actor', async () => {
    await unary(admin, 'suspendWorkload', { client_id: payments }, calling);
    for (const question of [
      alone(payments, payments),
      onBehalf(orders, payments, { sub: payments }),
      onBehalf(orders, payments, { sub: ada, actors: [gateway, payments] }),
    ]) {
      const answer = await ask(question);
      expect(answer).toMatchObject({ allowed: false, change: `resume ${payments}` });
      expect(answer.checks.at(-1)?.name).toBe('suspension');
    }
    await unary(admin, 'resumeWorkload', { client_id: payments }, calling);
    expect(await ask(alone(payments, payments))).toMatchObject({ allowed: true });
  });

  it.each<[string, Question]>([
    ['a refresh', { ...alone(gateway, orders), grant_type: 'refresh_token' }],
    ['a subject without sub', onBehalf(orders, payments, { sub: '' })],
    ['a call without a rule', { ...alone(gateway, orders), call: { method: '/shop.v1.Orders/Get' } }],
    ['a rule that opens nothing', { ...alone(gateway, orders), ...call({ max_act_depth: 1 }) }],
  ])('refuses a question without sense: %s', async (_, question) => {
    await expect(ask(question)).rejects.toMatchObject({ code: status.INVALID_ARGUMENT });
  });

  it('needs the scope admin.read', async () => {
    const refused = unary(admin, 'simulate', alone(gateway, orders), await bearerOf(exchange, gateway));
    await expect(refused).rejects.toMatchObject({ code: status.PERMISSION_DENIED });
  });

  it('T-33 issues nothing, uses nothing up and writes nothing, however often it is asked', async () => {
    // all of the record but the index of its write-ahead log, in which readers leave marks
    const files = () => readdirSync(directory.path).filter((file) => !file.endsWith('-shm'));
    const written = () => files().map((file) => [file, readFileSync(join(directory.path, file)).toString('base64')]);
    const before = written();
    const answers = await Promise.all(Array.from({ length: 20 }, () => ask(alone(gateway, orders))));
    for (const answer of answers) expect(answer).toEqual(answers[0]);
    await ask(alone(gateway, payments, 'payments.void'));
    expect(written()).toEqual(before);
  });
});
