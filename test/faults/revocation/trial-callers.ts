import { Client, credentials, Metadata, type ServiceError, status } from '@grpc/grpc-js';
import { refusalOf } from '@tokenmesh/interceptor';
import type { Fact, MethodClass } from './history.ts';
import { referenceMs } from './history.ts';
import type { HeldToken } from './token-holder.ts';
import { trialPaths } from './trial-service.ts';
import type { VerifierProcess, World } from './world.ts';

/** Those who call the verifiers; what they see goes into the world's history. */
export interface TrialCallers {
  /** One call; resolves with what was noted of it. */
  call(
    verifier: VerifierProcess,
    of: MethodClass,
    token: HeldToken,
    options?: { readonly afterHealing?: boolean },
  ): Promise<Extract<Fact, { type: 'decision' }>>;
  /** Opens a stream and follows it to its end; `true`: it was admitted. */
  stream(verifier: VerifierProcess, of: MethodClass, token: HeldToken, signal: AbortSignal): Promise<boolean>;
  close(): void;
}

/** A verifier that is stopped answers nobody; what is decided later than this is not waited for. */
const callLimitMs = 3_000;
const asIs = (bytes: Buffer) => bytes;
const nothing = Buffer.alloc(0);

export function createTrialCallers(world: World): TrialCallers {
  const tls = credentials.createSsl(Buffer.from(world.mesh.ca));
  const clients = new Map(
    world.verifiers.map(({ terms, links }) => {
      const options = {
        ...{ 'grpc.enable_http_proxy': 0, 'grpc.use_local_subchannel_pool': 1 },
        ...{ 'grpc.initial_reconnect_backoff_ms': 50, 'grpc.max_reconnect_backoff_ms': 200 },
      };
      return [terms.verifier, new Client(`localhost:${links.callers.port}`, tls, options)];
    }),
  );
  const clientOf = ({ terms }: VerifierProcess) => {
    const client = clients.get(terms.verifier);
    if (!client) throw new Error(`there is no client for ${terms.verifier}`);
    return client;
  };

  return {
    call(verifier, of, { jti, compact }, { afterHealing = false } = {}) {
      const began = referenceMs();
      return new Promise((resolve) => {
        const answered = (error: ServiceError | null) => {
          const reason = error === null ? undefined : reasonOf(error);
          const outcome = error === null ? 'admitted' : refusalOf(error) ? 'refused' : 'lost';
          const fact = {
            ...({ type: 'decision', at: referenceMs(), began, verifier: verifier.terms.verifier, class: of, jti, outcome } as const),
            ...(reason !== undefined && { reason }),
            ...(afterHealing && { afterHealing }),
          };
          world.note(fact);
          resolve(fact);
        };
        const limit = { deadline: Date.now() + callLimitMs };
        clientOf(verifier).makeUnaryRequest(trialPaths(of).unary, asIs, asIs, nothing, bearer(compact), limit, answered);
      });
    },
    stream(verifier, of, { jti, compact }, signal) {
      const opened = referenceMs();
      return new Promise((resolve) => {
        const call = clientOf(verifier).makeServerStreamRequest(trialPaths(of).stream, asIs, asIs, nothing, bearer(compact));
        let lastAliveAt = 0;
        let isOver = false;
        const cancel = () => call.cancel();
        signal.addEventListener('abort', cancel);
        const end = (reason: string) => {
          if (isOver) return;
          isOver = true;
          signal.removeEventListener('abort', cancel);
          if (lastAliveAt > 0) {
            const about = { opened, lastAliveAt, verifier: verifier.terms.verifier, class: of, jti, reason };
            world.note({ type: 'stream', at: referenceMs(), ...about });
          }
          resolve(lastAliveAt > 0);
        };
        call.on('data', (stamp: Buffer) => {
          lastAliveAt = Math.max(lastAliveAt, Number(stamp));
        });
        call.on('error', (error: ServiceError) => end(signal.aborted ? 'cancelled' : reasonOf(error)));
        call.on('end', () => end('ended'));
        if (signal.aborted) cancel();
      });
    },
    close() {
      for (const client of clients.values()) client.close();
    },
  };
}

function reasonOf(error: ServiceError): string {
  return refusalOf(error)?.reason ?? status[error.code] ?? String(error.code);
}

function bearer(compact: string): Metadata {
  const metadata = new Metadata();
  metadata.set('authorization', `Bearer ${compact}`);
  return metadata;
}
