/**
 * HalfSipHash-2-4 with 64 bits of output: a keyed pseudorandom function whose arithmetic is that of 32-bit words, as JavaScript's is.
 *
 * @param key Two words: the 8 bytes of the key, little endian.
 * @param text Its UTF-8 bytes are hashed. One that is not well formed has none: U+FFFD stands in for what cannot be encoded.
 * @param out Takes the 64 bits: the high word at 0, the low one at 1. Bytes 0 to 3 of the output are the low word, little endian.
 * @see https://github.com/veorq/SipHash (halfsiphash.c, and vectors.h for its test vectors); Aumasson and Bernstein, "SipHash: a fast short-input
 *   PRF", 2012.
 */
export function halfSipHash(key: Uint32Array, text: string, out: Uint32Array): void {
  const seen = hashCodes(key, text, out);
  // one character is one byte as long as none is above 0x7f; then their UTF-8 is hashed, byte for character
  if (seen > 0x7f) hashCodes(key, Buffer.from(text, 'utf8').toString('latin1'), out);
}

/** Hashes character codes as if they were bytes, and returns the bitwise OR of all of them. */
function hashCodes(key: Uint32Array, text: string, out: Uint32Array): number {
  const k0 = key[0] ?? 0;
  const k1 = key[1] ?? 0;
  const { length } = text;
  let seen = 0;
  let v0 = k0 | 0;
  let v1 = k1 ^ 0xee;
  let v2 = k0 ^ 0x6c796765;
  let v3 = k1 ^ 0x74656462;
  let at = 0;
  // words of the text; the one after them is what is left of it, with its length on top; then two finalizations, one for each half of the output
  for (let stage = text.length >>> 2; stage >= -2; stage--) {
    let word = 0;
    let rounds = 2;
    if (stage > 0) {
      const a = text.charCodeAt(at);
      const b = text.charCodeAt(at + 1);
      const c = text.charCodeAt(at + 2);
      const d = text.charCodeAt(at + 3);
      word = a | (b << 8) | (c << 16) | (d << 24);
      seen |= a | b | c | d;
      at += 4;
    } else if (stage === 0) {
      word = length << 24;
      for (let shift = 0; at < length; at++, shift += 8) {
        const code = text.charCodeAt(at);
        word |= code << shift;
        seen |= code;
      }
    } else {
      rounds = 4;
      if (stage === -1) v2 ^= 0xee;
      else {
        out[1] = v1 ^ v3;
        v1 ^= 0xdd;
      }
    }
    v3 ^= word;
    for (; rounds > 0; rounds--) {
      v0 = (v0 + v1) | 0;
      v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
      v0 = (v0 << 16) | (v0 >>> 16);
      v2 = (v2 + v3) | 0;
      v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
      v0 = (v0 + v3) | 0;
      v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
      v2 = (v2 + v1) | 0;
      v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
      v2 = (v2 << 16) | (v2 >>> 16);
    }
    v0 ^= word;
  }
  out[0] = v1 ^ v3;
  return seen;
}
