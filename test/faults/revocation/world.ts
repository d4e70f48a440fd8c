import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  createFaultMesh,
  type FaultMesh,
  gateway,
  operator,
  paymentScopes,
  payments,
  type StartOptions,
  tokenExchange,
} from '../fault-mesh.ts';
import { type Program, startProgram } from '../program.ts';
import { type ByteProxy, openByteProxy } from './byte-proxy.ts';
import { createFakeClock, type FakeClock } from './fake-clock.ts';
import { createHistory, type Fact, type History, referenceMs, type VerifierTerms } from './history.ts';
import { createMessageRelay, type MessageRelay } from './message-relay.ts';
import { type NatsProcess, startNatsProcess } from './nats-process.ts';
import { type Restartable, startRestartable } from './restartable.ts';
import type { Design, VerifierOptions } from './trial-service.ts';

const verifierFile = fileURLToPath(new URL('./verifier.ts', import.meta.url));

/** Workloads that hold tokens, besides gateway, which acts for them. */
export const subjects = ['ada', 'ben', 'cleo', 'dan'].map((name) => `spiffe://faults.test/${name}`);
/** Seconds that a token for the verifiers lives: G, the longest that one may be accepted without news. */
const usualLifeSeconds = 5;
const scopes = ['payments.charge'];
/** @param shortLived Members of the grants of tokens for the verifiers; all others live for longer than a world. */
const issuerSettings = (shortLived: object) => ({
  audiences: [
    { id: payments, scopes: paymentScopes },
    { id: gateway, scopes },
  ],
  grants: [
    { from: gateway, ...shortLived, delegation: { scopes } },
    ...subjects.flatMap((from) => [
      { from, ...shortLived },
      { from, to: gateway, scopes },
    ]),
    { from: operator, to: tokenExchange, scopes: ['admin.read', 'admin.revoke', 'admin.keys'] },
  ],
});
/** Default of `clockToleranceSeconds`. */
const toleranceMs = 5_000;
/** S of each verifier: with the first ones, most of what they know comes as answers to their own questions; the last one lives by broadcasts. */
const staleAfterMs = [1_000, 1_600, 2_600];

/** token-exchange in a process of its own. */
export interface IssuerProcess extends Restartable {
  /** The SQLite file of its record. */
  readonly database: string;
  /** Runs the command `begin-epoch` on its record; it must not be running. The position of the new log's first event. */
  beginEpoch(): Promise<number>;
  /** Starts another one with the same settings, on `record.db` in this directory of the mesh: its own is `issuer`. */
  startSecond(directory: string): Promise<Program>;
}

/** A guarded server in a process of its own. */
export interface VerifierProcess extends Restartable {
  readonly terms: VerifierTerms;
  /** What it told last of its freshness since it was started: `empty`, `fresh` or `stale`. */
  readonly freshness: string;
  readonly links: {
    readonly nats: ByteProxy;
    readonly tokenExchange: ByteProxy;
    /** Between those who call it and it; no fault touches it. */
    readonly callers: ByteProxy;
  };
  /** What NATS sends to it. */
  readonly messages: MessageRelay;
  /** Keeps its event loop from everything else for so long. */
  stall(ms: number): void;
}

/** One mesh with everything around it that can break: own processes, own directories, own links. */
export interface World {
  readonly mesh: FaultMesh;
  readonly nats: NatsProcess;
  readonly issuer: IssuerProcess;
  readonly verifiers: readonly VerifierProcess[];
  /** Between token-exchange and NATS. */
  readonly issuerToNats: ByteProxy;
  /** Between those who hold tokens or revoke and token-exchange; no fault touches it. */
  readonly callersToIssuer: ByteProxy;
  /** Wall clocks of processes, by `issuer` or the name of a verifier; none without libfaketime. */
  readonly clocks: ReadonlyMap<string, FakeClock>;
  /** Where facts go now; another one for each schedule. */
  history: History;
  note(fact: Fact): void;
  close(): Promise<void>;
}

export interface WorldOptions {
  /** The nats-server to run. */
  readonly natsPath: string;
  /** S of each verifier in milliseconds; as many verifiers. Default: three. */
  readonly staleAfterMs?: readonly number[];
  /** How the verifiers take revocations, all of them or one after the other; default `real`. */
  readonly design?: Design | readonly Design[];
  /** How long tokens for the verifiers live, and G; default 5 s. */
  readonly lifeSeconds?: number;
  /** Further settings of token-exchange. */
  readonly settings?: object;
  /** How processes are started, by `issuer` or the name of a verifier; default: as they are. */
  readonly start?: (process: string) => StartOptions;
  /** libfaketime, for clocks that can be set; default: all processes have the machine's clock. */
  readonly faketime?: string | undefined;
}

