import type { Fact, RevokedTarget, TokenHandles } from './history.ts';

/** One request to revoke, as its requester saw it. */
export interface Revocation {
  readonly id: string;
  readonly targets: readonly RevokedTarget[];
  /** Before this moment nothing was asked for. */
  readonly requestedAt: number;
  /** When its acknowledgement was seen, and the position that it named; absent: none was. */
  readonly acknowledged?: { readonly at: number; readonly n: number };
}

/** Which revocations cover a token: decided by what the protocol says of them, without the product's tables. */
export interface Coverage {
  /** The acknowledged revocation that covers the token and was acknowledged first; `undefined`: none covers it. */
  firstAcknowledged(token: TokenHandles): (Revocation & { readonly acknowledged: { readonly at: number; readonly n: number } }) | undefined;
  /** Whether some revocation that was asked for before this moment may cover it, acknowledged or not. */
  mayBeRevoked(token: TokenHandles, at: number): boolean;
}

/** Kinds that cover a token whatever its `rn` is. */
const absolute: ReadonlySet<string> = new Set(['token', 'key']);

/** The revocations that were asked for, an operator's new epoch as one of everything. */
export function revocationsOf(facts: readonly Fact[]): readonly Revocation[] {
  const revocations = new Map<string, Revocation>();
  for (const fact of facts) {
    if (fact.type === 'revoking') {
      const { id, targets, at } = fact;
      revocations.set(id, { id, targets, requestedAt: at, ...revocations.get(id) });
    } else if (fact.type === 'acknowledged') {
      const asked = revocations.get(fact.id);
      if (!asked) throw new Error(`${fact.id} was acknowledged and never asked for`);
      revocations.set(fact.id, { acknowledged: { at: fact.at, n: fact.n }, ...asked });
    } else if (fact.type === 'epoch') {
      const { id, at, n } = fact;
      revocations.set(id, { id, targets: [{ kind: 'all', value: '' }], requestedAt: at, acknowledged: { at, n } });
    }
  }
  return [...revocations.values()];
}

export function coverageOf(revocations: readonly Revocation[]): Coverage {
  const byTarget = new Map<string, Revocation[]>();
  for (const revocation of revocations) {
    for (const target of revocation.targets) {
      const name = nameOf(target);
      const list = byTarget.get(name);
      if (list) list.push(revocation);
      else byTarget.set(name, [revocation]);
    }
  }

  function* naming(token: TokenHandles): Iterable<readonly [Revocation, boolean]> {
    for (const target of targetsNaming(token)) {
      for (const revocation of byTarget.get(nameOf(target)) ?? []) yield [revocation, absolute.has(target.kind)];
    }
  }

  return {
    firstAcknowledged(token) {
      let first: ReturnType<Coverage['firstAcknowledged']>;
      for (const [revocation, isAbsolute] of naming(token)) {
        const { acknowledged } = revocation;
        if (!acknowledged || !(isAbsolute || token.rn < acknowledged.n)) continue;
        if (first === undefined || acknowledged.at < first.acknowledged.at) first = { ...revocation, acknowledged };
      }
      return first;
    },
    mayBeRevoked(token, at) {
      for (const [{ acknowledged, requestedAt }, isAbsolute] of naming(token)) {
        // without an acknowledgement its position is not known: it may lie above the token's
        if (requestedAt < at && (isAbsolute || acknowledged === undefined || token.rn < acknowledged.n)) return true;
      }
      return false;
    },
  };
}

function nameOf({ kind, value }: RevokedTarget): string {
  return `${kind} ${value}`;
}

/** Every target that names the token, whatever its position. */
function targetsNaming({ jti, kid, sub, clientId, aud, sid, txn, actors }: TokenHandles): readonly RevokedTarget[] {
  return [
    { kind: 'token', value: jti },
    { kind: 'key', value: kid },
    { kind: 'subject', value: sub },
    { kind: 'client', value: clientId },
    { kind: 'audience', value: aud },
    { kind: 'grant', value: `${clientId} ${aud}` },
    { kind: 'chain', value: txn },
    ...(sid === undefined ? [] : [{ kind: 'session', value: sid } as const]),
    ...actors.map((value) => ({ kind: 'actor', value }) as const),
    { kind: 'all', value: '' },
  ];
}
