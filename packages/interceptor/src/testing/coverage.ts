import { AssertionError } from 'node:assert';
import { randomUUID } from 'node:crypto';
import { type ChannelCredentials, Client, credentials, Metadata, type Server, status } from '@grpc/grpc-js';
import { exportJwk, generateSigningKey, type Reason, type SigningKey, signDpopProof } from '@tokenmesh/token';
import { authorityOf } from '../authority.ts';
import { isExempt, type Rule } from '../incoming/rules.ts';
import { authorizationOf } from './bad-tokens.ts';
import type { TestMesh } from './mesh.ts';
import { type CallOutcome, outcomeOf } from './refusal.ts';

/** One attempt on one method. */
export interface CoverageAttempt {
  /** Full method name. */
  readonly method: string;
  /** What the call lacked: `a token`, `the audience`, `the scope orders.write` … */
  readonly lacks: string;
  /** The reason for which it has to be refused. */
  readonly expected: Reason;
  /** The reason for which it was; absent: it was not. */
  readonly actual?: Reason;
  /** Whether it got as far as the handler. */
  readonly entered: boolean;
}

/** What a server refuses. */
export interface CoverageReport {
  /** Every attempt, method by method. */
  readonly attempts: readonly CoverageAttempt[];
  /** Methods that let everybody in, and why. A token that is presented to a public one is verified all the same, and was. */
  readonly exempt: readonly { readonly method: string; readonly because: 'public' | 'health' }[];
  /** Attempts that were let in, or refused for another reason than expected. Empty, or `coverage` would have thrown. */
  readonly failures: readonly CoverageAttempt[];
}

/** Where the server is, and whose it is. */
export interface CoverageOptions {
  readonly mesh: TestMesh;
  /** The workload that serves: `meshFor(self).server(…)` made the server's interceptors. */
  readonly self: string;
  /** Where the server is bound: `127.0.0.1:<port>`. */
  readonly address: string;
  /** Default plaintext. */
  readonly channelCredentials?: ChannelCredentials;
  /** Host, and port where it is not 443, that the service expects in DPoP proofs; default as for `authority` of `createMesh`. */
  readonly authority?: string;
}

/**
 * Finds out whether every method of a server refuses who may not call it: everybody without a token, with a token for another audience, without each
 * scope, and whoever lacks any other thing that its rule asks for. Real calls over the network; the handlers are not reached: others stand in
 * their place meanwhile, which note that they were.
 *
 * Does NOT try what a rule says of stale revocations, nor the kinds of bad tokens: they are the same for every method.
 *
 * @param server Bound, with its services added and the interceptors of the mesh.
 * @throws {AssertionError} When a call was let in, or refused for another reason; the message lists them, and `report` holds everything.
 * @throws {TypeError} When the server has no method, or `self` serves nothing in this test mesh.
 */
export async function coverage(server: Server, options: CoverageOptions): Promise<CoverageReport> {
  const { mesh, self, address, channelCredentials = credentials.createInsecure() } = options;
  const handlers = handlersOf(server);
  if (handlers.size === 0) throw new TypeError('the server has no method');
  const rules = new Map(mesh.rulesOf(self).map((rule) => [rule.method, rule]));
  if (rules.size === 0) throw new TypeError(`${self} serves nothing: make the server with meshFor('${self}').server(…)`);
  const client = new Client(address, channelCredentials, { 'grpc.enable_http_proxy': 0 });
  const guard = standInFor(handlers);
  try {
    const attempts: CoverageAttempt[] = [];
    for (const method of handlers.keys()) {
      if (isExempt(method)) continue;
      const presenter = createPresenter(mesh, self, options.authority, method, rules.get(method));
      for (const { lacks, expected, credential } of presenter.attempts()) {
        const before = guard.entered;
        const outcome = await call(client, method, credential);
        const actual = outcome.refusal?.reason;
        attempts.push({ method, lacks, expected, ...(actual && { actual }), entered: guard.entered > before });
      }
    }
    const exempt: CoverageReport['exempt'][number][] = [];
    for (const method of handlers.keys()) {
      if (isExempt(method)) exempt.push({ method, because: 'health' });
      else if (rules.get(method)?.public) exempt.push({ method, because: 'public' });
    }
    const failures = attempts.filter(({ expected, actual }) => actual !== expected);
    const report = { attempts, exempt, failures };
    if (failures.length > 0) throw Object.assign(new AssertionError({ message: describeFailures(failures) }), { report });
    return report;
  } finally {
    guard.restore();
    client.close();
  }
}

/** What grpc-js keeps of one method. */
interface Handler {
  func: (call: { emit(event: 'error', error: object): boolean }, respond?: (error: object) => void) => void;
}

/** The methods of a server, by full name. */
function handlersOf(server: Server): ReadonlyMap<string, Handler> {
  // True of grpc-js 1.14, which has no other way to ask a server what it serves; another version is noticed below.
  const { handlers } = server as unknown as { readonly handlers?: ReadonlyMap<string, Handler> };
  if (!(handlers instanceof Map)) throw new TypeError('this version of @grpc/grpc-js does not tell what a server serves');
  return handlers;
}

