import { context, type Span, SpanKind, trace } from '@opentelemetry/api';
import { NodeSDK } from '@opentelemetry/sdk-node';
import { InMemorySpanExporter, type ReadableSpan, type Sampler, SamplingDecision, SimpleSpanProcessor } from '@opentelemetry/sdk-trace';
import { tokenIdHash } from '@tokenmesh/interceptor';
import type { FeedPublisher, PublishedEvent } from '@tokenmesh/revocation';
import { parseJws, tokenTypes } from '@tokenmesh/token';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { clientCredentialsGrant } from './grants/exchange-token.ts';
import { traceOperations } from './grants/grant-span.ts';
import { createOperations, type TokenOperations } from './grants/operations.ts';
import { startKeyRotation } from './keys/key-rotation.ts';
import { openKeyRing } from './keys/keys.ts';
import {
  authenticate,
  createTestIssuer,
  createTestLog,
  encryption,
  exchangeRequest,
  gateway,
  introspectRequest,
  newId,
  operator,
  orders,
  revokeRequest,
  type TestIssuer,
} from './testing.ts';

const exporter = new InMemorySpanExporter();
let sampled = true;
const sampler: Sampler = {
  shouldSample: () => ({ decision: sampled ? SamplingDecision.RECORD_AND_SAMPLED : SamplingDecision.NOT_RECORD }),
  toString: () => 'as the test says',
};
const sdk = new NodeSDK({ sampler, spanProcessors: [new SimpleSpanProcessor({ exporter })], metricReaders: [], logRecordProcessors: [] });
beforeAll(() => sdk.start());
afterAll(() => sdk.shutdown());

let issuer: TestIssuer;
let published: PublishedEvent[];
let courierIsUp: boolean;

beforeEach(async () => {
  exporter.reset();
  [sampled, published, courierIsUp] = [true, [], true];
  const publisher: FeedPublisher = {
    name: 'memory',
    async publishEvent(event) {
      if (!courierIsUp) throw new Error('the courier is away');
      published.push(event);
    },
    publishCheckpoint: () => {},
    close: async () => {},
  };
  issuer = await createTestIssuer({ log: { publisher } });
});
afterEach(() => issuer.close());

/** Runs inside a span of a call, as a handler does, and returns that span when it has ended. */
async function inCall<T>(work: () => Promise<T>): Promise<{ readonly span: ReadableSpan; readonly result: PromiseSettledResult<T> }> {
  const span: Span = trace.getTracer('test').startSpan('call', { kind: SpanKind.SERVER });
  const [result] = await Promise.allSettled([context.with(trace.setSpan(context.active(), span), work)]);
  span.end();
  // the SDK's spans are readable
  return { span: span as Span & ReadableSpan, result };
}

async function finished(name: string, count = 1): Promise<readonly ReadableSpan[]> {
  await expect.poll(() => exporter.getFinishedSpans().filter((span) => span.name === name)).toHaveLength(count);
  return exporter.getFinishedSpans().filter((span) => span.name === name);
}

describe('the span of a revocation', () => {
  const revoke = (value: string) => issuer.revocations.append({ requestedBy: operator, targets: [{ kind: 'subject', value }] });

  it('belongs to the call that asked for it, and travels with the event to the courier and to streams', async () => {
    const told: (string | undefined)[] = [];
    issuer.revocations.listen({ onEvent: ({ traceparent }) => told.push(traceparent), onCheckpoint: () => {} });
    const { span } = await inCall(() => revoke('a'));
    const [publishing] = await finished('tokenmesh.revocation.publish');
    const { traceId, spanId } = publishing?.spanContext() ?? {};
    expect(publishing).toMatchObject({
      kind: SpanKind.PRODUCER,
      parentSpanContext: { spanId: span.spanContext().spanId },
      links: [],
      attributes: {
        'tokenmesh.revocation.position': 1,
        'tokenmesh.revocation.targets': 1,
        'tokenmesh.revocation.kinds': ['subject'],
        'tokenmesh.revocation.requests': 1,
        'tokenmesh.revocation.broadcast': 'sent',
      },
    });
    expect([published[0]?.traceparent, told[0]]).toEqual(Array(2).fill(`00-${traceId}-${spanId}-01`));
  });

  it('is one for those that share an event, and linked to the calls that are not its own', async () => {
    const calls = await Promise.all(['a', 'b', 'c'].map((value) => inCall(() => revoke(value))));
    const [publishing] = await finished('tokenmesh.revocation.publish');
    const [first, ...others] = calls.map(({ span }) => span.spanContext().spanId);
    expect(publishing?.parentSpanContext?.spanId).toBe(first);
    expect(publishing?.links.map((link) => link.context.spanId)).toEqual(others);
    expect(publishing?.attributes['tokenmesh.revocation.requests']).toBe(3);
  });

  it('says that the courier did not take it', async () => {
    courierIsUp = false;
    await inCall(() => revoke('a'));
    expect((await finished('tokenmesh.revocation.publish'))[0]?.attributes['tokenmesh.revocation.broadcast']).toBe('pending');
  });

  it('goes with an event that the courier takes on a later attempt, so that verifiers are linked to who asked for it', async () => {
    courierIsUp = false;
    await inCall(() => revoke('a'));
    const [publishing] = await finished('tokenmesh.revocation.publish');
    courierIsUp = true;
    await expect.poll(() => published.map(({ n }) => n), { timeout: 5_000 }).toEqual([1]);
    const { traceId, spanId } = publishing?.spanContext() ?? {};
    expect(published[0]?.traceparent).toBe(`00-${traceId}-${spanId}-01`);
  });

  it('sends no context where it is not sampled', async () => {
    sampled = false;
    await revoke('a');
    expect(published.map(({ traceparent }) => traceparent)).toEqual([undefined]);
  });
});

