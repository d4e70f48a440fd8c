import { describe, expect, it } from 'vitest';
import type { Fact, RevokedTarget, TokenHandles } from './history.ts';
import { judge } from './oracle.ts';

const begun: Fact = {
  type: 'begun',
  at: 0,
  wallMs: 1_000_000_000,
  seed: 1,
  schedule: 'planted',
  verifiers: [{ verifier: 'v', staleAfterMs: 1_000, graceMs: 5_000, toleranceMs: 5_000 }],
};
const handles: TokenHandles = {
  ...{ jti: 't', kid: 'k', sub: 'ada', clientId: 'gateway', aud: 'payments', sid: 's', txn: 'x', actors: ['gateway', 'orders'] },
  ...{ rn: 7, iat: 1_000_000, exp: 1_000_010 },
};
const issued = (token: Partial<TokenHandles> = {}): Fact => ({ type: 'issued', at: 1, ...handles, ...token });
const target = { kind: 'token', value: 't' } as const;

function revoked(n = 8, targets: readonly RevokedTarget[] = [target], at = 100, id = `r${n}`): readonly Fact[] {
  return [
    { type: 'revoking', at: at - 10, id, targets },
    { type: 'acknowledged', at, id, n, acknowledgedAtMs: 1_000_000_000 + at - 5, broadcast: 'sent' },
  ];
}
type Call = Partial<Extract<Fact, { type: 'decision' }>>;
const call = (began: number, more: Call = {}): Fact => ({
  ...{ type: 'decision', at: began + 5, began, verifier: 'v', class: 'critical', jti: 't', outcome: 'admitted' },
  ...more,
});
const refused = (began: number, more: Call = {}) => call(began, { outcome: 'refused', reason: 'TOKEN_REVOKED', ...more });
const stream = (lastAliveAt: number, more: Partial<Extract<Fact, { type: 'stream' }>> = {}): Fact => ({
  ...{ type: 'stream', at: lastAliveAt + 50, opened: 20, lastAliveAt, verifier: 'v', class: 'critical', jti: 't', reason: 'TOKEN_REVOKED' },
  ...more,
});
const listed = (revocations: readonly (RevokedTarget & { n: number })[]): Fact => ({ type: 'listed', at: 9_000, revocations });
const healed: readonly Fact[] = [
  { type: 'healed', at: 8_000 },
  { type: 'recovered', at: 8_100, verifier: 'v' },
];
/** A history in which everything was right, and these facts. */
const history = (...more: readonly Fact[]) => [begun, issued(), ...revoked(), ...more, ...healed, listed([{ ...target, n: 8 }])];
const violationsIn = (...more: readonly Fact[]) => judge(history(...more)).violations;

