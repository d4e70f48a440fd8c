import type { Attributes, BatchObservableResult } from '@opentelemetry/api';
import type { Freshness, RevocationEvent } from '@tokenmesh/revocation';
import { findMeter } from './meter.ts';
import type { IssuedToken, TokenChange, TokenRequest } from './outgoing/token-source.ts';
import { refusalOf } from './status.ts';

const states = ['fresh', 'stale', 'empty'] as const satisfies readonly Freshness['state'][];

/** One issuer as it is shown: each is asked when metrics are collected. */
export interface ObservedIssuer {
  readonly issuer: string;
  /** Who is known by it: several meshes of one process show side by side. */
  readonly workload: string;
  readonly freshness: () => Freshness;
  /** Since the issuer's keys were fetched last, in milliseconds; `undefined` while they never were. */
  readonly keysAgeMs: () => number | undefined;
  /** Tokens that could be presented now. */
  readonly heldTokens: () => number;
}

/**
 * Shows what is known of revocations, keys and tokens whenever metrics are collected, by `tokenmesh.issuer` and `tokenmesh.workload`; the names are in docs/reference/metrics.md. Ages
 * of what was never heard are the time since this call; a state or path is 1, and those that are or were possible are 0. Costs nothing while no SDK is
 * registered; one that is registered after this was called is not told.
 *
 * @returns The way to stop.
 */
export function observeIssuers(issuers: readonly ObservedIssuer[]): () => void {
  const meter = findMeter();
  if (!meter) return () => {};
  const startedAt = performance.now();
  const age = meter.createObservableGauge('tokenmesh.revocation.freshness.age', {
    description: 'Age of the revocation data that calls are decided by',
    unit: 's',
  });
  const state = meter.createObservableGauge('tokenmesh.revocation.freshness.state', {
    description: '1: revocation data are in this state',
    unit: '1',
  });
  const path = meter.createObservableGauge('tokenmesh.revocation.path', {
    description: '1: revocation data come over this path',
    unit: '1',
  });
  const position = meter.createObservableGauge('tokenmesh.revocation.position', {
    description: 'Last contiguous position of the revocation log that is applied',
    unit: '{event}',
  });
  const keysAge = meter.createObservableGauge('tokenmesh.jwks.age', {
    description: "Time since the issuer's keys were fetched",
    unit: 's',
  });
  const held = meter.createObservableGauge('tokenmesh.tokens.held', {
    description: 'Tokens for outgoing calls that could be presented now',
    unit: '{token}',
  });
  const gauges = [age, state, path, position, keysAge, held];
  // an SDK goes on showing a value that is not observed any more: who was stale once would be for ever
  const observed = issuers.map((one) => ({ ...one, paths: new Set<string>() }));

  function observe(result: BatchObservableResult): void {
    const sinceStartMs = performance.now() - startedAt;
    for (const { issuer, workload, freshness, keysAgeMs, heldTokens, paths } of observed) {
      const known = freshness();
      const attributes = { 'tokenmesh.issuer': issuer, 'tokenmesh.workload': workload };
      result.observe(age, (known.state === 'empty' ? sinceStartMs : known.ageMs) / 1000, attributes);
      for (const one of states) result.observe(state, one === known.state ? 1 : 0, { ...attributes, 'tokenmesh.revocation.state': one });
      const inUse = known.state === 'empty' ? undefined : known.path;
      if (inUse !== undefined) paths.add(inUse);
      for (const one of paths) result.observe(path, one === inUse ? 1 : 0, { ...attributes, 'tokenmesh.revocation.path': one });
      result.observe(position, known.state === 'empty' ? 0 : known.n, attributes);
      result.observe(keysAge, (keysAgeMs() ?? sinceStartMs) / 1000, attributes);
      result.observe(held, heldTokens(), attributes);
    }
  }

  meter.addBatchObservableCallback(observe, gauges);
  return () => meter.removeBatchObservableCallback(observe, gauges);
}

/** What is counted between this process and one issuer, as it happens: rare enough to be recorded at once. */
export interface IssuerMetrics {
  /** The exchange, timed. */
  timeExchange(exchange: (request: TokenRequest) => Promise<IssuedToken>): (request: TokenRequest) => Promise<IssuedToken>;
  /** A token was obtained, refreshed, evicted, or could not be had. */
  tokenChanged(audience: string, change: TokenChange['change']): void;
  /** An event that a path or the record brought is in force, not one of a snapshot. */
  eventApplied(event: Pick<RevocationEvent, 't'>): void;
}

const nothingCounted: IssuerMetrics = { timeExchange: (exchange) => exchange, tokenChanged() {}, eventApplied() {} };

/**
 * Counts between this process and an issuer, by `tokenmesh.issuer`; audiences are those that the program makes clients for. Costs nothing while no SDK is registered; one
 * that is registered after this was called is not told.
 *
 * @param now Wall clock, milliseconds since epoch; set against the issuer's, so that clocks which differ show in the delays. None is below 0.
 */
export function createIssuerMetrics(issuer: string, now: () => number): IssuerMetrics {
  const meter = findMeter();
  if (!meter) return nothingCounted;
  const duration = meter.createHistogram('tokenmesh.exchange.client.duration', {
    description: 'Time until token-exchange had answered a request for a token, retries included',
    unit: 's',
    advice: { explicitBucketBoundaries: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10] },
  });
  const changes = meter.createCounter('tokenmesh.tokens.changes', {
    description: 'Changes of the tokens that are held for outgoing calls',
    unit: '{change}',
  });
  const delay = meter.createHistogram('tokenmesh.revocation.apply.delay', {
    description: 'From the time of a revocation event until it was in force here',
    unit: 's',
    advice: { explicitBucketBoundaries: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300] },
  });
  const attributes = { 'tokenmesh.issuer': issuer };
  return {
    timeExchange: (exchange) => async (request) => {
      const beganAt = performance.now();
      const record = (result: Attributes) =>
        duration.record((performance.now() - beganAt) / 1000, { ...attributes, 'tokenmesh.audience': request.audience, ...result });
      try {
        const issued = await exchange(request);
        record({});
        return issued;
      } catch (error) {
        // the cast holds: whatever has no metadata has no refusal in it
        record({ 'error.type': refusalOf(error as { metadata?: never })?.reason ?? '_OTHER' });
        throw error;
      }
    },
    tokenChanged: (audience, change) => changes.add(1, { ...attributes, 'tokenmesh.audience': audience, 'tokenmesh.change': change }),
    eventApplied: ({ t }) => delay.record(Math.max(0, now() - t) / 1000, attributes),
  };
}
