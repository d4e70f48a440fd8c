import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { calculateJwkThumbprint, createLocalJWKSet, type JWTPayload, jwtVerify } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestAuthority } from '../clients/test-certificate.ts';
import { loadConfig } from '../config/config.ts';
import { openSqliteStore } from '../record/sqlite.ts';
import type { Store } from '../record/store.ts';
import { startTokenExchange, type TokenExchangeServer } from '../server.ts';
import { createTestLog, encryption, gateway, issuerUrl, newId, orders, own, payments, temporaryDirectory } from '../testing.ts';
import { type Answer, createForeignClient, type Door, generateKey, openGrpcDoor, openHttpDoor } from './test-foreign-client.ts';

const authority = createTestAuthority();
const directory = temporaryDirectory();
const keys = new Map(
  await Promise.all([gateway, orders, payments].map(async (id) => [id, await generateKey(`${id.split('/').at(-1)}-1`)] as const)),
);
const keyOf = (id: string) => keys.get(id) ?? expect.fail(`no key of ${id}`);
let store: Store;
let server: TokenExchangeServer;
let doors: { readonly gRPC: Door; readonly HTTP: Door };

beforeAll(async () => {
  const { cert, key } = authority.issue([own]);
  const file = (name: string) => join(directory.path, name);
  for (const [name, content] of [
    ['tls.crt', cert],
    ['tls.key', key],
    ['ca.crt', authority.cert],
  ] as const)
    writeFileSync(file(name), content);
  const registered = [...keys].map(([id, key]) => `{ id: "${id}", jwks: ${JSON.stringify({ keys: [key.registered] })} }`);
  writeFileSync(
    file('tokenmesh.yaml'),
    `trust_domain: shop.test
listen: 127.0.0.1:0
facade: { listen: "127.0.0.1:0" }
dpop: { nonce: required }
tls: { cert: tls.crt, key: tls.key, client_ca: ca.crt, client_certificate: optional }
store: { sqlite: record.db }
workloads: [${registered.join(', ')}]
audiences:
  - { id: "${orders}", scopes: [orders.write] }
  - { id: "${payments}", scopes: [payments.charge] }
grants:
  - { from: "${gateway}", to: "${orders}", scopes: [orders.write] }
  - { from: "${orders}", to: "${payments}", scopes: [payments.charge], max_life: 60s, refresh: true, delegation: { scopes: [payments.charge] } }
`,
  );
  const config = loadConfig(file('tokenmesh.yaml'));
  store = await openSqliteStore(file('record.db'), { newId });
  server = await startTokenExchange({ config, store, encryption, log: createTestLog() });
  const ca = authority.cert;
  doors = {
    gRPC: openGrpcDoor({ address: `localhost:${server.port}`, authority: new URL(issuerUrl).host, ca }),
    HTTP: openHttpDoor({ issuer: issuerUrl, port: server.facadePort ?? 0, ca }),
  };
});
afterAll(async () => {
  for (const door of Object.values(doors)) door.close();
  await server.close();
  await store.close();
  directory.remove();
});

/** What a stock verifier of JWTs says, with the keys of either door. */
async function verified(token: unknown, audience: string): Promise<JWTPayload> {
  const options = {
    issuer: issuerUrl,
    audience,
    typ: 'at+jwt',
    algorithms: ['ES256'],
    requiredClaims: ['exp', 'iat', 'sub', 'jti', 'client_id'],
  };
  const payloads = await Promise.all(
    [doors.gRPC, doors.HTTP].map(async (door) => (await jwtVerify(String(token), createLocalJWKSet(await door.keys()), options)).payload),
  );
  expect(payloads[1]).toEqual(payloads[0]);
  return payloads[0] ?? {};
}

const done = (answer: Answer) => (answer.error === undefined ? answer.body : expect.fail(`refused: ${answer.error}`));

describe.each(['gRPC', 'HTTP'] as const)('a client that shares no code with the mesh, over %s', (name) => {
  it('reads what it may do', async () => {
    expect(await doors[name].metadata()).toMatchObject({
      issuer: issuerUrl,
      token_endpoint_auth_methods_supported: ['private_key_jwt'],
      token_endpoint_auth_signing_alg_values_supported: expect.arrayContaining(['ES256']),
      dpop_signing_alg_values_supported: ['ES256', 'EdDSA', 'RS256'],
      tls_client_certificate_bound_access_tokens: true,
    });
  });

  it.each([
    ['bearer tokens', false],
    ['tokens bound by DPoP, with the nonce that it is asked for once', true],
  ])('gets, exchanges, refreshes, introspects and revokes %s', async (_, isBound) => {
    const dpopKey = isBound ? await generateKey('dpop') : undefined;
    const clientOf = (clientId: string) =>
      createForeignClient({
        clientId,
        issuer: issuerUrl,
        key: keyOf(clientId),
        door: doors[name],
        ...(clientId === orders && { dpopKey }),
      });
    const [its, exchanger, receiver] = [clientOf(gateway), clientOf(orders), clientOf(payments)];
    const confirmation = dpopKey && { jkt: await calculateJwkThumbprint(dpopKey.publicJwk) };

    const first = done(await its.ask('token', { grant_type: 'client_credentials', audience: orders }));
    expect(await verified(first.access_token, orders)).toMatchObject({ sub: gateway, client_id: gateway, scope: 'orders.write' });

    const exchanged = done(
      await exchanger.ask('token', {
        grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
        audience: payments,
        subject_token: String(first.access_token),
        subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
      }),
    );
    expect(exchanged).toMatchObject({
      token_type: isBound ? 'DPoP' : 'Bearer',
      issued_token_type: 'urn:ietf:params:oauth:token-type:access_token',
      scope: 'payments.charge',
    });
    const claims = await verified(exchanged.access_token, payments);
    expect(claims).toMatchObject({ sub: gateway, client_id: orders, act: { sub: orders } });
    expect(claims.cnf).toEqual(confirmation);

    const refresh = { grant_type: 'refresh_token', refresh_token: String(exchanged.refresh_token) };
    const refreshed = done(await exchanger.ask('token', refresh));
    expect((await verified(refreshed.access_token, payments)).cnf).toEqual(confirmation);

    const introspect = async () => done(await receiver.ask('introspect', { token: String(refreshed.access_token) }));
    const { exp, jti, cnf } = await verified(refreshed.access_token, payments);
    expect(await introspect()).toMatchObject({
      active: true,
      sub: gateway,
      client_id: orders,
      aud: payments,
      exp,
      jti,
      ...(cnf ? { cnf } : {}),
    });
    done(await exchanger.ask('revoke', { token: String(refreshed.refresh_token) }));
    expect((await introspect()).active).not.toBe(true);

    expect(exchanger.refusals).toEqual(isBound ? ['use_dpop_nonce'] : []);
    expect(await exchanger.ask('token', { ...refresh, refresh_token: String(refreshed.refresh_token) })).toMatchObject({
      error: name === 'HTTP' ? 'invalid_grant' : 'UNAUTHENTICATED',
    });
  });
});
