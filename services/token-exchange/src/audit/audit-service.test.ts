import { once } from 'node:events';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type Client, type ClientReadableStream, credentials, status } from '@grpc/grpc-js';
import { unary } from '@tokenmesh/interceptor';
import { tokenmesh, type WatchEventsRequest, type WatchEventsResponse } from '@tokenmesh/proto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createTestCertificate } from '../clients/test-certificate.ts';
import type { Config } from '../config/config.ts';
import { openSqliteStore } from '../record/sqlite.ts';
import type { Store } from '../record/store.ts';
import { startTokenExchange, type TokenExchangeServer } from '../server.ts';
import { bearerOf } from '../test-bearer.ts';
import {
  authenticate,
  createTestLog,
  encryption,
  gateway,
  grantsWithKeys,
  newId,
  operator,
  orders,
  payments,
  temporaryDirectory,
  testConfig,
} from '../testing.ts';

const { cert, key } = createTestCertificate();
const tokenExchangeGrant = 'urn:ietf:params:oauth:grant-type:token-exchange';
const accessTokenType = 'urn:ietf:params:oauth:token-type:access_token';
let directory: ReturnType<typeof temporaryDirectory>;
let config: Config;
let store: Store;
let server: TokenExchangeServer;
let exchange: InstanceType<typeof tokenmesh.TokenExchange>;
let admin: InstanceType<typeof tokenmesh.Admin>;
let clients: Client[];

beforeEach(async () => {
  directory = temporaryDirectory();
  config = testConfig({ tls: { cert, key }, store: { sqlite: file() }, grants: grantsWithKeys });
  store = await openSqliteStore(file(), { newId });
  server = await startTokenExchange({ config, store, encryption, log: createTestLog() });
  const [address, tls] = [`localhost:${server.port}`, credentials.createSsl(cert)];
  exchange = new tokenmesh.TokenExchange(address, tls);
  admin = new tokenmesh.Admin(address, tls);
  clients = [exchange, admin];
});
afterEach(async () => {
  for (const client of clients) client.close();
  await server.close();
  await store.close();
  directory.remove();
});

const file = () => join(directory.path, 'record.db');
const tokenOf = (clientId: string, audience: string, more: object = {}) =>
  unary(exchange, 'exchangeToken', { ...authenticate(clientId, Date.now), grant_type: 'client_credentials', audience, ...more });

const jtiOf = (token: string): string => JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()).jti;

function tamper(statement: string): void {
  const database = new DatabaseSync(file());
  database.exec(statement);
  database.close();
}

/** The jti of the first events of a stream. */
function take(stream: ClientReadableStream<WatchEventsResponse>, count: number): Promise<string[]> {
  return new Promise((resolve) => {
    const jtis: string[] = [];
    stream.on('data', ({ event }: WatchEventsResponse) => {
      if (jtis.push(event?.jti ?? '') === count) resolve(jtis);
    });
  });
}