describe('the span of a call to token-exchange', () => {
  let operations: TokenOperations;
  beforeEach(() => {
    operations = traceOperations(
      createOperations(
        { run: (work) => work(issuer), keys: issuer.keys, config: { ...issuer.config, development: false } },
        createTestLog(),
      ),
    );
  });
  const ask = (parameters: object = {}) =>
    operations.exchange(
      exchangeRequest({ grant_type: clientCredentialsGrant, audience: orders, ...authenticate(gateway, issuer.now), ...parameters }),
    );
  const claimsOf = (compact = '') => parseJws(compact, { typ: tokenTypes.serviceToken }).payload;

  it('says what was issued, by which grant and rule, and names the token by the hash that verifiers name it by', async () => {
    const { span, result } = await inCall(ask);
    const { jti } = claimsOf(result.status === 'fulfilled' ? result.value.access_token : '');
    expect(span.attributes).toEqual({
      'tokenmesh.grant.outcome': 'issued',
      'tokenmesh.grant.type': clientCredentialsGrant,
      'tokenmesh.grant.rule': `grant from ${gateway} to ${orders}`,
      'tokenmesh.client_id': gateway,
      'tokenmesh.token.id_hash': tokenIdHash(String(jti)),
      'tokenmesh.token.audience': orders,
      'tokenmesh.delegation.depth': 0,
    });
  });

  it('says why nothing was issued, and nothing that the client wrote', async () => {
    const secret = 'tm_what-should-have-been-elsewhere';
    const refusals = [
      await inCall(() => ask({ audience: secret })),
      await inCall(() => ask({ grant_type: secret })),
      await inCall(() => ask({ client_id: secret })),
    ];
    const [noTarget, noGrant, noClient] = refusals.map(({ span }) => span.attributes);
    expect(noTarget).toEqual({
      'tokenmesh.grant.outcome': 'refused',
      'tokenmesh.grant.type': clientCredentialsGrant,
      'tokenmesh.reason': 'TARGET_REFUSED',
    });
    expect(noGrant).toEqual({ 'tokenmesh.grant.outcome': 'refused', 'tokenmesh.reason': 'GRANT_TYPE_UNSUPPORTED' });
    expect(noClient).toMatchObject({ 'tokenmesh.grant.outcome': 'refused', 'tokenmesh.reason': 'CLIENT_AUTHENTICATION_FAILED' });
    expect(JSON.stringify(refusals.map(({ span }) => [span.attributes, span.events, span.status]))).not.toContain(secret);
  });

  it('has an event for each of several requests', async () => {
    const one = (audience: string) => exchangeRequest({ grant_type: clientCredentialsGrant, audience });
    const { span } = await inCall(() =>
      operations.exchangeSeveral({ ...authenticate(gateway, issuer.now), requests: [one(orders), one(operator)] }),
    );
    expect(
      span.events.map(({ name, attributes = {} }) => [name, attributes['tokenmesh.grant.outcome'], attributes['tokenmesh.reason']]),
    ).toEqual([
      ['tokenmesh.grant', 'issued', undefined],
      ['tokenmesh.grant', 'refused', 'TARGET_REFUSED'],
    ]);
  });

  it('says whether a token was active, and where in the log it was revoked', async () => {
    const { access_token: token } = await ask();
    const asked = await inCall(() => operations.introspect(introspectRequest({ token, ...authenticate(gateway, issuer.now) })));
    expect(asked.span.attributes).toEqual({ 'tokenmesh.introspection.active': true });
    const revoked = await inCall(() => operations.revoke(revokeRequest({ token, ...authenticate(gateway, issuer.now) })));
    expect(revoked.span.attributes).toEqual({ 'tokenmesh.revocation.position': 1 });
  });
});

describe('the span of a change of keys', () => {
  it('says of each step which key became what, in a trace of its own', async () => {
    let nowMs = issuer.now();
    const now = () => nowMs;
    const { store } = issuer;
    const keys = await openKeyRing({ store, encryption, alg: 'ES256', now });
    const day = 86_400_000;
    const settings = {
      alg: 'ES256',
      rotateEveryMs: day,
      activationTimeoutMs: 60_000,
      feedAnnouncementMs: 30_000,
      longestLifeMs: 1,
    } as const;
    const onProblem = (problem: string, error: unknown) => issuer.problems.push(problem, error);
    const rotation = startKeyRotation({ store, keys, reports: { list: () => [] }, log: createTestLog(), onProblem, now, newId, settings });
    await rotation.check();
    const next = keys.token.next;
    nowMs += day + 60_000;
    await rotation.check();
    await rotation.close();
    expect(issuer.problems).toEqual([]);
    const steps = exporter.getFinishedSpans().filter(({ name }) => name === 'tokenmesh.key.change');
    expect(steps.map(({ attributes }) => attributes)).toEqual(
      expect.arrayContaining([
        { 'tokenmesh.key.purpose': 'token', 'tokenmesh.key.state': 'prepared' },
        { 'tokenmesh.key.purpose': 'token', 'tokenmesh.key.state': 'published', 'tokenmesh.key.id': next, 'tokenmesh.key.forced': false },
        { 'tokenmesh.key.purpose': 'token', 'tokenmesh.key.state': 'active', 'tokenmesh.key.id': next, 'tokenmesh.key.forced': false },
      ]),
    );
    expect(steps.map(({ parentSpanContext }) => parentSpanContext)).toEqual(steps.map(() => undefined));
  });
});
