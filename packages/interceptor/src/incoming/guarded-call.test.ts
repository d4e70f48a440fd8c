import { hash } from 'node:crypto';
import type { PeerCertificate } from 'node:tls';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Metadata, type ServerInterceptingCallInterface, status } from '@grpc/grpc-js';
import { type Span, trace } from '@opentelemetry/api';
import { type Reason, TokenError, type VerifiedToken } from '@tokenmesh/token';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createServerMetrics } from '../call-metrics.ts';
import { spanAttributes, spanEvents } from '../semantic-conventions.ts';
import type { ServerCallListener, ServerCallStatus } from '../server-call-layer.ts';
import { type AwaitedRequests, createAwaitedRequests } from './awaited-requests.ts';
import { certificateThumbprintOf } from './call-peer.ts';
import { createCaller, findCaller } from './caller.ts';
import { type Guard, GuardedCall } from './guarded-call.ts';
import type { LiveCall } from './live-calls.ts';
import { createRefusalStatuses } from './refusal-statuses.ts';
import { type Rule, readRule } from './rules.ts';
import { createRenewableStreams } from './stream-credential.ts';
import { callTracer } from './traced-call.ts';
import type { AdmittedCall, CallVerifier, VerifiedListener } from './verify-call.ts';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void; // which the flag makes

const claims = {
  iss: 'i',
  sub: 'alice',
  aud: 'a',
  exp: 100,
  iat: 1,
  jti: 'j1',
  client_id: 'gateway',
  scope: 'orders.read',
  txn: 't1',
  rn: 0,
};
const token: VerifiedToken = { kid: 'k1', scope: ['orders.read'], claims };
const admitted: AdmittedCall = { token, caller: createCaller(token, 'the token') };
const path = '/shop.v1.Orders/Get';

/** What came out of the call towards its caller, and into its handler, in order. */
let lines: string[];
let decide: (onVerified: VerifiedListener | undefined) => AdmittedCall | Promise<AdmittedCall>;
let live: LiveCall | undefined;
let awaited: AwaitedRequests;
let guard: Guard;

beforeEach(() => {
  lines = [];
  live = undefined;
  decide = () => admitted;
  awaited = createAwaitedRequests(30_000);
  const verifier: CallVerifier = {
    verify: (_, __, ___, onVerified) => decide(onVerified),
    staleness: () => 'fresh',
    findRevocation: () => undefined,
    onRevocation: () => () => {},
    proofNonce: () => undefined,
    now: Date.now,
  };
  guard = {
    verifier,
    liveCalls: {
      add(call) {
        live = call;
        return { token, rule: call.rule, renew: () => 0, release() {} };
      },
      size: 0,
      close() {},
    },
    streams: createRenewableStreams(),
    awaited,
    metrics: createServerMetrics(() => 0),
    statusOf: createRefusalStatuses(),
    namesIssuers: false,
    onRefused: undefined,
  };
});

afterEach(() => {
  awaited.close();
  guard.metrics.close();
});

const traceCall = callTracer({});

/** The call as grpc-js has it: what is nearest to its caller. */
class BaseCall implements ServerInterceptingCallInterface {
  listener: ServerCallListener | undefined;
  start(listener: ServerCallListener) {
    this.listener = listener;
  }
  sendMetadata() {
    lines.push('< metadata');
  }
  sendMessage(message: unknown) {
    lines.push(`< ${message}`);
  }
  sendStatus({ code }: ServerCallStatus) {
    lines.push(`< ${status[code ?? status.UNKNOWN]}`);
  }
  startRead() {}
  getPeer = () => '127.0.0.1:1';
  getDeadline = () => Number.POSITIVE_INFINITY;
  getHost = () => 'localhost';
  // true of what is looked at, which is `raw`
  getAuthContext = () => ({ sslPeerCertificate: { raw: Buffer.from('a certificate') } as PeerCertificate });
  getConnectionInfo = () => ({});
  // not asked for here
  getMetricsRecorder(): never {
    throw new Error('no metrics');
  }
}

const handler = {
  onReceiveMetadata: (metadata: Metadata): unknown => lines.push(`metadata of ${findCaller({ metadata })?.sub}`),
  onReceiveMessage: (message: unknown) => void lines.push(String(message)),
  onReceiveHalfClose: () => void lines.push('half-close'),
  onCancel: () => void lines.push('over'),
};