/** Brings up a world and resolves when every verifier can judge. */
export async function createWorld(options: WorldOptions): Promise<World> {
  const { natsPath, faketime, lifeSeconds = usualLifeSeconds, start: startAs = (): StartOptions => ({}) } = options;
  await using opened = new AsyncDisposableStack();
  const mesh = await createFaultMesh(subjects.map((subject) => subject.slice(subject.lastIndexOf('/') + 1)));
  opened.defer(() => mesh.remove());
  const own = async (proxy: Promise<ByteProxy>) => opened.adopt(await proxy, (open) => open.close());
  const nats = await startNatsProcess({ name: 'nats', path: natsPath, directory: join(mesh.directory, 'nats') });
  opened.defer(() => nats.kill());

  const clocks = new Map<string, FakeClock>();
  function start(process: string): StartOptions {
    const given = startAs(process);
    if (faketime === undefined) return given;
    const clock = clocks.get(process) ?? createFakeClock(faketime, mesh.directory, process);
    clocks.set(process, clock);
    return { ...given, env: { ...clock.env, ...given.env } };
  }
  const issuerToNats = await own(openByteProxy({ target: nats.port }));
  const callersToIssuer = await own(openByteProxy({ target: 0 }));
  const toIssuer = [callersToIssuer];
  const shortLived = { to: payments, scopes, max_life: `${lifeSeconds}s`, refresh: true };
  const settings = { ...issuerSettings(shortLived), ...options.settings, nats: { servers: [`nats://127.0.0.1:${issuerToNats.port}`] } };
  const store = { sqlite: 'record.db' };
  const stream = await mesh.command('nats-stream', 'issuer', { store, settings });
  if (stream.code !== 0) throw new Error(`the stream could not be created: ${stream.output}`);
  const issuer = await startRestartable(
    (given) => mesh.start('issuer', store, settings, { ...start('issuer'), ...given }),
    (port) => {
      for (const link of toIssuer) link.aim(port);
    },
  );
  opened.defer(() => issuer.kill());

  let history = createHistory('before the first schedule');
  const note = (fact: Fact) => history.note(fact);
  const verifiers = await Promise.all(
    (options.staleAfterMs ?? staleAfterMs).map(async (ms, index) => {
      const terms = { verifier: `verifier-${index}`, staleAfterMs: ms, graceMs: lifeSeconds * 1000, toleranceMs };
      const messages = createMessageRelay();
      const links = {
        nats: await own(openByteProxy({ target: nats.port, relay: messages.relay })),
        tokenExchange: await own(openByteProxy({ target: issuer.program.port })),
        callers: await own(openByteProxy({ target: 0 })),
      };
      toIssuer.push(links.tokenExchange);
      const design = [options.design ?? 'real'].flat();
      const verifier = await startVerifier({
        ...{ start, terms, links, directory: mesh.directory, note },
        design: design[index] ?? design[0] ?? 'real',
      });
      opened.defer(() => verifier.kill());
      return {
        ...{ terms, links, messages },
        get program() {
          return verifier.program;
        },
        get freshness() {
          return verifier.freshness();
        },
        kill: verifier.kill,
        start: verifier.start,
        pause: verifier.pause,
        resume: verifier.resume,
        stall: (forMs: number) => verifier.program.tell(`stall ${forMs}`),
      };
    }),
  );

  const everything = opened.move();
  return {
    ...{ mesh, nats, verifiers, issuerToNats, callersToIssuer, clocks, note },
    issuer: {
      get program() {
        return issuer.program;
      },
      kill: issuer.kill,
      start: issuer.start,
      pause: issuer.pause,
      resume: issuer.resume,
      database: join(mesh.directory, 'issuer', store.sqlite),
      startSecond: (directory) => mesh.start(directory, store, settings),
      async beginEpoch() {
        const { code, output } = await mesh.command('begin-epoch', 'issuer');
        const n = /begins at (\d+)/.exec(output)?.[1];
        if (code !== 0 || n === undefined) throw new Error(`begin-epoch failed: ${output}`);
        return Number(n);
      },
    },
    get history() {
      return history;
    },
    set history(next) {
      history = next;
    },
    close: () => everything.disposeAsync(),
  };
}

interface VerifierSetting extends Pick<WorldOptions, 'start'> {
  readonly design: Design;
  readonly terms: VerifierTerms;
  readonly links: VerifierProcess['links'];
  readonly directory: string;
  readonly note: (fact: Fact) => void;
}

/** Starts a verifier and resolves when it can judge. */
async function startVerifier({ terms, links, directory, note, design, start = () => ({}) }: VerifierSetting) {
  const { verifier, staleAfterMs, graceMs } = terms;
  const argument: VerifierOptions = {
    ...{ design, staleAfterMs, graceMs, directory },
    ...{ tokenExchange: links.tokenExchange.port, nats: links.nats.port },
  };
  const ready = Promise.withResolvers<void>();
  let freshness = 'empty';
  function onLine(line: string): void {
    const { event, what, detail } = JSON.parse(line) as { readonly event: string; readonly what: string; readonly detail: string };
    if (event === 'ready') ready.resolve();
    if (event !== 'told') return;
    if (what === 'freshness') freshness = detail;
    note({ type: 'verifier', at: referenceMs(), verifier, what, detail });
  }
  const running = await startRestartable(
    (given) => {
      freshness = 'empty';
      const usual = start(verifier);
      const env = { ...usual.env, ...given?.env };
      return startProgram(verifierFile, [JSON.stringify(argument)], env, { ...usual, ...given, onLine });
    },
    (port) => links.callers.aim(port),
  );
  await ready.promise;
  return Object.assign(running, { freshness: () => freshness });
}
