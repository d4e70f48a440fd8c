import { join } from 'node:path';
import type { ServiceError } from '@grpc/grpc-js';
import { refusalOf, unary } from '@tokenmesh/interceptor';
import type { ExchangeTokenResponse } from '@tokenmesh/proto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { retryWindowMs } from './record/grant-records.ts';
import { hasPostgres, startTestPostgres, type TestPostgres } from './record/test-postgres.ts';
import { type Connection, connect, startTestProcess, type TestProcess, writeTestConfig } from './test-process.ts';
import { authenticate, gateway, orders, temporaryDirectory } from './testing.ts';

const rounds = 3;
const racers = 100;
const simultaneousRounds = 200;

let database: TestPostgres | undefined;
beforeAll(async () => {
  if (hasPostgres) database = await startTestPostgres();
});
afterAll(() => database?.remove());

const sqlite = async () => ({ sqlite: 'record.db' });
const postgres = async () => ({ postgres: { url: (await database?.createDatabase()) ?? '' } });

describe.each([
  ['a process over SQLite', sqlite, 1, true],
  ['a process over PostgreSQL', postgres, 1, hasPostgres],
  ['three processes over one PostgreSQL, called in turn', postgres, 3, hasPostgres],
])('%s', { timeout: 90_000 }, (_, chooseStore, replicas, canRun) => {
  let directory: ReturnType<typeof temporaryDirectory>;
  let processes: readonly TestProcess[] = [];
  let service: Connection;
  beforeAll(async () => {
    directory = temporaryDirectory();
    if (!canRun) return;
    const store = await chooseStore();
    const files = Array.from({ length: replicas }, (_, index) => writeTestConfig(join(directory.path, `replica-${index}`), store));
    processes = await Promise.all(files.map(startTestProcess));
    service = connect(...processes);
  });
  afterAll(async () => {
    service?.close();
    for (const process of processes) await process.kill();
    directory.remove();
  });

  async function expectOver({ refresh_token, access_token }: ExchangeTokenResponse): Promise<void> {
    expect(reasonsIn([await outcomeOf(service.refresh(refresh_token))])).toEqual(['GRANT_INVALID']);
    expect(await service.introspect(access_token)).toMatchObject({ active: false });
  }

  it.skipIf(!canRun)(
    `T-20 gives one of ${racers} different requests at the same instant a token, signals the others, and ends the session`,
    async () => {
      for (let round = 0; round < rounds; round++) {
        const { refresh_token } = await service.begin();
        // each with an assertion of its own; the same scope in another spelling is another request, so no two are alike
        const scopes = Array.from({ length: racers }, (_, index) =>
          Array(index + 1)
            .fill('orders.read')
            .join(' '),
        );
        const outcomes = await Promise.all(scopes.map((scope) => outcomeOf(service.refresh(refresh_token, scope))));
        const [winner, ...others] = answersIn(outcomes);
        expect(others).toHaveLength(0);
        expect(reasonsIn(outcomes)).toEqual(Array(racers - 1).fill('GRANT_REUSED'));
        if (winner) await expectOver(winner);
      }
      const { revocations } = await unary(service.admin, 'listRevocations', { page_size: 100 }, await service.bearer());
      expect(revocations.map(({ target }) => target?.kind)).toEqual(Array(rounds).fill('session')); // one each, however many noticed
      for (const process of processes) await process.logged(({ reason }) => reason === 'GRANT_REUSED'); // all of them took part
    },
  );

  it.skipIf(!canRun)(`T-20 gives ${racers} identical requests at the same instant one answer, which goes on`, async () => {
    const options = await service.bearer();
    for (let round = 0; round < rounds; round++) {
      const { refresh_token, access_token } = await service.begin();
      const startedAtMs = performance.now();
      const outcomes = await Promise.all(Array.from({ length: racers }, () => outcomeOf(service.refresh(refresh_token))));
      const answers = answersIn(outcomes);
      expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1);
      // on a machine that is too slow some come after the time for retries
      const late = outcomes.filter(({ atMs }) => atMs - startedAtMs > retryWindowMs);
      expect(reasonsIn(outcomes.filter((outcome) => !late.includes(outcome)))).toEqual([]);
      expect(reasonsIn(late).filter((reason) => reason !== 'GRANT_REUSED')).toEqual([]);

      const [answer] = answers;
      if (answer && late.length === 0) await service.refresh(answer.refresh_token);
      const { jti: txn } = claimsOf(access_token); // it began the chain
      const { events } = await unary(service.admin, 'queryEvents', { txn, kind: 'token.issued', page_size: 1000 }, options);
      expect(events.map(({ what }) => what.grant_type)).toEqual([
        ...Array(late.length === 0 ? 2 : 1).fill('refresh_token'),
        'client_credentials',
      ]);
    }
  });

  if (replicas > 1)
    it.skipIf(!canRun)(`T-17 takes one assertion once, ${simultaneousRounds} times at the same instant at each of them`, async () => {
      const each = processes.map((process) => connect(process));
      for (let round = 0; round < simultaneousRounds; round++) {
        const request = { ...authenticate(gateway, Date.now), grant_type: 'client_credentials', audience: orders };
        const outcomes = await Promise.all(each.map(({ exchange }) => outcomeOf(unary(exchange, 'exchangeToken', request))));
        expect(answersIn(outcomes)).toHaveLength(1);
        expect(reasonsIn(outcomes)).toEqual(['CLIENT_AUTHENTICATION_FAILED', 'CLIENT_AUTHENTICATION_FAILED']);
      }
      for (const connection of each) connection.close();
    });

  if (replicas === 1)
    it.skipIf(!canRun)('T-21 is killed after a refresh token was used: the token stays used, and its replay ends the session', async () => {
      const first = await service.begin();
      const second = await service.refresh(first.refresh_token);
      service.close();
      for (const process of processes) await process.kill();
      processes = [await startTestProcess(join(directory.path, 'replica-0', 'tokenmesh.yaml'))];
      service = connect(...processes);

      expect(await service.introspect(second.access_token)).toMatchObject({ active: true });
      // unlike the request that used it up, and so a replay also within the time for retries
      const replay = await outcomeOf(service.refresh(first.refresh_token, 'orders.read'));
      expect(reasonsIn([replay])).toEqual(['GRANT_REUSED']);
      await expectOver(second);
      expect(await service.introspect(first.access_token)).toMatchObject({ active: false });
    });
});

type Outcome = { readonly response: ExchangeTokenResponse } | { readonly reason: string | undefined };

/** How a request ended, and when; a failure that is no refusal has no reason. */
async function outcomeOf(request: Promise<ExchangeTokenResponse>): Promise<Outcome & { readonly atMs: number }> {
  const outcome = await request.then(
    (response) => ({ response }),
    (error: ServiceError) => ({ reason: refusalOf(error)?.reason }),
  );
  return { ...outcome, atMs: performance.now() };
}

function answersIn(outcomes: readonly Outcome[]): readonly ExchangeTokenResponse[] {
  return outcomes.flatMap((outcome) => ('response' in outcome ? [outcome.response] : []));
}

function reasonsIn(outcomes: readonly Outcome[]): readonly (string | undefined)[] {
  return outcomes.flatMap((outcome) => ('reason' in outcome ? [outcome.reason] : []));
}

function claimsOf(token: string): { readonly jti: string } {
  return JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());
}
