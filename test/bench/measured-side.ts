import { Metadata, type ServiceError, status } from '@grpc/grpc-js';
import { refusalOf, unary } from '@tokenmesh/interceptor';
import { type OrdersClient, shop } from '@tokenmesh/proto/shop';
import { type BenchMesh, bearer, channelCredentials, forge, jtiOf, obtainToken, type Workload } from './bench-mesh.ts';
import type { SdkSettings } from './bench-sdk.ts';
import type { Load, Taken } from './load.ts';
import { type Figure, summarize } from './measure.ts';
import type { ClientSettings } from './measured-client.ts';
import { type MeasuredProcess, startMeasured } from './measured-process.ts';
import type { ServerQuestion, ServerSettings, ServerUsage } from './measured-server.ts';

export type Guard = ServerSettings['guard'];
export type MeasuredServer = MeasuredProcess<ServerQuestion, ServerUsage>;

/** A server on the first processor and a client on the second. */
export interface Side {
  readonly server: MeasuredServer;
  readonly client: MeasuredProcess<Load, Taken>;
}

/** How a process is seen; absent: not at all, and `traced` says names only. */
export interface Traced {
  readonly sdk?: SdkSettings | undefined;
  readonly said?: ServerSettings['said'];
}

/** What a load took at both ends. */
export interface Slice extends Taken {
  readonly serverCpuMicros: number;
}

export function startMeasuredServer(
  { directory, tokenExchange, nats }: BenchMesh,
  guard: Guard,
  { sdk, said }: Traced = {},
): Promise<MeasuredServer> {
  const settings: ServerSettings = { directory, tokenExchange, guard, ...(nats && { nats }), ...(sdk && { sdk }), ...(said && { said }) };
  return startMeasured('measured-server.ts', settings, 0);
}

export function startMeasuredClient(
  mesh: BenchMesh,
  guard: ClientSettings['guard'],
  workload: Workload,
  { port }: MeasuredServer,
  { sdk, said }: Traced = {},
) {
  const { directory, tokenExchange } = mesh;
  const settings: ClientSettings = { directory, tokenExchange, guard, workload, port, ...(sdk && { sdk }), ...(said && { said }) };
  return startMeasured<Load, Taken>('measured-client.ts', settings, 1);
}

/**
 * Puts loads on all sides at once, as often as told, and measures nothing. V8 goes on compiling for about 20 000 calls, the first of which take two to
 * three times the processor time of later ones: of two sides the warmer one would look faster, whatever it does.
 */
export async function warmUp(sides: readonly Pick<Side, 'client'>[], loads: readonly Load[], times: number): Promise<void> {
  await Promise.all(
    sides.map(async ({ client }) => {
      for (let time = 0; time < times; time++) for (const load of loads) await client.ask(load);
    }),
  );
}

export async function measure({ server, client }: Side, load: Load): Promise<Slice> {
  const before = await server.ask({});
  const taken = await client.ask(load);
  const after = await server.ask({});
  return { ...taken, serverCpuMicros: after.cpuMicros - before.cpuMicros };
}

/** Slices that were measured one right after the other, compared: what they share, such as a busy machine, cancels out. */
export function ratios(a: readonly number[], b: readonly number[]): number[] {
  return a.map((value, index) => value / (b[index] ?? Number.NaN));
}

/** By how much the same thing, measured twice, differs: what a ratio between other things is worth. In percent, the spread with its sign. */
export function apart(name: string, same: readonly number[]): Figure {
  const figure = summarize(
    name,
    '%',
    same.map((ratio) => (ratio - 1) * 100),
    { atMost: 4 },
  );
  return { ...figure, value: Math.abs(figure.value) };
}

/** What the guards are asked in the middle of a run, by a client of grpc-js alone. */
export async function checkRefusals(mesh: BenchMesh, guarded: MeasuredServer, jose?: MeasuredServer): Promise<readonly string[]> {
  const checks: string[] = [];
  const token = await obtainToken(mesh, 'gateway');
  const expect = async (server: MeasuredServer, presented: Metadata | undefined, expected: string, check: string) => {
    const verdict = await verdictOf(mesh, server, presented);
    if (verdict !== expected) throw new Error(`${check}: expected ${expected}, was ${verdict}`);
    checks.push(check);
  };
  await expect(guarded, bearer(token), 'OK', 'a token of token-exchange is taken');
  await expect(guarded, undefined, 'CREDENTIAL_MISSING', 'a call without a token is refused while others are measured');
  await expect(guarded, bearer(forge(token)), 'TOKEN_SIGNATURE_INVALID', 'so is one with a forged token');
  await expect(guarded, bearer(forge(token), 'tokenmesh-token'), 'TOKEN_SIGNATURE_INVALID', 'so is one with that under the indexable key');
  if (jose) {
    await expect(jose, bearer(token), 'OK', 'jose takes the token as well');
    await expect(jose, bearer(forge(token)), 'UNAUTHENTICATED', 'and refuses the forged one');
  }
  await mesh.revoke(jtiOf(token));
  await knowsAll(mesh, guarded);
  await expect(guarded, bearer(token), 'TOKEN_REVOKED', 'and one with a token that was taken before and is revoked since');
  const { revocations, fresh } = await guarded.ask({});
  if (!fresh) throw new Error('the feed of the server under measurement is stale');
  checks.push(`the server's feed is fresh, with ${revocations} revocations`);
  return checks;
}

/** Waits until a server knows what was revoked by now; its own bound is 5 s. */
async function knowsAll(mesh: BenchMesh, server: MeasuredServer): Promise<void> {
  const giveUpAt = performance.now() + 10_000;
  while ((await server.ask({})).revocations < mesh.revocations) {
    if (performance.now() > giveUpAt) throw new Error('a revocation did not arrive');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

async function verdictOf(mesh: BenchMesh, server: MeasuredServer, metadata = new Metadata()): Promise<string> {
  const client = bareOrders(mesh, server);
  try {
    await unary(client, 'get', { order_id: 'order-1' }, { metadata });
    return 'OK';
  } catch (error) {
    return reasonOf(error);
  } finally {
    client.close();
  }
}

/** A client that attaches nothing by itself, with the certificate of `gateway`. */
export function bareOrders(mesh: BenchMesh, { port }: MeasuredServer): OrdersClient {
  return new shop.Orders(`localhost:${port}`, channelCredentials(mesh, 'gateway'));
}

/** The reason of a refusal, else the name of the status. */
export function reasonOf(error: unknown): string {
  // the cast holds for whatever a call ends with
  const ended = error as ServiceError;
  return refusalOf(ended)?.reason ?? status[ended.code] ?? String(error);
}