describe('the oracle of revocations', () => {
  it('passes what is admitted before the bound and refused after it, and has seen it', () => {
    const facts = history(
      ...[call(50), call(50, { class: 'standard' }), call(1_100), call(5_100, { class: 'standard' })],
      ...[refused(1_101), refused(5_101, { class: 'standard' }), stream(1_100 + 350), stream(5_100 + 350, { class: 'standard' })],
    );
    expect(judge(facts)).toEqual({
      ...{ violations: [], unsafe: [], vacuous: [] },
      counts: {
        ...{ acknowledged: 1, unacknowledged: 0, decisions: 6, admitted: 4 },
        ...{ covered: 4, coveredAdmitted: 2, streams: 2, coveredStreams: 2 },
      },
      latest: { critical: { lateMs: 1_000, boundMs: 1_000 }, standard: { lateMs: 5_000, boundMs: 5_000 } },
    });
  });

  it.each([
    ['critical', 1_100, 'S'],
    ['standard', 5_100, 'G'],
  ] as const)('finds a %s call that is admitted %d ms later and one more, beyond %s', (of, limit, _bound) => {
    expect(violationsIn(call(limit, { class: of }))).toEqual([]);
    const violations = violationsIn(call(limit + 1, { class: of }));
    expect(violations).toEqual([
      expect.stringContaining(`a ${of} call at v with token t was admitted ${limit - 99} ms after r8 (token at 8)`),
    ]);
    expect(judge(history(call(limit + 1, { class: of }))).unsafe).toEqual(violations);
  });

  it('allows what clocks were off, twice, and nothing more', () => {
    const fault = { type: 'fault', at: 10, phase: 'begun', fault: 'clock', detail: 'ahead', epsMs: 300 } as const;
    expect(violationsIn(fault, call(1_700))).toEqual([]);
    expect(violationsIn(fault, call(1_701))).toHaveLength(1);
  });

  it('counts from when the acknowledgement was seen, and from before the call was made', () => {
    expect(violationsIn(call(90, { at: 4_000 }))).toEqual([]);
    expect(violationsIn(call(1_100, { at: 4_000 }))).toEqual([]);
  });

  it('finds a token that is admitted after it expired and the tolerance for it, revoked or not', () => {
    const untouched = issued({ jti: 'u', exp: 1_000_003 });
    expect(violationsIn(untouched, call(8_019, { jti: 'u', class: 'standard' }))).toEqual([]);
    expect(violationsIn(untouched, call(8_021, { jti: 'u', class: 'standard' }))).toEqual([
      'a standard call at v with token u was admitted 5021 ms after it expired',
    ]);
    expect(violationsIn(untouched, stream(8_400, { jti: 'u', class: 'standard', reason: 'TOKEN_EXPIRED' }))).toEqual([
      'a standard stream at v with token u lived on for 5400 ms after it expired',
    ]);
  });

  it('finds a stream that lives on, and one that is admitted too late', () => {
    expect(violationsIn(stream(1_451))).toEqual([
      expect.stringContaining('a critical stream at v with token t lived on until 1351 ms after r8'),
    ]);
    expect(violationsIn(stream(1_200, { opened: 1_101 }))).toEqual([expect.stringContaining('was admitted 1001 ms after r8')]);
  });

  it('gives a stream whose process stood still 100 ms after it could run again', () => {
    const stopped = (phase: 'begun' | 'healed', at: number): Fact => ({
      type: 'fault',
      at,
      phase,
      fault: 'stopped',
      detail: '',
      stops: ['v'],
    });
    const standstill = [stopped('begun', 900), stopped('healed', 3_000)];
    expect(violationsIn(...standstill, stream(3_350))).toEqual([]);
    expect(violationsIn(...standstill, stream(3_351))).toHaveLength(1);
    expect(violationsIn(...standstill.map((fact) => ({ ...fact, stops: ['w'] })), stream(3_350))).toHaveLength(1);
  });

  it('finds a token that is refused as revoked although nothing revoked it', () => {
    const other = issued({ jti: 'u' });
    expect(violationsIn(other, refused(200, { jti: 'u' }))).toEqual([
      'a critical call at v with token u was refused as revoked, and nothing revoked it',
    ]);
    expect(violationsIn(other, stream(200, { jti: 'u' }))).toEqual([
      'a critical stream at v with token u was ended as revoked, and nothing revoked it',
    ]);
    // too early: it was asked for at 90
    expect(violationsIn(refused(80))).toEqual(['a critical call at v with token t was refused as revoked, and nothing revoked it']);
    expect(violationsIn(other, refused(200, { jti: 'u', reason: 'REVOCATION_STALE' }))).toEqual([]);
  });

  it('lets a revocation without an answer explain a refusal, and asks nothing of it', () => {
    const facts: readonly Fact[] = [
      issued({ jti: 'u' }),
      { type: 'revoking', at: 150, id: 'lost', targets: [{ kind: 'all', value: '' }] },
      { type: 'unacknowledged', at: 400, id: 'lost', how: 'lost' },
    ];
    expect(violationsIn(...facts, refused(200, { jti: 'u' }), call(7_000, { jti: 'u', class: 'standard' }))).toEqual([]);
  });

  it.each([
    ['token', 't'],
    ['key', 'k'],
    ['subject', 'ada'],
    ['client', 'gateway'],
    ['session', 's'],
    ['chain', 'x'],
    ['actor', 'gateway'],
    ['actor', 'orders'],
    ['grant', 'gateway payments'],
    ['audience', 'payments'],
    ['all', ''],
  ] as const)('knows that a %s target %s covers what was issued before it', (kind, value) => {
    const isAbsolute = kind === 'token' || kind === 'key';
    const found = (rn: number) => {
      const facts = [begun, issued({ rn }), ...revoked(8, [{ kind, value }]), call(1_200), ...healed, listed([{ kind, value, n: 8 }])];
      return judge(facts).violations.length;
    };
    expect([found(7), found(8)]).toEqual([1, isAbsolute ? 1 : 0]);
    const other = [begun, issued(), ...revoked(8, [{ kind, value: `${value} other` }]), call(1_200), ...healed];
    expect(judge([...other, listed([{ kind, value: `${value} other`, n: 8 }])]).violations).toEqual([]);
  });

  it('finds positions that do not grow, and leaves alone those that were asked for at the same time', () => {
    const later = (n: number, at: number) => revoked(n, [{ kind: 'token', value: 'z' }], at, 'later');
    const all = (n: number) => [
      listed([
        { ...target, n: 8 },
        { kind: 'token', value: 'z', n },
      ]),
    ];
    expect(judge([...history(), ...later(8, 200), ...all(8)]).violations).toEqual([
      'later was acknowledged at position 8, after r8 had been at 8',
    ]);
    expect(judge([...history(), ...later(9, 200), ...all(9)]).violations).toEqual([]);
    expect(judge([...history(), ...later(8, 105), ...all(8)]).violations).toEqual([]);
  });

  it('finds what was acknowledged and is not in the record, unless a new epoch began above it', () => {
    const unlisted = [begun, issued(), ...revoked(), ...healed];
    expect(judge([...unlisted, listed([])]).violations).toEqual(['r8 was acknowledged at 8, and the record does not list token t']);
    expect(judge([...unlisted, listed([{ ...target, n: 7 }])]).violations).toHaveLength(1);
    expect(judge(unlisted).violations).toEqual(['the record was never asked what is in force']);
    const epoch = { type: 'epoch', at: 500, id: 'e', n: 100 } as const;
    expect(judge([...unlisted, epoch, listed([{ kind: 'all', value: '', n: 100 }])]).violations).toEqual([]);
    expect(judge([...unlisted, epoch, listed([])]).violations).toEqual(['e was acknowledged at 100, and the record does not list all ']);
  });

  it('takes a new epoch for a revocation of everything', () => {
    const epoch = { type: 'epoch', at: 500, id: 'e', n: 100 } as const;
    const facts = [begun, issued({ jti: 'u' }), epoch, call(1_501, { jti: 'u' }), ...healed, listed([{ kind: 'all', value: '', n: 100 }])];
    expect(judge(facts).violations).toEqual([expect.stringContaining('1001 ms after e (all at 100)')]);
  });

  it('finds a verifier that does not recover, and one that judges wrongly afterwards', () => {
    const lost = [begun, issued(), ...revoked(), { type: 'healed', at: 8_000 } as const, listed([{ ...target, n: 8 }])];
    expect(judge(lost).violations).toEqual(['v did not refuse what was revoked, and admit the rest, after everything was healed']);
    const after = { class: 'standard', afterHealing: true } as const;
    expect(violationsIn(call(4_000, after))).toEqual([
      'a standard call at v with token t was admitted after everything was healed, although it is revoked',
    ]);
    const untouched = issued({ jti: 'u' });
    expect(violationsIn(untouched, call(4_000, { ...after, jti: 'u', outcome: 'lost' }))).toEqual([
      'a standard call at v with token u came to lost after everything was healed',
    ]);
    expect(violationsIn(untouched, call(4_000, { ...after, jti: 'u' }))).toEqual([]);
  });

  it('says when a history proves nothing', () => {
    expect(judge([begun, issued(), ...healed, listed([])]).vacuous).toEqual([
      'no revocation was acknowledged',
      'no critical call was admitted',
      'no critical call was made with a token that was revoked and had not expired',
      'no standard call was admitted',
      'no standard call was made with a token that was revoked and had not expired',
    ]);
  });

  it('refuses a history that does not fit together', () => {
    expect(() => judge([])).toThrow('begins with its terms');
    expect(() => judge(history(call(50, { jti: 'unknown' })))).toThrow('never issued');
    expect(() => judge(history(call(50, { verifier: 'w' }), call(200, { verifier: 'w' })))).toThrow('no verifier w');
    expect(() => judge([begun, ...revoked().slice(1)])).toThrow('never asked for');
  });
});
