import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ServerInterceptor } from '@grpc/grpc-js';
import { type AccessRules, createMesh, type MeshChange, privateKeyJwt } from '@tokenmesh/interceptor';
import { payments } from '../fault-mesh.ts';
import type { VerifierOptions } from './trial-service.ts';
import { openWeakGuard } from './weak-designs.ts';

/** What decides which calls come in. */
export interface Guard {
  readonly interceptors: ServerInterceptor[];
  /** Resolves when it can judge for the first time. */
  readonly ready: Promise<void>;
}

/** @param tell Told what happens to what it knows of revocations. */
export async function openGuard(
  options: VerifierOptions,
  rules: AccessRules,
  tell: (what: string, detail: string) => void,
): Promise<Guard> {
  const { design, directory, tokenExchange, nats, staleAfterMs, graceMs } = options;
  if (design !== 'real') return await openWeakGuard({ ...options, design }, rules, tell);
  const mesh = await createMesh({
    self: payments,
    tokenExchange: `localhost:${tokenExchange}`,
    credential: privateKeyJwt(join(directory, 'payments.pem')),
    ca: readFileSync(join(directory, 'ca.pem')),
    nats: { servers: `nats://127.0.0.1:${nats}` },
    staleAfterMs,
    maxLifeSeconds: graceMs / 1000,
  });
  void follow(mesh.status(), tell);
  return { interceptors: mesh.server(rules), ready: mesh.ready() };
}

async function follow(changes: AsyncIterable<MeshChange | { readonly type: 'missed' }>, tell: (what: string, detail: string) => void) {
  for await (const change of changes) {
    if (change.type === 'freshness') tell('freshness', change.state);
    if (change.type !== 'feed') continue;
    const { status } = change;
    if (status.type === 'path') tell('path', `${status.path} ${status.event}${because(status.error)}`);
    else if (status.type === 'alarm') tell('alarm', status.alarm.kind);
    else if (status.type === 'rejected') tell('rejected', `${status.reason} over ${status.path}`);
    else if (status.type === 'request-failed') tell('request failed', `${status.request}${because(status.error)}`);
  }
}

/** Why, in the words of an error that has none of a token's. */
function because(error: unknown): string {
  return error instanceof Error ? `: ${error.message}` : '';
}
