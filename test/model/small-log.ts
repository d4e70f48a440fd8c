import { createRevocationSet, genesisHash, type SignedEvent, signEvent, type Target } from '@tokenmesh/revocation';
import { generateSigningKey } from '@tokenmesh/token';

/** One moment that stands for now: times are kept as distances from it. */
export const nowMs = 1_800_000_000_000;
export const tickMs = 1_000;

/** Every event that a small world can have: of epoch 1, of the other history that it may take from position 2 on, and of epoch 2. */
export const eventNames = ['a1', 'a2', 'b2', 'all', 'c'] as const;
export type EventName = (typeof eventNames)[number];

/** Tokens under test: `x` is revoked by `a1`, `y` by `b2`, `z`, issued in epoch 2, by `c`; `all` covers the first two. */
export const tokenNames = ['x', 'y', 'z'] as const;
export type TokenName = (typeof tokenNames)[number];
export const revokedBy: Readonly<Record<TokenName, EventName>> = { x: 'a1', y: 'b2', z: 'c' };

const exp = 9_999_999_999;
const key = generateSigningKey();
const firstOfSecond = 10;

function sign(epoch: string, n: number, prev: string, target: Pick<Target, 'kind' | 'value'>): SignedEvent {
  const targets = [{ ...target, exp }];
  return signEvent({ iss: 'i', aud: 'm', iat: nowMs / 1000, jti: `${epoch}-${n}`, epoch, n, t: nowMs, prev, targets }, key);
}

const a1 = sign('e1', 1, genesisHash('e1'), { kind: 'token', value: 'x' });
const all = sign('e2', firstOfSecond, genesisHash('e2'), { kind: 'all', value: '' });

/** The events, signed and chained as an issuer does it. */
export const events: Readonly<Record<EventName, SignedEvent>> = {
  a1,
  a2: sign('e1', 2, a1.hash, { kind: 'subject', value: 'somebody' }),
  b2: sign('e1', 2, a1.hash, { kind: 'session', value: 'of y' }),
  all,
  c: sign('e2', firstOfSecond + 1, all.hash, { kind: 'chain', value: 'of z' }),
};

export function nameOf(signed: SignedEvent): EventName {
  const name = eventNames.find((candidate) => events[candidate].hash === signed.hash);
  if (name === undefined) throw new Error('no event of a small log');
  return name;
}

/** Where a log ends: epoch, position and hash. */
export function headOf(log: readonly EventName[]): { readonly epoch: string; readonly n: number; readonly h: string } {
  const last = log.at(-1);
  if (last === undefined) return { epoch: 'e1', n: 0, h: genesisHash('e1') };
  const { event, hash } = events[last];
  return { epoch: event.epoch, n: event.n, h: hash };
}

const claims = { sub: 's', aud: 'a', iat: nowMs / 1000, exp, client_id: 'c', scope: '' };
const tokens = {
  x: { kid: 'k', claims: { ...claims, jti: 'x', rn: 0 } },
  y: { kid: 'k', claims: { ...claims, jti: 'y', sid: 'of y', rn: 1 } },
  z: { kid: 'k', claims: { ...claims, jti: 'z', txn: 'of z', rn: firstOfSecond } },
} as const satisfies Record<TokenName, unknown>;
const verdicts = new Map<string, ReadonlySet<TokenName>>();

/** Those of the tokens that a real revocation set finds revoked when it holds these events. */
export function revokedWith(held: ReadonlySet<EventName>): ReadonlySet<TokenName> {
  const names = eventNames.filter((name) => held.has(name));
  const known = verdicts.get(names.join());
  if (known) return known;
  const set = createRevocationSet('e');
  for (const name of names) set.apply(events[name].event);
  const verdict = new Set(tokenNames.filter((name) => set.find(tokens[name]) !== undefined));
  verdicts.set(names.join(), verdict);
  return verdict;
}
