import { isWithoutAdvisories, type NatsOptions, NatsRefusedError, openNatsProbe } from '@tokenmesh/revocation/nats';
import { failed, type Judgement, messageOf, ok, skipped, warning } from './finding.ts';
import type { NatsInfo } from './nats-info.ts';

/** As the stream's `max_msg_size`: an event of 500 targets with long names. */
const maxEventBytes = 512 * 1024;

/** Whether a server is without the holes that are known and mended elsewhere. */
export function checkVersion({ version }: NatsInfo): Judgement {
  if (isWithoutAdvisories(version)) return ok(`nats-server ${version} has no known advisories`);
  return warning(
    `nats-server ${version} has known advisories, among them peers and queue subscriptions that get past permissions: use 2.11.16, 2.12.7, 2.14.0 or later`,
  );
}

/** Whether others can read along. What travels is signed in any case. */
export function checkTls({ tlsRequired }: NatsInfo): Judgement {
  if (tlsRequired) return ok('clients have to use TLS');
  return failed('the server takes connections without TLS, so that others can read what is revoked: give it a tls block');
}

export function checkJetStream({ jetStream }: NatsInfo): Judgement {
  return jetStream ? ok('JetStream is on') : failed('JetStream is off, so that no event is kept: give the server a jetstream block');
}

export function checkPayload({ maxPayload }: NatsInfo): Judgement {
  if (maxPayload >= maxEventBytes) return ok(`messages may have ${maxPayload} bytes, and no event has more than ${maxEventBytes}`);
  return failed(`messages may have ${maxPayload} bytes, but an event may have ${maxEventBytes}: set max_payload to 1MB`);
}

/** Whether somebody without any credential is let in: the server says so, or a connection shows it. */
export async function checkAnonymous({ authRequired }: NatsInfo, { nkeySeed: _, ...anonymous }: NatsOptions): Promise<Judgement> {
  const open = 'whoever reaches the server is let in: take no_auth_user out of its configuration, and name its users by nkey';
  if (!authRequired) return failed(open);
  try {
    const probe = await openNatsProbe(anonymous);
    await probe.close();
    return failed(open);
  } catch (error) {
    if (error instanceof NatsRefusedError) return ok('nobody is let in without a credential');
    return skipped(`the server asks for a credential, but whether it insists could not be tried: ${messageOf(error)}`);
  }
}
