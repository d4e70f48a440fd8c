import { createHash } from 'node:crypto';
import { credentials, Metadata } from '@grpc/grpc-js';
import { unary } from '@tokenmesh/interceptor';
import { tokenmesh } from '@tokenmesh/proto';
import { parseJws } from '@tokenmesh/token';
import { type FaultMesh, gateway, operator, payments, tokenExchange } from './fault-mesh.ts';

const callTimeoutMs = 30_000;

/** A request for a token as gateway makes it; a second time it is a replay, for its assertion is good for one. */
export type TokenRequest = ReturnType<FaultMesh['authenticate']> & {
  readonly grant_type: string;
  readonly audience: string;
  readonly scope?: string;
  readonly refresh_token?: string;
};

/** What gateway and the operator do at one token-exchange. */
export interface ExchangeClients {
  /** A request for a token of gateway's own, with a refresh token. */
  ownTokenRequest(): TokenRequest;
  /** A request that continues a session, with client authentication of its own. */
  refreshRequest(refreshToken: string, scope?: string): TokenRequest;
  issue(request: TokenRequest): Promise<IssuedTokens>;
  /** Whether token-exchange says that a token of gateway's is active. */
  isActive(token: string): Promise<boolean>;
  /** Revokes a token of gateway's; the position in the log. */
  revoke(token: string): Promise<number>;
  /** Revokes a subject, as the operator; the position in the log. */
  revokeSubject(subject: string): Promise<number>;
  /** Where subjects are revoked, of those at this position of the log and later. */
  listRevokedSubjects(since: number): Promise<ReadonlyMap<string, readonly number[]>>;
  readonly admin: InstanceType<typeof tokenmesh.Admin>;
  /** The operator's credential for `admin`, with a deadline. */
  asOperator(): { readonly metadata: Metadata; readonly deadline: number };
  close(): void;
}

export interface IssuedTokens {
  readonly accessToken: string;
  readonly refreshToken: string;
  readonly jti: string;
  /** The key that signed it. */
  readonly kid: string;
}

/** Connects to a token-exchange, and obtains the operator's token. */
export async function connectClients(mesh: FaultMesh, port: number): Promise<ExchangeClients> {
  const tls = credentials.createSsl(Buffer.from(mesh.ca));
  // its own connection: grpc-js would share those of a process, and what happened to an earlier one
  const options = { 'grpc.enable_http_proxy': 0, 'grpc.use_local_subchannel_pool': 1 };
  const exchange = new tokenmesh.TokenExchange(`localhost:${port}`, tls, options);
  const admin = new tokenmesh.Admin(`localhost:${port}`, tls, options);
  const limit = () => ({ deadline: Date.now() + callTimeoutMs });
  const metadata = new Metadata();
  const asOperator = () => ({ metadata, ...limit() });

  async function issue(request: TokenRequest): Promise<IssuedTokens> {
    const { access_token, refresh_token } = await unary(exchange, 'exchangeToken', request, limit());
    const { kid, payload } = parseJws(access_token, { typ: 'at+jwt' });
    return { accessToken: access_token, refreshToken: refresh_token, jti: String(payload.jti), kid };
  }

  const { access_token: operatorToken } = await unary(
    exchange,
    'exchangeToken',
    { ...mesh.authenticate(operator), grant_type: 'client_credentials', audience: tokenExchange },
    limit(),
  );
  metadata.set('authorization', `Bearer ${operatorToken}`);
  return {
    ownTokenRequest: () => ({ ...mesh.authenticate(gateway), grant_type: 'client_credentials', audience: payments }),
    refreshRequest: (refreshToken, scope = '') => ({
      ...mesh.authenticate(gateway),
      grant_type: 'refresh_token',
      audience: '',
      refresh_token: refreshToken,
      scope,
    }),
    issue,
    isActive: async (token) => (await unary(exchange, 'introspectToken', { ...mesh.authenticate(gateway), token }, limit())).active,
    revoke: async (token) =>
      Number((await unary(exchange, 'revokeToken', { ...mesh.authenticate(gateway), token }, limit())).acknowledgement?.n),
    async revokeSubject(value) {
      const { acknowledgement } = await unary(admin, 'addRevocation', { targets: [{ kind: 'subject', value }] }, asOperator());
      return Number(acknowledgement?.n);
    },
    async listRevokedSubjects(since) {
      const listed = new Map<string, number[]>();
      for (let before = 0; ; ) {
        const { revocations } = await unary(admin, 'listRevocations', { page_size: 1000, before }, asOperator());
        for (const { target, n } of revocations) {
          if (target?.kind === 'subject' && n >= since) listed.set(target.value, [...(listed.get(target.value) ?? []), n]);
        }
        before = revocations.at(-1)?.n ?? 0;
        if (before <= since) return listed;
      }
    },
    admin,
    asOperator,
    close() {
      exchange.close();
      admin.close();
    },
  };
}

/** A name for a refresh token that may be printed. */
export function labelOf(refreshToken: string): string {
  return createHash('sha256').update(refreshToken).digest('base64url').slice(0, 10);
}
