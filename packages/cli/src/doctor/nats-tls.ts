import type { NatsExamination } from './examine-nats.ts';
import { natsAddress, readNatsInfo } from './nats-info.ts';

/**
 * The examination without TLS where no server has it and none is reached over a network, as in a trial on one machine; otherwise as it is, and
 * then nobody is taken who offers no TLS: what a user proves himself with could be passed on.
 */
export async function withTlsThatIs(examination: NatsExamination): Promise<NatsExamination> {
  if (examination.tls === undefined) return examination;
  const plain = await Promise.all(examination.servers.map(isPlainAndHere));
  if (!plain.every(Boolean)) return examination;
  const { tls: _, ...rest } = examination;
  return rest;
}

async function isPlainAndHere(server: string): Promise<boolean> {
  try {
    const address = natsAddress(server);
    if (!/^(?:localhost|127(?:\.\d+){3}|::1)$/.test(address.host)) return false;
    const { tlsRequired, tlsAvailable } = await readNatsInfo(address);
    return !tlsRequired && !tlsAvailable;
  } catch {
    return false; // the check that says so comes first of all
  }
}
