import { createHash } from 'node:crypto';
import { halfSipHash } from './half-sip-hash.ts';
import { targetKinds } from './target.ts';

/**
 * 64-bit fingerprints of targets: what a packed entry is found by, instead of its kind and value.
 *
 * HalfSipHash-2-4-64 of the value's UTF-8 bytes under a key of its kind: the first 8 bytes of SHA-256 of `tokenmesh fingerprint`, the epoch and the
 * kind, with a zero byte between them. Epochs are random (128 bits) and known to those alone who read the feed, so nobody else can look for
 * values that collide; all verifiers of one epoch and its issuer agree.
 *
 * Two values of one kind share a fingerprint with a chance of 2^-64: among 1 000 000 entries a look-up of something else finds one with 2^-44.
 * What is found then is refused although nobody revoked it, until it is named by another value (another `jti`). What was revoked is always found.
 */
export class Fingerprints {
  readonly epoch: string;
  /** One for each of `targetKinds`. */
  readonly #last: readonly Last[];
  #halves = new Uint32Array(2);

  constructor(epoch: string) {
    this.epoch = epoch;
    this.#last = targetKinds.map((kind) => ({ key: keyOf(epoch, kind), value: undefined, halves: new Uint32Array(2) }));
  }

  /** Bits 63 to 32 of the last fingerprint, unsigned. */
  get high(): number {
    return this.#halves[0] ?? 0;
  }

  /** Bits 31 to 0, unsigned. */
  get low(): number {
    return this.#halves[1] ?? 0;
  }

  /**
   * Takes the fingerprint of a target into `high` and `low`.
   * @param kind Index in `targetKinds`.
   */
  take(kind: number, value: string): void {
    const last = this.#last[kind];
    if (last === undefined) throw new RangeError(`there is no kind ${kind}`);
    this.#halves = last.halves;
    if (last.value === value) return;
    halfSipHash(last.key, value, last.halves);
    last.value = value;
  }
}

/** The last value of a kind: token after token names the same audience, client and key. */
interface Last {
  readonly key: Uint32Array;
  value: string | undefined;
  readonly halves: Uint32Array<ArrayBuffer>;
}

function keyOf(epoch: string, kind: string): Uint32Array {
  const digest = createHash('sha256').update(`tokenmesh fingerprint\0${epoch}\0${kind}`).digest();
  return Uint32Array.of(digest.readUInt32LE(0), digest.readUInt32LE(4));
}