describe('the audit over gRPC', () => {
  it('T-27 holds every issuance with who, for whom, by which rule, and the chain of actors', async () => {
    const subject = (await tokenOf(gateway, orders)).access_token;
    const parameters = { grant_type: tokenExchangeGrant, subject_token: subject, subject_token_type: accessTokenType };
    const { access_token } = await tokenOf(orders, payments, parameters);
    const { metadata } = await bearerOf(exchange, operator);
    const { events } = await unary(admin, 'queryEvents', { jti: jtiOf(access_token) }, { metadata });
    expect(events).toHaveLength(1);
    expect(events[0]).toMatchObject({
      kind: 'token.issued',
      who: orders,
      what: { sub: gateway, aud: payments, scope: 'payments.charge', act: orders, grant_type: tokenExchangeGrant },
      decision: 'allowed',
      reason: expect.stringContaining(`${orders} to ${payments}`),
      count: 1,
    });
    const chain = await unary(admin, 'queryEvents', { txn: events[0]?.txn ?? '' }, { metadata });
    expect(chain.events.map(({ jti }) => jti)).toEqual([jtiOf(access_token), jtiOf(subject)]);
  });

  it('holds revocations, suspensions, key changes and configurations with who made them', async () => {
    const { metadata } = await bearerOf(exchange, operator);
    const targets = [{ kind: 'subject', value: gateway }];
    await unary(admin, 'addRevocation', { targets, note: 'stolen' }, { metadata });
    await unary(admin, 'suspendWorkload', { client_id: gateway }, { metadata });
    await unary(admin, 'resumeWorkload', { client_id: gateway }, { metadata });
    await unary(admin, 'rotateKeys', { purpose: 'feed' }, { metadata });
    await server.applyConfig({ ...config, grants: config.grants.filter(({ from }) => from !== gateway) });
    const { events } = await unary(admin, 'queryEvents', { page_size: 1000 }, { metadata });
    const by = (kind: string) => events.filter((event) => event.kind === kind).map(({ who, what }) => ({ who, what }));
    expect(by('revocation.added').at(-1)).toEqual({
      who: operator,
      what: { n: '1', targets: `subject ${gateway}`, count: '1', note: 'stolen' },
    });
    expect(by('workload.suspended')).toMatchObject([{ who: operator, what: { workload: gateway } }]);
    expect(by('workload.resumed')).toMatchObject([{ who: operator, what: { workload: gateway } }]);
    expect(by('key.rotation_requested')).toMatchObject([{ who: operator, what: { purpose: 'feed' } }]);
    expect(by('key.active').map(({ what }) => what.purpose)).toEqual(expect.arrayContaining(['token', 'feed']));
    expect(by('key.published')).toHaveLength(2);
    expect(by('config.applied')).toMatchObject([
      { who: 'token-exchange', what: { grants_removed: `2: ${gateway} ${orders}, ${gateway} ${payments}` } },
      { what: { at: 'start', workloads: '4' } },
    ]);
    expect((await store.verifyAudit()).breaks).toEqual([]);
  });

  it('holds refusals: who was refused and why, of whoever did not prove it only the claim', async () => {
    const { metadata } = await bearerOf(exchange, operator);
    await expect(tokenOf(gateway, orders, { scope: 'orders.delete' })).rejects.toMatchObject({ code: status.PERMISSION_DENIED });
    const stranger = { ...authenticate(orders, Date.now), client_id: gateway };
    await expect(unary(exchange, 'revokeToken', { ...stranger, token: 't' })).rejects.toMatchObject({ code: status.UNAUTHENTICATED });
    const several = {
      ...authenticate(gateway, Date.now),
      requests: [{ grant_type: 'client_credentials', audience: payments, scope: 'x' }],
    };
    await unary(exchange, 'exchangeTokens', several);
    await server.close(); // what is noted is written at the latest now
    expect(metadata).toBeDefined();
    const events = await store.queryAudit({}, 1000);
    const refused = events.filter(({ decision }) => decision === 'refused').map(({ kind, who, what, reason }) => [kind, who, what, reason]);
    expect(refused).toHaveLength(3);
    expect(refused).toEqual(
      expect.arrayContaining([
        ['token.refused', gateway, { aud: orders }, 'SCOPE_REFUSED'],
        ['token.refused', gateway, { aud: payments }, 'SCOPE_REFUSED'],
        ['revocation.refused', '', { claimed_client: gateway }, 'CLIENT_AUTHENTICATION_FAILED'],
      ]),
    );
  });

  it('comes page by page, and refuses a page token of its caller’s own making', async () => {
    for (let n = 0; n < 5; n++) await tokenOf(gateway, orders);
    const { metadata } = await bearerOf(exchange, operator);
    const seen: number[] = [];
    let page_token = '';
    do {
      const page = await unary(admin, 'queryEvents', { page_size: 2, page_token, client_id: gateway }, { metadata });
      expect(page.events.length).toBeLessThanOrEqual(2);
      seen.push(...page.events.map(({ seq }) => seq));
      page_token = page.next_page_token;
    } while (page_token);
    expect(seen).toHaveLength(5);
    expect(seen).toEqual([...new Set(seen)].sort((a, b) => b - a));
    const invented = unary(admin, 'queryEvents', { page_token: '1.2' }, { metadata });
    await expect(invented).rejects.toMatchObject({ code: status.INVALID_ARGUMENT });
  });

  it('is streamed live to who watches, filtered, and the stream ends when the service stops', async () => {
    const { metadata } = await bearerOf(exchange, operator);
    const open = (request: Partial<WatchEventsRequest>) => admin.watchEvents(request, metadata);
    const [all, ofGateway] = [open({}), open({ client_id: gateway, kind: 'token.issued' })];
    await Promise.all([once(all, 'metadata'), once(ofGateway, 'metadata')]);
    const taken = [take(all, 2), take(ofGateway, 1)];
    const issued = [(await tokenOf(orders, payments)).access_token, (await tokenOf(gateway, orders)).access_token].map(jtiOf);
    expect(await Promise.all(taken)).toEqual([issued, issued.slice(1)]);
    const ended = once(all, 'error');
    void ofGateway.on('error', () => {});
    await server.close();
    expect((await ended)[0]).toMatchObject({ code: status.UNAVAILABLE });
  });

  it('is for operators with admin.read alone', async () => {
    const { metadata } = await bearerOf(exchange, operator, 'admin.revoke');
    await expect(unary(admin, 'queryEvents', {}, { metadata })).rejects.toMatchObject({ code: status.PERMISSION_DENIED });
  });
});

