import { randomBytes, sign, verify } from 'node:crypto';
import { type CallVerifier, createCallVerifier, createMesh, type Peer, readRules } from '@tokenmesh/interceptor';
import { shopPackage } from '@tokenmesh/proto/shop';
import {
  createLocalKeySet,
  exportJwk,
  generateSigningKey,
  parseJws,
  parseServiceTokenClaims,
  type SigningKey,
  signServiceToken,
  TokenError,
  tokenTypes,
} from '@tokenmesh/token';
import { createLocalJWKSet, jwtVerify } from 'jose';
import { forge, issuer, meshOptions, obtainToken, spiffeId, startBenchMesh } from './bench-mesh.ts';
import { collectGarbage } from './forced-gc.ts';
import { type Figure, pointAt, type Series, type SuiteOptions, type SuiteResult, summarize } from './measure.ts';
import { ratios } from './measured-side.ts';

const audience = spiffeId('orders');
const peer: Peer = { certificateThumbprint: () => undefined, address: '127.0.0.1' };
const rule = readRules([shopPackage]).get('/shop.v1.Orders/Get') ?? unreachable('the method has a rule');

/**
 * What deciding on a token costs, without a call around it, in processor time of this process: the interceptor's verifier with a live feed of
 * 10 000 revocations.
 */
export async function verifySuite({ quick, report }: SuiteOptions): Promise<SuiteResult> {
  await using started = new AsyncDisposableStack();
  report('starting token-exchange, with 10 000 revocations');
  const place = started.use(await startBenchMesh());
  const real = await obtainToken(place, 'gateway');
  const mesh = started.use(await createMesh(meshOptions(place, 'orders')));
  await mesh.ready();
  const { kid, payload } = parseJws(real, { typ: tokenTypes.serviceToken });
  const key = generateSigningKey('ES256', kid);
  const keys = createLocalKeySet([exportJwk(key)]);
  const open = (maxCachedTokens: number) => createCallVerifier({ issuer, audience, keys, revocation: mesh.feed, maxCachedTokens });
  // more tokens are needed than an issuer signs in a minute: they are like its own but for key, jti and times
  const mint = (count: number) => mintTokens(parseServiceTokenClaims(payload), key, count);

  const rounds = quick ? 15 : 40;
  const each = quick ? 100 : 200;
  const hits = quick ? 10_000 : 30_000;
  report('signing tokens');
  const unseen = mint(each * (rounds + warmUp));
  const warm = mint(1_000);
  const signed = Array.from({ length: each }, (_, index) => {
    const token = unseen(index);
    const data = Buffer.from(token.slice(0, token.lastIndexOf('.')), 'latin1');
    return { data, signature: sign('sha256', data, key.privateKey) };
  });
  const cold = open(10_000);
  const hot = open(10_000);
  const decideAll = (verifier: CallVerifier, tokens: readonly string[], times: number) => {
    const calls = tokens.map((token) => ({ scheme: 'Bearer', token }) as const);
    return cpuMicros(() => {
      for (let time = 0; time < times; time++) for (const call of calls) verifier.verify(call, rule, peer);
    });
  };
  // each is a string of its own, as off the wire: none can be told from another by its address
  const seen = Array.from({ length: 1_000 }, (_, index) => warm(index));
  const last = Array.from({ length: 1_000 }, () => warm(0));
  decideAll(
    hot,
    Array.from({ length: 1_000 }, (_, index) => warm(index)),
    1,
  );
  const joseKeys = createLocalJWKSet({ keys: [{ ...exportJwk(key) }] });
  const joseOptions = {
    issuer,
    audience,
    algorithms: ['ES256'],
    typ: 'at+jwt',
    requiredClaims: ['exp', 'iat', 'jti', 'client_id', 'scope'],
  };

  const micros = {
    ...{ bare: [] as number[], unseen: [] as number[], jose: [] as number[], hit: [] as number[], last: [] as number[] },
    ...{ clocks: [] as number[], compared: [] as number[] },
  };
  for (let round = 0; round < rounds + warmUp; round++) {
    report(`round ${round + 1 - warmUp} of ${rounds}`);
    const tokens = Array.from({ length: each }, (_, index) => unseen(each * round + index));
    const bareMicros = cpuMicros(() => {
      for (const { data, signature } of signed) if (!verify('sha256', data, key.publicKey, signature)) unreachable('it is right');
    });
    const unseenMicros = decideAll(cold, tokens, 1);
    const before = process.cpuUsage();
    for (const token of tokens) await jwtVerify(token, joseKeys, joseOptions);
    const joseMicros = microsSince(before);
    const hitMicros = decideAll(hot, seen, hits / seen.length);
    const lastMicros = decideAll(hot, last, hits / last.length);
    const clocksMicros = cpuMicros(() => readClocks(hits));
    const comparedMicros = cpuMicros(() => compareAll(last, hits / last.length));
    if (round < warmUp) continue;
    micros.bare.push(bareMicros / each);
    micros.unseen.push(unseenMicros / each);
    micros.jose.push(joseMicros / each);
    micros.hit.push(hitMicros / hits);
    micros.last.push(lastMicros / hits);
    micros.clocks.push(clocksMicros / hits);
    micros.compared.push(comparedMicros / hits);
  }
  const checks = checkDecisions(open(10), real, mint(3), place.revocations, mesh.feed.set.size);
  if (mesh.feed.freshness().state !== 'fresh') throw new Error('the feed went stale');
  const memory = memoryFigures(mint, open, report); // too busy to listen to the feed, which is not what it measures
  return {
    suite: 'verify',
    checks: [...checks, 'the feed is fresh after the last round'],
    series: [
      memory.series,
      ...[
        { name: 'not cached: full verification', slices: micros.unseen },
        { name: 'one bare signature check', slices: micros.bare },
      ].map(({ name, slices }): Series => ({ ...memory.series, name, points: memory.series.points.map(({ x }) => pointAt(x, slices)) })),
    ],
    figures: [
      summarize('P6 full verification of an unseen token / one bare node:crypto verify', '×', ratios(micros.unseen, micros.bare), {
        atMost: 1.25,
      }),
      summarize('   the same by jose / one bare node:crypto verify', '×', ratios(micros.jose, micros.bare)),
      summarize('P6 cache hit, the whole decision', 'µs', micros.hit, { atMost: 1.2 }),
      summarize('P6 hit of the last token, the whole decision', 'µs', micros.last, { atMost: 0.1 }),
      summarize('   of which reading the wall clock and the monotonic one', 'µs', micros.clocks),
      summarize('   and comparing the token', 'µs', micros.compared),
      ...memory.figures,
      summarize('P7 size of a token of token-exchange with two scopes', 'B', [real.length], { atMost: 480 }),
      summarize('one bare node:crypto verify', 'µs', micros.bare),
      summarize('full verification of an unseen token', 'µs', micros.unseen),
    ],
  };
}

