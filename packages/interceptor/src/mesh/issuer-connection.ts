import type { ServedMethods } from '@tokenmesh/proto';
import { createRevocationFeed, type FeedStatus, type Freshness, type RevocationFeed } from '@tokenmesh/revocation';
import { parseSpiffeId, trustDomainOf } from '@tokenmesh/token';
import packageJson from '../../package.json' with { type: 'json' };
import { parseAuthority } from '../authority.ts';
import { createRemoteKeySet, type RemoteKeySet } from '../incoming/remote-key-set.ts';
import type { Rule } from '../incoming/rules.ts';
import { servedMethods } from '../incoming/served-methods.ts';
import { createIssuerMetrics } from '../metrics.ts';
import type { ExchangeClient } from '../outgoing/exchange-client.ts';
import { createTokenSource, type ObservedTokenSource, type TokenChange } from '../outgoing/token-source.ts';
import type { TracingOptions } from '../tracing.ts';
import { traceApplied } from './applied-span.ts';
import type { OpenIssuerChannel } from './issuer-channel.ts';

export interface IssuerConnectionOptions {
  /** This workload's identity at the issuer. */
  readonly self: string;
  /** Where its token-exchange is, `host:port` each, for those who look at the mesh. */
  readonly addresses: readonly string[];
  readonly open: OpenIssuerChannel;
  /** Default `https://token-exchange.<trust domain of self>`. */
  readonly issuer?: string;
  /** Default `spiffe://<trust domain of self>/token-exchange`. */
  readonly tokenExchangeAudience?: string;
  readonly staleAfterMs?: number | undefined;
  /** Has its tokens carried as `tokenmesh-token` to audiences that take that. */
  readonly compactMetadata: boolean;
  /** Thumbprint of the certificate that calls are made with now; `undefined` without one. */
  readonly certificate: () => string | undefined;
  /** Host of token-exchange, and its port where that is not 443, in proofs; default the issuer's. */
  readonly tokenExchangeAuthority?: string;
  /** Which of its own calls begin traces. */
  readonly tracing: TracingOptions;
  /** Told what changes; must not throw. */
  readonly onChange: (change: IssuerChange) => void;
  readonly now: () => number;
  readonly newId: () => string;
  readonly random: () => number;
}

/** What changed between this process and one issuer. */
export type IssuerChange =
  | (TokenChange & { readonly issuer: string })
  /** Other keys verify its tokens than before. */
  | { readonly type: 'keys'; readonly issuer: string; readonly kids: readonly string[] }
  /** Its revocations are `fresh` now, or `stale`. */
  | { readonly type: 'freshness'; readonly issuer: string; readonly state: Freshness['state'] }
  /** Something was wrong about its revocation feed: see `FeedStatus` of @tokenmesh/revocation. */
  | { readonly type: 'feed'; readonly issuer: string; readonly status: Exclude<FeedStatus, { readonly type: 'freshness' }> };

/** One issuer, connected: its tokens for this workload, its keys and its revocations. Nothing of it serves for another issuer. */
export interface IssuerConnection {
  readonly issuer: string;
  readonly self: string;
  readonly tokenExchangeAudience: string;
  /** Of token-exchange, `host:port` each. */
  readonly addresses: readonly string[];
  readonly exchangeClient: ExchangeClient;
  readonly source: ObservedTokenSource;
  readonly keys: RemoteKeySet;
  readonly feed: RevocationFeed;
  /**
   * Tells token-exchange what this verifier knows and serves, now, every few seconds and when that changes; until then it does not count as a
   * verifier. Called again, what it serves is replaced.
   */
  startReporting(rules: readonly Rule[]): void;
  close(): Promise<void>;
}

/** How often a process that verifies tells token-exchange what it knows. */
const reportEveryMs = 5_000;

/**
 * Connects to the token-exchange of each issuer, without waiting for any.
 *
 * @throws {TypeError} An option is missing or out of its range, or two are the same issuer. Nothing is left open then.
 */