function open({
  rule = readRule(path, { scopes: ['orders.read'] }),
  requestStream = false,
  authorization = 'Bearer a.b.c',
  onReceiveMetadata = handler.onReceiveMetadata,
}) {
  const base = new BaseCall();
  const method = { path, requestStream, responseStream: false, requestDeserialize: () => '', responseSerialize: () => Buffer.alloc(0) };
  const call = new GuardedCall(guard, method, rule, base, traceCall(path, base));
  call.start({ ...handler, onReceiveMetadata });
  const metadata = new Metadata();
  if (authorization) metadata.set('authorization', authorization);
  base.listener?.onReceiveMetadata(metadata);
  // what grpc-js would give it, were the call started
  const { listener = handler } = base;
  return { call, listener };
}

describe('a call whose token is still verified', () => {
  it('gives its handler nothing, and then what came meanwhile in its order', async () => {
    const { promise, resolve } = Promise.withResolvers<AdmittedCall>();
    decide = () => promise;
    const { listener } = open({ requestStream: true });
    listener.onReceiveMessage('one');
    listener.onReceiveMessage('two');
    listener.onReceiveHalfClose();
    expect(lines).toEqual([]);
    resolve(admitted);
    await promise;
    expect(lines).toEqual(['metadata of alice', 'one', 'two', 'half-close']);
    listener.onCancel();
    expect(lines.at(-1)).toBe('over');
  });

  it.each<[string, () => Promise<AdmittedCall>]>([
    ['is refused', () => Promise.reject(new TokenError('TOKEN_EXPIRED', 'expired'))],
    ['is verified by something that breaks', () => Promise.reject(new Error('broken'))],
  ])('gives its handler nothing when it %s, not what came before nor what comes after', async (_, outcome) => {
    decide = outcome;
    const { listener } = open({ requestStream: true });
    listener.onReceiveMessage('one');
    await new Promise((resolve) => setImmediate(resolve));
    listener.onReceiveMessage('two');
    listener.onReceiveHalfClose();
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(/^< (UNAUTHENTICATED|INTERNAL)$/);
  });

  it('gives its handler nothing when it is cancelled before', async () => {
    const { promise, resolve } = Promise.withResolvers<AdmittedCall>();
    decide = () => promise;
    const { listener } = open({});
    listener.onReceiveMessage('one');
    listener.onCancel();
    resolve(admitted);
    await promise;
    listener.onReceiveHalfClose();
    expect(lines).toEqual(['over']);
  });
});

describe('a service that throws when it is told of a refusal', () => {
  const expired = new TokenError('TOKEN_EXPIRED', 'expired');
  let told: number;
  beforeEach(() => {
    told = 0;
    const onRefused = () => {
      told++;
      throw new Error('broken');
    };
    guard = { ...guard, onRefused };
  });

  it.each<[string, () => AdmittedCall | Promise<AdmittedCall>]>([
    [
      'at once',
      () => {
        throw expired;
      },
    ],
    ['later', () => Promise.reject(expired)],
  ])('refuses the call all the same: %s', async (_, outcome) => {
    decide = outcome;
    open({});
    await new Promise((resolve) => setImmediate(resolve));
    expect({ lines, told }).toEqual({ lines: ['< UNAUTHENTICATED'], told: 1 });
  });

  it('ends the stream all the same', () => {
    open({ requestStream: true });
    live?.end(expired);
    expect({ lines, told }).toEqual({ lines: ['metadata of alice', '< UNAUTHENTICATED'], told: 1 });
  });
});

it('keeps no message of a call that is over before its token is verified, though the call itself is still known', async () => {
  const { promise, resolve } = Promise.withResolvers<AdmittedCall>();
  decide = () => promise;
  const begin = () => {
    const { call, listener } = open({ requestStream: true });
    const message = Buffer.alloc(16);
    listener.onReceiveMessage(message);
    return { call, listener, message: new WeakRef(message) };
  };
  const [over, waiting] = [begin(), begin()];
  over.listener.onCancel();
  await new Promise((done) => setImmediate(done)); // a WeakRef holds until the end of its turn
  collectGarbage();
  expect([over.message.deref(), waiting.message.deref()]).toEqual([undefined, Buffer.alloc(16)]);
  resolve(admitted);
  await promise;
  expect([over.call.getPeer(), waiting.call.getPeer()]).toEqual(['127.0.0.1:1', '127.0.0.1:1']);
});