/** Rounds that are not counted: what they run is compiled then. */
const warmUp = 3;

/**
 * Makes tokens and keeps their bytes out of the heap.
 *
 * @returns The token at an index, each time as another string.
 */
function mintTokens(claims: ReturnType<typeof parseServiceTokenClaims>, key: SigningKey, count: number): (index: number) => string {
  const iat = Math.floor(Date.now() / 1000);
  const mintOne = () => {
    const jti = randomBytes(16).toString('base64url');
    return signServiceToken({ ...claims, iat, exp: iat + 900, jti, txn: jti }, key); // each begins a call chain, as the real one did
  };
  const size = mintOne().length; // of all of them: the signature and every claim that differs have one
  const bytes = Buffer.alloc(size * count);
  for (let index = 0; index < count; index++) bytes.write(mintOne(), index * size, 'latin1');
  return (index) => bytes.toString('latin1', index * size, (index + 1) * size);
}

/** What cached tokens take, and what it takes to find them, in caches of ten as in caches of many. */
function memoryFigures(
  mint: (count: number) => (index: number) => string,
  open: (maxCachedTokens: number) => CallVerifier,
  report: (line: string) => void,
): { readonly figures: readonly Figure[]; readonly series: Series } {
  const used = () => {
    collectGarbage();
    collectGarbage();
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    return heapUsed + arrayBuffers;
  };
  const sizes = [
    { entries: 10, caches: 200 },
    { entries: 1_000, caches: 4 },
    { entries: 10_000, caches: 1 },
    { entries: 100_000, caches: 1 },
  ];
  const measureCaches = ({ entries, caches }: (typeof sizes)[number]) => {
    report(`caches of ${entries} tokens`);
    const token = mint(entries * caches);
    const verifiers = Array.from({ length: caches }, () => open(entries));
    const before = used();
    for (const [cache, verifier] of verifiers.entries()) {
      for (let index = 0; index < entries; index++) {
        verifier.verify({ scheme: 'Bearer', token: token(cache * entries + index) }, rule, peer);
      }
    }
    const after = used();
    const hits = hitMicros(verifiers[0] ?? unreachable('there is one'), token, entries);
    // used after the second look, so that nothing of them was collected before: neither verifiers nor what the tokens are made from
    const isHeld = verifiers.length === caches && token(0) !== '';
    return { entries, hits, bytes: isHeld ? (after - before) / (entries * caches) : unreachable('as many as were made') };
  };
  const rounds = Array.from({ length: 3 }, () => sizes.map(measureCaches));
  const bySize = sizes.map((_, index) => rounds.flatMap((round) => round[index] ?? []));
  const figures = [
    ...sizes.map(({ entries }, index) =>
      summarize(
        `P6 memory of a cached token, of ${entries}`,
        'B',
        (bySize[index] ?? []).map(({ bytes }) => bytes),
        { atMost: 1024 },
      ),
    ),
    summarize(
      'P6 the same, largest / smallest',
      '×',
      rounds.map((round) => Math.max(...round.map(({ bytes }) => bytes)) / Math.min(...round.map(({ bytes }) => bytes))),
      { atMost: 1.15 },
    ),
  ];
  const points = sizes.map(({ entries }, index) =>
    pointAt(
      entries,
      (bySize[index] ?? []).flatMap(({ hits }) => hits),
    ),
  );
  return { figures, series: { chart: 'verification-against-cached-tokens', name: 'cached: the whole decision', points } };
}

