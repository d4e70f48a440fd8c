import { type NatsProbe, revocationStreamName, revocationSubjects } from '@tokenmesh/revocation/nats';
import { failed, type Judgement, messageOf, ok, skipped } from './finding.ts';
import { jetStreamApi, jetStreamApiOfIssuer } from './jetstream-api.ts';

const queue = 'tokenmesh-doctor';

/** Whether a verifier receives what it lives on. */
export async function checkVerifierFeed(probe: NatsProbe, mesh: string): Promise<Judgement> {
  const { events, checkpoints } = revocationSubjects(mesh);
  const denied = await probe.findDeniedSubscribe([events, checkpoints]);
  if (denied.length === 0) return ok(`it may subscribe to ${events} and ${checkpoints}`);
  return failed(`it may not subscribe to ${denied.join(' and ')}: allow it, or revocations reach it over gRPC only`);
}

/** Whether a verifier hears nothing but the feed, alone or in a queue group. */
export async function checkVerifierSubscriptions(probe: NatsProbe): Promise<Judgement> {
  const others = ['>', 'tokenmesh.>', '_INBOX.>', '$JS.API.>', '$JS.EVENT.ADVISORY.>', '$SYS.>'];
  const plain = except(others, await probe.findDeniedSubscribe(others));
  const queued = except(others, await probe.findDeniedSubscribe(others, queue));
  if (plain.length + queued.length === 0) return ok('it may subscribe to nothing else, in a queue group neither');
  if (plain.length > 0) return failed(`it may also subscribe to ${named(plain)}: allow it the two subjects of the feed only`);
  return failed(
    `as a member of a queue group it may also subscribe to ${named(queued)}: take rules with queue names out, and use a newer server`,
  );
}

/** Whether a verifier can make others believe anything, or answer in somebody's name. */
export async function checkVerifierPublish(probe: NatsProbe, mesh: string): Promise<Judgement> {
  const { events, checkpoints } = revocationSubjects(mesh);
  const acknowledgement = `$JS.ACK.${revocationStreamName(mesh)}.${queue}.1.1.1.1.0`;
  const subjects = [events, checkpoints, acknowledgement, `_INBOX.${queue}`, '$SYS.REQ.SERVER.PING', queue];
  const allowed = except(subjects, await probe.findDeniedPublish(subjects));
  if (allowed.length === 0) return ok('it may publish nothing');
  return failed(`it may publish to ${named(allowed)}: deny it to publish to ">"`);
}

/** Whether a verifier can use JetStream. It needs nothing of it. */
export async function checkVerifierApi(probe: NatsProbe, mesh: string): Promise<Judgement> {
  const api = jetStreamApi(mesh);
  const allowed = except(api, await probe.findDeniedPublish(api));
  if (allowed.length === 0) return ok(`none of ${api.length} subjects of JetStream's API works for it, and it needs none`);
  return failed(`${allowed.length} of ${api.length} subjects of JetStream's API work for it, and it needs none: deny it ${named(allowed)}`);
}

/** Whether the issuer can use of JetStream what it needs, and nothing more. */
export async function checkIssuerApi(probe: NatsProbe, mesh: string): Promise<Judgement> {
  const [api, needed] = [jetStreamApi(mesh), jetStreamApiOfIssuer(mesh)];
  const denied = await probe.findDeniedPublish(api);
  const missing = needed.filter((subject) => denied.includes(subject));
  const surplus = except(except(api, denied), needed);
  if (missing.length > 0) return failed(`it may not use ${missing.join(', ')}: allow it, or the stream goes unwatched`);
  if (surplus.length > 0) return failed(`it may also use ${named(surplus)}: deny it, for the stream is an operator's`);
  return ok(
    `of ${api.length} subjects of JetStream's API the ${needed.length} work that it needs: it can neither make nor change, purge or delete a stream`,
  );
}

/** Whether the issuer can publish events. Needs one that is in the stream. */
export async function checkIssuerPublish(probe: NatsProbe): Promise<Judgement> {
  try {
    const event = await probe.lastEvent();
    if (event === undefined) return skipped('the stream has no event to publish again: revoke something within the last hour');
    if (await probe.mayPublishEvent(event)) return ok('it may publish events');
    return failed('it may not publish events: allow it to publish to the subjects of the feed');
  } catch (error) {
    return skipped(`the stream's last event cannot be read: ${messageOf(error)}`);
  }
}

/** Whether the stream keeps what the feed needs, as the issuer sees it. */
export async function checkStreamFitness(probe: NatsProbe): Promise<Judgement> {
  try {
    await probe.checkStream();
    return ok('the stream is there and configured as the feed needs it');
  } catch (error) {
    return failed(`${messageOf(error)}; \`token-exchange nats-stream\` creates it or mends it, with an operator's nkey`);
  }
}

const except = (all: readonly string[], some: readonly string[]): readonly string[] => all.filter((one) => !some.includes(one));

/** The first few: who may use one of them may mostly use all. */
function named(subjects: readonly string[]): string {
  return subjects.length > maxNamed ? `${subjects.slice(0, maxNamed).join(', ')}, …` : subjects.join(', ');
}

const maxNamed = 6;