/** Puts others in the place of handlers, which end calls and count them. */
function standInFor(handlers: ReadonlyMap<string, Handler>): { readonly entered: number; restore(): void } {
  const originals = [...handlers.values()].map((handler) => ({ handler, func: handler.func }));
  const answer = { code: status.ABORTED, details: 'let in' };
  let entered = 0;
  for (const { handler } of originals) {
    handler.func = (call, respond) => {
      entered++;
      if (respond) respond(answer);
      else call.emit('error', answer);
    };
  }
  return {
    get entered() {
      return entered;
    },
    restore() {
      for (const { handler, func } of originals) handler.func = func;
    },
  };
}

type Credential = (nonce: string | undefined) => Metadata;

/** Makes credentials that satisfy everything that a rule asks for but one thing. */
function createPresenter(mesh: TestMesh, self: string, authority: string | undefined, method: string, rule: Rule | undefined) {
  const stranger = `spiffe://${mesh.trustDomain}/coverage`;
  const key = rule?.requireBinding ? generateSigningKey() : undefined;
  const { callers: [caller = stranger] = [], scopes = [], anyScope = [] } = rule ?? {};
  const [oneScope] = anyScope;
  const allScopes = [...new Set([...scopes, ...(oneScope === undefined ? [] : [oneScope])])];
  const usual = { as: caller, for: self, scope: allScopes.join(' '), ...(key && { cnf: { jkt: thumbprintOf(key) } }) };

  function present(changes: Partial<Parameters<TestMesh['token']>[0]>, unbound = false): Credential {
    const { cnf: _, ...bare } = usual;
    const token = mesh.token({ ...(unbound ? bare : usual), ...changes });
    if (!key || unbound) return () => authorizationOf(`Bearer ${token}`);
    return (nonce) => {
      const metadata = authorizationOf(`DPoP ${token}`);
      const htu = `https://${authority ?? authorityOf(self)}${method}`;
      metadata.set('dpop', signDpopProof({ key, htm: 'POST', htu, accessToken: token, nonce, now: mesh.now, newId: randomUUID }));
      return metadata;
    };
  }

  function* attempts(): Generator<{ readonly lacks: string; readonly expected: Reason; readonly credential: Credential }> {
    const none: Credential = () => new Metadata();
    if (!rule) {
      yield { lacks: 'a rule', expected: 'CALLER_NOT_ALLOWED', credential: none };
      return;
    }
    if (!rule.public) yield { lacks: 'a token', expected: 'CREDENTIAL_MISSING', credential: none };
    yield { lacks: 'the audience', expected: 'AUDIENCE_MISMATCH', credential: present({ for: stranger }) };
    for (const scope of scopes) {
      const others = allScopes.filter((one) => one !== scope).join(' ');
      yield { lacks: `the scope ${scope}`, expected: 'SCOPE_INSUFFICIENT', credential: present({ scope: others }) };
    }
    if (oneScope !== undefined) {
      const others = scopes.filter((scope) => !anyScope.includes(scope)).join(' ');
      yield { lacks: `any scope of ${anyScope.join(' ')}`, expected: 'SCOPE_INSUFFICIENT', credential: present({ scope: others }) };
    }
    if (rule.callers.length > 0) {
      yield { lacks: 'a caller who is named', expected: 'CALLER_NOT_ALLOWED', credential: present({ as: stranger }) };
    }
    if (rule.maxActDepth !== undefined) {
      const act = Array.from({ length: rule.maxActDepth + 1 }, () => caller);
      const expected = rule.maxActDepth === 0 ? 'DELEGATION_NOT_ALLOWED' : 'DELEGATION_TOO_DEEP';
      yield { lacks: 'a chain that is short enough', expected, credential: present({ sub: stranger, act }) };
    }
    if (rule.requireBinding) yield { lacks: 'a binding', expected: 'BINDING_MISMATCH', credential: present({}, true) };
  }

  return { attempts };
}

/** A call of any kind looks the same on the wire: this one sends one empty message and reads whatever comes. */
async function call(client: Client, method: string, credential: Credential): Promise<CallOutcome> {
  let nonce: string | undefined;
  const attempt = () => {
    const bytes = (message: Buffer) => message;
    const deadline = Date.now() + callTimeoutMs;
    const stream = client.makeBidiStreamRequest(method, bytes, bytes, credential(nonce), { deadline });
    stream.once('status', ({ metadata }) => {
      const [given] = metadata.get('dpop-nonce');
      if (typeof given === 'string') nonce = given;
    });
    stream.end(Buffer.alloc(0));
    return stream;
  };
  const first = await outcomeOf(attempt());
  return first.refusal?.remedy === 'nonce' ? await outcomeOf(attempt()) : first;
}

/** A call that is neither refused nor let in is no answer. */
const callTimeoutMs = 10_000;

function thumbprintOf(key: SigningKey): string {
  // RFC 7638: a key without a name of its own is named so
  return exportJwk(key).kid;
}

function describeFailures(failures: readonly CoverageAttempt[]): string {
  const lines = failures.map(({ method, lacks, expected, actual, entered }) => {
    const came = entered ? 'was let in' : actual === undefined ? 'ended otherwise' : `was refused for ${actual}`;
    return `  ${method} without ${lacks}: expected ${expected}, but it ${came}`;
  });
  return `calls that have to be refused were not:\n${lines.join('\n')}`;
}