it('tells the handler of a call nothing once it is over', () => {
  const { listener } = open({});
  listener.onCancel();
  listener.onReceiveMessage('late');
  listener.onReceiveHalfClose();
  expect(lines).toEqual(['metadata of alice', 'over']);
});

it.each(['', 'Bearer a.b.c'])('tells the handler of a public method whose certificate its caller has, who presents %j', (authorization) => {
  const seen: (string | undefined)[] = [];
  // the handler's call, asked of which it would be read anew
  const see = (metadata: Metadata) => seen.push(certificateThumbprintOf({ metadata, getAuthContext: () => ({}) }));
  for (const rule of [readRule(path, { public: true }), readRule(path, { scopes: ['orders.read'] })]) {
    open({ rule, authorization, onReceiveMetadata: see });
  }
  expect(seen).toEqual([hash('sha256', 'a certificate', 'base64url'), ...(authorization ? [undefined] : [])]);
});

/** What was asked of a span, and of what is only read to be told by one. */
let asked: string[];
let span: Span;
const tracer = { startSpan: () => span, startActiveSpan: () => undefined as never };

function traceWith(isRecording: boolean): void {
  asked = [];
  const note = (name: string) => (first?: unknown) => {
    asked.push(`${name} ${typeof first === 'object' && first !== null ? Object.keys(first).join() : first}`);
  };
  const names = ['setAttribute', 'setAttributes', 'addEvent', 'addLink', 'addLinks', 'setStatus', 'updateName', 'recordException', 'end'];
  span = {
    ...Object.fromEntries(names.map((name) => [name, note(name)])),
    spanContext: () => ({ traceId: '1'.repeat(32), spanId: '1'.repeat(16), traceFlags: Number(isRecording) }),
    isRecording: () => isRecording,
  } as unknown as Span; // the cast holds for what is asked of it here: nothing is chained
}

/** A rule that nobody but a span reads here: the verifier is none. */
function watchedRule(): Rule {
  const { scopes, ...rule } = readRule(path, { scopes: ['orders.read'] });
  return Object.defineProperty(rule, 'scopes', {
    get() {
      asked.push('scopes of the rule');
      return scopes;
    },
  }) as Rule; // the cast holds: it has its scopes again
}

const ways: Record<string, () => void> = {
  'is admitted': () => {
    const { call, listener } = open({ rule: watchedRule() });
    call.sendStatus({ code: status.OK, details: '' });
    listener.onCancel();
  },
  'is refused': () => {
    decide = () => {
      throw new TokenError('TOKEN_REVOKED' satisfies Reason, 'revoked');
    };
    open({ rule: readRule(path, { scopes: ['orders.read'] }) });
  },
  'is cancelled': () => open({ rule: watchedRule() }).listener.onCancel(),
  'is a stream that is ended': () => {
    open({ rule: readRule(path, { scopes: ['orders.read'] }), requestStream: true });
    live?.end(new TokenError('TOKEN_REVOKED', 'revoked'));
  },
};

it('has no layer of its own for spans while nobody traces', () => {
  expect(traceCall(path, new BaseCall())).toBeUndefined();
});

describe.each(Object.keys(ways))('a call that %s', (way) => {
  // never taken back: the interceptor's tracer would not know of the next one
  beforeAll(() => void trace.setGlobalTracerProvider({ getTracer: () => tracer }));

  // the cast holds: they are its keys
  const happens = ways[way] as () => void;
  let wasToldOfToken: boolean;

  beforeEach(() => {
    wasToldOfToken = false;
    const before = decide;
    decide = (onVerified) => {
      wasToldOfToken = onVerified !== undefined;
      onVerified?.(token, { state: 'empty' }, true);
      return before(onVerified);
    };
  });

  it('has no attribute, event or link computed when it is sampled out', () => {
    traceWith(false);
    happens();
    expect(asked).toEqual([]);
    expect(wasToldOfToken).toBe(false);
    expect(lines.length).toBeGreaterThan(0);
  });

  it('has them when it is recorded', () => {
    traceWith(true);
    happens();
    expect(asked).toContain(`addEvent ${spanEvents.decision}`);
    expect(asked.at(-1)).toBe('end undefined');
    expect(asked.filter((line) => line.startsWith('end'))).toHaveLength(1);
    if (way !== 'is refused') {
      expect(wasToldOfToken).toBe(true);
      expect(asked.some((line) => line.includes(spanAttributes.tokenId))).toBe(true);
    }
  });
});