/** Of decisions on tokens that are spread over a full cache; in each slice on others, as far as there are, so that a large cache is not made small by it. */
function hitMicros(verifier: CallVerifier, token: (index: number) => string, entries: number): number[] {
  const [slices, each] = [15, 1_000];
  const step = Math.max(1, Math.floor(entries / each));
  return Array.from({ length: slices + warmUp }, (_, slice) => {
    const calls = Array.from({ length: each }, (_, index) => {
      return { scheme: 'Bearer', token: token((index * step + (slice % step)) % entries) } as const;
    });
    return cpuMicros(() => calls.forEach((call) => void verifier.verify(call, rule, peer))) / each;
  }).slice(warmUp);
}

/** What every decision needs, and nothing can leave out: the time, by both clocks. */
function readClocks(times: number): void {
  let last = 0;
  for (let time = 0; time < times; time++) last = Date.now() + performance.now();
  if (!(last > 0)) unreachable('time goes on');
}

/** The same for a token that comes again: it is compared as a whole, with the first one. */
function compareAll([first, ...others]: readonly string[], times: number): void {
  for (let time = 0; time < times; time++) for (const other of others) if (other !== first) unreachable('they are equal');
}

/** The verifier under measurement decides: it refuses what it must, also right after it took the same token. */
function checkDecisions(verifier: CallVerifier, real: string, token: (index: number) => string, published: number, known: number) {
  const reasonOf = (presented: string) => {
    try {
      verifier.verify({ scheme: 'Bearer', token: presented }, rule, peer);
      return 'taken';
    } catch (error) {
      return error instanceof TokenError ? error.reason : String(error);
    }
  };
  const expect = (reason: string, expected: string, check: string) => {
    if (reason !== expected) throw new Error(`${check}: expected ${expected}, was ${reason}`);
    return check;
  };
  if (known !== published) throw new Error(`${known} of ${published} revocations are known`);
  return [
    expect(reasonOf(token(0)), 'taken', 'a token is taken'),
    expect(reasonOf(forge(token(0))), 'TOKEN_SIGNATURE_INVALID', 'with another signature it is not'),
    expect(reasonOf(real), 'TOKEN_SIGNATURE_INVALID', 'nor is one by another key of the same kid'),
    `${known} revocations are known`,
  ];
}

function cpuMicros(work: () => void): number {
  const before = process.cpuUsage();
  work();
  return microsSince(before);
}

function microsSince(before: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(before);
  return user + system;
}

function unreachable(why: string): never {
  throw new Error(`unreachable: ${why}`);
}
