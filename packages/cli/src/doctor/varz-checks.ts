import type { NatsExamination } from './examine-nats.ts';
import { failed, type Judgement, messageOf, ok, skipped, warning } from './finding.ts';
import { readNatsInfo } from './nats-info.ts';
import type { Varz } from './varz.ts';

/** Beyond this share of its files the courier will soon drop events before their hour is over. */
const fullShare = 0.8;

/** Listeners that a mesh has no use for, each of which had its advisories. */
const unwanted = ['leafnode', 'websocket', 'mqtt'] as const;

/** Whether an acknowledged event is on disk. */
export function checkSync({ jetStream }: Varz): Judgement {
  if (jetStream === undefined) return skipped('JetStream is off');
  const without = 'an acknowledgement does not mean that the event is on disk, which the record makes good';
  if (jetStream.syncAlways === undefined) return warning(`${without}; servers from 2.10 on can promise it: sync_interval: always`);
  if (jetStream.syncAlways) return ok('what is acknowledged is on disk');
  return warning(
    `${without}; it is there after ${(jetStream.syncIntervalMs ?? 0) / 1000} s: set sync_interval: always in the jetstream block`,
  );
}

export function checkStorage({ jetStream }: Varz): Judgement {
  if (jetStream === undefined) return skipped('JetStream is off');
  const { storage, maxStorage } = jetStream;
  const used = `${storage} of ${maxStorage} bytes for JetStream's files are used`;
  return storage <= fullShare * maxStorage ? ok(used) : failed(`${used}: raise max_file_store before events are lost within their hour`);
}

export function checkListeners({ listeners }: Varz): Judgement {
  const open = unwanted.filter((name) => listeners.has(name));
  if (open.length === 0) return ok(`no ${unwanted.join(', no ')}`);
  return failed(`the server also listens for ${open.join(' and ')}, which the mesh does not use: take it out of its configuration`);
}

/**
 * Whether other servers have to prove who they are, by more than a certificate, which each workload has as well.
 *
 * @param tls Gets through to listeners with TLS; without it those cannot be looked at.
 */
export async function checkPeers({ listeners, tlsListeners }: Varz, monitor: string, tls?: NatsExamination['tls']): Promise<Judgement> {
  const peers = (['cluster', 'gateway'] as const).filter((name) => listeners.has(name));
  if (peers.length === 0) return ok('no other servers are connected to it');
  const { hostname } = new URL(monitor);
  const open: string[] = [];
  for (const name of peers) {
    try {
      const address = { host: hostname, port: listeners.get(name) ?? 0 };
      const { authRequired } = await readNatsInfo(address, tlsListeners.has(name) ? (tls ?? {}) : undefined);
      if (!authRequired) open.push(name);
    } catch (error) {
      return skipped(`whether the ${name}'s listener asks who connects could not be seen from here: ${messageOf(error)}`);
    }
  }
  if (open.length === 0) return ok(`servers of its ${peers.join(' and ')} have to authenticate`);
  return failed(`whoever reaches the ${open.join(' and ')} listener is taken for a server: give it an authorization block and TLS`);
}