describe('an audit that cannot be written', () => {
  it('F7 refuses every issuance, and issues again when it can be', async () => {
    tamper('ALTER TABLE audit_events RENAME TO away');
    await expect(tokenOf(gateway, orders)).rejects.toMatchObject({ code: status.INTERNAL });
    tamper('ALTER TABLE away RENAME TO audit_events');
    expect((await tokenOf(gateway, orders)).access_token).not.toBe('');
    expect((await store.verifyAudit()).breaks).toEqual([]);
  });
});

describe('the rows of the audit', () => {
  it('T-50 hold no token, whatever field it was sent in', async () => {
    const { access_token: canary } = await tokenOf(gateway, orders);
    const assertion = authenticate(gateway, Date.now);
    const fields = ['grant_type', 'audience', 'resource', 'scope', 'requested_token_type', 'subject_token', 'subject_token_type'];
    const more = [
      'actor_token',
      'actor_token_type',
      'refresh_token',
      'client_id',
      'client_assertion_type',
      'client_assertion',
      'client_secret',
    ];
    for (const field of [...fields, ...more]) await tokenOf(gateway, orders, { [field]: canary }).catch(() => undefined);
    for (const grant_type of [tokenExchangeGrant, 'refresh_token']) {
      for (const field of fields) {
        await tokenOf(orders, payments, { grant_type, subject_token: canary, subject_token_type: accessTokenType, [field]: canary }).catch(
          () => undefined,
        );
      }
    }
    await unary(exchange, 'revokeToken', { ...authenticate(gateway, Date.now), token: canary, token_type_hint: canary });
    await unary(exchange, 'introspectToken', { ...assertion, client_id: canary, token: canary }).catch(() => undefined);
    await server.close();
    const database = new DatabaseSync(file());
    const rows = JSON.stringify(database.prepare('SELECT * FROM audit_events').all());
    database.close();
    expect(rows).toContain('token.refused');
    expect(rows).toContain('revocation.added');
    for (const part of [...canary.split('.'), ...assertion.client_assertion.split('.')]) expect(rows.includes(part)).toBe(false); // and no token in what a failure prints
  });
});
