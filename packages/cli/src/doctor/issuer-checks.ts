import type { Jwk } from '@tokenmesh/proto';
import { type Checkpoint, openCheckpoint, openEvent, type SignedEvent } from '@tokenmesh/revocation';
import type { VerificationKey } from '@tokenmesh/token';
import { failed, type Judgement, messageOf, ok, warning } from './finding.ts';
import type { SigningKey, Verifier } from './issuer-client.ts';

/** A checkpoint that lies further in the future is refused by verifiers, and so are tokens. */
const maxClockDifferenceMs = 5_000;
/** Clocks that are kept by NTP differ by less. */
const usualClockDifferenceMs = 1_000;

export function checkHealth(status: string): Judgement {
  return status === 'SERVING' ? ok('it is SERVING') : failed(`it is ${status}: see what its log says`);
}

export function checkJwks(keys: readonly Pick<Jwk, 'kid'>[]): Judgement {
  if (keys.length > 0) return ok(`tokens are verified by ${keys.map(({ kid }) => kid).join(', ')}`);
  return failed('it publishes no key that verifies tokens: its log says why (keys.unusable)');
}

/** Whether events and checkpoints are signed by keys that never sign tokens. */
export function checkFeedKeys(
  tokenKeys: readonly Pick<Jwk, 'kid' | 'x'>[],
  feedKeys: readonly { readonly kid?: string; readonly x?: string }[],
): Judgement {
  if (feedKeys.length === 0) return failed('it publishes no key of the feed: its log says why (keys.unusable)');
  const shared = feedKeys.filter((feed) => tokenKeys.some((token) => token.kid === feed.kid || token.x === feed.x));
  if (shared.length === 0) return ok('the keys of the feed sign no tokens');
  return failed(`${shared.map(({ kid }) => kid).join(', ')} signs tokens and the feed: withdraw it (WithdrawKey)`);
}

/** @param asked When the checkpoint was asked for and when it came, milliseconds since epoch, by this machine's clock. */
export function checkClock({ t }: Pick<Checkpoint, 't'>, asked: { readonly from: number; readonly until: number }): Judgement {
  const difference = t < asked.from ? t - asked.from : Math.max(0, t - asked.until);
  const said = `its clock differs from this machine's by ${difference} ms`;
  if (Math.abs(difference) > maxClockDifferenceMs)
    return failed(`${said}, and checkpoints and tokens are refused beyond ${maxClockDifferenceMs}: run NTP on both`);
  return Math.abs(difference) > usualClockDifferenceMs ? warning(`${said}: see that NTP runs on both`) : ok(said);
}

/** Whose word counts on this log. */
export interface Origin {
  readonly issuer: string;
  readonly mesh: string;
  readonly keys: ReadonlyMap<string, VerificationKey>;
}

/**
 * Whether the courier has what the record has.
 *
 * @param compact The newest message of the stream, read BEFORE the checkpoint; `undefined` when there is none.
 * @param head The record's.
 */
export function checkAgreement(compact: string | undefined, head: Checkpoint, { keys, ...origin }: Origin): Judgement {
  if (compact === undefined) return ok(`the stream has no event of the last hour, and the record is at ${head.n}`);
  let newest: SignedEvent;
  try {
    newest = openEvent(compact, keys, origin);
  } catch (error) {
    return failed(`the newest message of the stream is no event of this issuer (${messageOf(error)}): find out who else may publish`);
  }
  const { epoch, n } = newest.event;
  if (epoch !== head.epoch) return failed(`the stream ends in epoch ${epoch}, the record is in ${head.epoch}: purge the stream`);
  const ends = `the stream ends at ${n}, the record at ${head.n}`;
  if (n < head.n) return warning(`${ends}: verifiers ask token-exchange for the rest; its log says why it was not published`);
  if (n > head.n) return failed(`${ends}: the record was restored without begin-epoch, or it is another one`);
  return newest.hash === head.h
    ? ok(`stream and record end with the same event, ${n}`)
    : failed(`stream and record have different events at ${n}: two issuers sign with the same keys`);
}

/** @param compact What came over NATS; `undefined` when nothing did. */
export function checkDelivery(compact: string | undefined, { keys, ...origin }: Origin): Judgement {
  if (compact === undefined)
    return failed('no checkpoint came over NATS: see `nats` in the configuration of token-exchange, and courier.problem in its log');
  try {
    const { n } = openCheckpoint(compact, keys, origin);
    return ok(`a verifier hears over NATS that the record is at ${n}`);
  } catch (error) {
    return failed(`what comes over NATS is no checkpoint of this issuer (${messageOf(error)}): find out who else may publish`);
  }
}

/** Whether verifiers that reported lately know what was revoked. */
export function checkFleet(verifiers: readonly Verifier[], staleAfterMs: number): Judgement {
  if (verifiers.length === 0) return warning('no verifier reported to this replica within the last minute');
  const stale = verifiers.filter(({ reported_at_ms, fresh_at_ms }) => reported_at_ms - fresh_at_ms > staleAfterMs);
  if (stale.length === 0) return ok(`${verifiers.length} reported within the last minute, all of them fresh`);
  const names = stale.slice(0, 5).map(({ client_id, instance }) => `${client_id} (${instance})`);
  return warning(
    `${stale.length} of ${verifiers.length} reported that they are stale: ${names.join(', ')}${stale.length > 5 ? ', …' : ''}`,
  );
}

/** A rotation that nothing holds up is made within minutes of its time. */
const overdueMs = 3_600_000;

/** Whether one key of each purpose signs, and its successor comes when it is due. */
export function checkSigningKeys(keys: readonly SigningKey[], nowMs: number): Judgement {
  const active = keys.filter(({ state }) => state === 'active');
  const lacking = ['token', 'feed'].filter((purpose) => active.filter((key) => key.purpose === purpose).length !== 1);
  if (lacking.length > 0) return failed(`not exactly one key signs for: ${lacking.join(', ')}; its log says why (keys.unusable)`);
  for (const { kid, purpose, rotation_due_ms: due } of active) {
    if (due === 0 || nowMs <= due) continue;
    const awaited = keys.filter((key) => key.purpose === purpose).flatMap((key) => key.awaited);
    const late = `the successor of ${kid} has been due since ${new Date(due).toISOString()}`;
    if (awaited.length > 0) return warning(`${late}, and waits until these have learned it: ${awaited.slice(0, 5).join(', ')}`);
    if (nowMs - due > overdueMs) return warning(`${late}: its log says why (keys.unusable)`);
  }
  return ok(`${active.map(({ kid, purpose }) => `${kid} (${purpose})`).join(' and ')} sign`);
}
