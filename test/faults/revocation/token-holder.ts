import { setTimeout as delay } from 'node:timers/promises';
import { credentials, Metadata } from '@grpc/grpc-js';
import { unary } from '@tokenmesh/interceptor';
import { tokenmesh } from '@tokenmesh/proto';
import { actorChain, parseJws, parseServiceTokenClaims } from '@tokenmesh/token';
import { gateway, operator, payments, tokenExchange } from '../fault-mesh.ts';
import { nameOf, type Outcome, outcomeOf } from '../outcome.ts';
import type { Random } from '../random.ts';
import { type RevokedTarget, referenceMs, type TokenHandles } from './history.ts';
import { subjects, type World } from './world.ts';

/** A token for the verifiers, with what decides who revokes it. */
export interface HeldToken extends TokenHandles {
  /** The token itself: for `authorization` alone. */
  readonly compact: string;
}

/** Those who hold tokens and those who take them back, at token-exchange; what they see goes into the world's history. */
export interface TokenHolder {
  /** A new token: of a workload's own, or one that gateway got on behalf of a subject. `undefined`: token-exchange could not be asked. */
  obtain(random: Random): Promise<HeldToken | undefined>;
  /**
   * Revokes, and asks again under the same request id while no answer comes, until it is stopped.
   *
   * @param id Unique in this world.
   * @returns The position; `undefined`: it was stopped first.
   */
  revoke(id: string, targets: readonly RevokedTarget[]): Promise<number | undefined>;
  /** What the record lists as being in force, at this position and later. */
  list(since: number): Promise<readonly (RevokedTarget & { readonly n: number })[]>;
  /** Revocations that wait for an answer give up. */
  stop(): void;
  close(): void;
}

const askLimitMs = 2_000;
const retryMs = 50;
const pageSize = 1000;
const tokenExchangeGrant = 'urn:ietf:params:oauth:grant-type:token-exchange';
const accessTokenType = 'urn:ietf:params:oauth:token-type:access_token';

export function createTokenHolder(world: World): TokenHolder {
  const { mesh, callersToIssuer } = world;
  const tls = credentials.createSsl(Buffer.from(mesh.ca));
  const options = {
    ...{ 'grpc.enable_http_proxy': 0, 'grpc.use_local_subchannel_pool': 1 },
    ...{ 'grpc.initial_reconnect_backoff_ms': 50, 'grpc.max_reconnect_backoff_ms': 200 },
  };
  const exchange = new tokenmesh.TokenExchange(`localhost:${callersToIssuer.port}`, tls, options);
  const admin = new tokenmesh.Admin(`localhost:${callersToIssuer.port}`, tls, options);
  const stopping = new AbortController();
  const limit = () => ({ deadline: Date.now() + askLimitMs });

  async function issue(workload: string, request: object): Promise<Outcome<string>> {
    const asked = { grant_type: 'client_credentials', ...mesh.authenticate(workload), ...request };
    return await outcomeOf(unary(exchange, 'exchangeToken', asked, limit()).then(({ access_token }) => access_token));
  }

  async function onBehalfOf(subject: string): Promise<Outcome<string>> {
    const own = await issue(subject, { audience: gateway });
    if (own.kind !== 'accepted') return own;
    const grant = { grant_type: tokenExchangeGrant, subject_token: own.value, subject_token_type: accessTokenType };
    return await issue(gateway, { ...grant, audience: payments });
  }

  /** With a credential of its own: what is revoked may be the last one. */
  async function asOperator<T>(
    ask: (credential: { readonly metadata: Metadata; readonly deadline: number }) => Promise<T>,
  ): Promise<Outcome<T>> {
    const token = await issue(operator, { audience: tokenExchange });
    if (token.kind !== 'accepted') return token;
    const metadata = new Metadata();
    metadata.set('authorization', `Bearer ${token.value}`);
    return await outcomeOf(ask({ metadata, ...limit() }));
  }

  return {
    async obtain(random) {
      const workload = random.pick([gateway, ...subjects]);
      const isDelegated = workload !== gateway && random.chance(0.6);
      const outcome = await (isDelegated ? onBehalfOf(workload) : issue(workload, { audience: payments }));
      if (outcome.kind !== 'accepted') return undefined;
      const handles = handlesOf(outcome.value);
      world.note({ type: 'issued', at: referenceMs(), ...handles });
      return { ...handles, compact: outcome.value };
    },
    async revoke(id, targets) {
      world.note({ type: 'revoking', at: referenceMs(), id, targets });
      const asked = { targets: targets.map(({ kind, value }) => ({ kind, value })), request_id: id };
      let how = 'stopped';
      while (!stopping.signal.aborted) {
        const outcome = await asOperator((credential) => unary(admin, 'addRevocation', asked, credential));
        if (outcome.kind === 'accepted' && outcome.value.acknowledgement) {
          const { n, acknowledged_at_ms: acknowledgedAtMs, broadcast } = outcome.value.acknowledgement;
          world.note({ type: 'acknowledged', at: referenceMs(), id, n, acknowledgedAtMs, broadcast });
          return n;
        }
        how = nameOf(outcome);
        await delay(retryMs, undefined, { signal: stopping.signal }).catch(() => {});
      }
      world.note({ type: 'unacknowledged', at: referenceMs(), id, how });
      return undefined;
    },
    async list(since) {
      const listed: (RevokedTarget & { readonly n: number })[] = [];
      for (let before = 0; ; ) {
        const page = await asOperator((credential) => unary(admin, 'listRevocations', { page_size: pageSize, before }, credential));
        if (page.kind !== 'accepted') throw new Error(`the record could not be listed: ${nameOf(page)}`);
        const { revocations } = page.value;
        // a target comes back as the kind that it was given as
        for (const { target, n } of revocations) if (target) listed.push({ ...(target as RevokedTarget), n });
        // a page holds whole events, and may be the shorter for it
        before = revocations.at(-1)?.n ?? 0;
        if (before <= since) return listed;
      }
    },
    stop: () => stopping.abort(),
    close() {
      stopping.abort();
      exchange.close();
      admin.close();
    },
  };
}

function handlesOf(compact: string): TokenHandles {
  const { kid, payload } = parseJws(compact, { typ: 'at+jwt' });
  const { jti, sub, client_id: clientId, aud, sid, txn, rn, iat, exp, ...claims } = parseServiceTokenClaims(payload);
  return { ...{ jti, kid, sub, clientId, aud, txn, actors: actorChain(claims), rn, iat, exp }, ...(sid !== undefined && { sid }) };
}