export async function connectIssuers(
  options: readonly [IssuerConnectionOptions, ...IssuerConnectionOptions[]],
): Promise<[IssuerConnection, ...IssuerConnection[]]> {
  const [own, ...others] = options;
  const opened: [IssuerConnection, ...IssuerConnection[]] = [await connectIssuer(own)];
  try {
    for (const other of others) {
      const connection = await connectIssuer(other);
      const { issuer } = connection;
      opened.push(connection);
      if (opened.findIndex((one) => one.issuer === issuer) < opened.length - 1) throw new TypeError(`the issuer ${issuer} is named twice`);
    }
    return opened;
  } catch (error) {
    await Promise.all(opened.map((connection) => connection.close()));
    throw error;
  }
}

async function connectIssuer(options: IssuerConnectionOptions): Promise<IssuerConnection> {
  const { addresses, certificate, compactMetadata, staleAfterMs, tracing, onChange, now, newId, random } = options;
  const self = parseSpiffeId(options.self);
  const trustDomain = trustDomainOf(self);
  const issuer = options.issuer ?? `https://token-exchange.${trustDomain}`;
  const tokenExchangeAudience = parseSpiffeId(options.tokenExchangeAudience ?? `spiffe://${trustDomain}/token-exchange`);
  const authority = parseAuthority(options.tokenExchangeAuthority ?? new URL(issuer).host);
  const names = { self, trustDomain, issuer, tokenExchangeAudience, authority };
  // The feed's own calls need a token, and tokens are evicted by the feed: the source looks at the set that the feed fills.
  const { exchangeClient, record, courier, fallback, ...channel } = await options.open(names, {
    get: (request) => source.get(request),
    drop: (token, refusal) => source.drop(token, refusal),
  });
  const keys = createRemoteKeySet({ fetch: exchangeClient.fetchKeys, onChange: keysChanged, now, random });
  const feed = createRevocationFeed({
    ...{ record, fallback, issuer, now, newId, random },
    ...(courier && { courier }),
    report(status) {
      if (status.type === 'freshness') onChange({ type: 'freshness', issuer, state: status.freshness.state });
      else onChange({ type: 'feed', issuer, status });
    },
    onKeysVersion: keys.announced,
    mesh: trustDomain,
    ...(staleAfterMs !== undefined && { staleAfterMs }),
  });
  const metrics = createIssuerMetrics(issuer, now);
  const source = createTokenSource({
    ...{ exchange: metrics.timeExchange(exchangeClient.exchange), revoked: feed.set, certificate, compactMetadata, tracing, now, random },
    onRevocation: (listener) => feed.onApplied(listener),
    onChange: (change) => onChange({ ...change, issuer }),
    onCounted: metrics.tokenChanged,
  });

  traceApplied(feed, issuer, tracing);
  feed.onApplied((applied) => applied && metrics.eventApplied(applied.event));
  const instance = newId();
  let reporting: NodeJS.Timeout | undefined;
  let served: ServedMethods | undefined;
  // a rotation waits for the report: it is sent at once when new keys were learned
  function keysChanged(): void {
    onChange({ type: 'keys', issuer, kids: keys.kids() });
    report();
  }

  function report(): void {
    if (!reporting) return;
    const freshness = feed.freshness();
    const known =
      freshness.state === 'empty'
        ? { fresh_at_ms: 0, n: 0, path: '' }
        : { fresh_at_ms: freshness.freshAtMs, n: freshness.n, path: freshness.path };
    fallback.report({ ...known, instance, kids: [...keys.kids()], version: packageJson.version, served });
  }

  return {
    ...{ issuer, self, addresses, tokenExchangeAudience, exchangeClient, source, keys, feed },
    startReporting(rules) {
      served = servedMethods(rules);
      reporting ??= setInterval(report, reportEveryMs).unref();
      report();
    },
    async close() {
      clearInterval(reporting);
      reporting = undefined;
      keys.close();
      await feed.close();
      channel.close();
    },
  };
}
