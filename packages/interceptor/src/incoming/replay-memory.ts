import type { VerifiedDpopProof } from '@tokenmesh/token';

/**
 * Remembers which proofs were used, for as long as they could be used again, in bounded memory.
 *
 * A proof is remembered by its key, the second at which it becomes too old, and its `jti`. Where room runs out, whole seconds are forgotten, the oldest
 * first, and every proof of the same key that is as old or older is refused from then on, used or not: a replay is never taken for new, and a caller whose proofs
 * are fresh does not notice. The seconds forgotten are those of the key that is over its share, so that nobody can crowd out anybody else.
 */
export interface ReplayMemory {
  /** Whether the proof is known to be new; it is not any more after that. */
  use(proof: VerifiedDpopProof): boolean;
  /** Proofs remembered. */
  readonly size: number;
}

interface KeyMemory {
  /** `jti`s by the `exp` of their proofs. */
  readonly bySecond: Map<number, Set<string>>;
  size: number;
  /** Proofs with an `exp` up to this are refused: it is not known which were used. */
  forgottenThrough: number;
}

/** How often what is too old is looked for, in seconds; it is refused as too old before it comes here. */
const sweepEverySeconds = 5;

/**
 * @param maxEntries Proofs remembered, together; at least 16. A proof takes about 100 bytes, 200 with the longest `jti`. One key may have a quarter of
 *   them, and there may be a quarter as many keys; further ones are refused until older ones are forgotten.
 * @param now Milliseconds since epoch. When it is set back, proofs older than what was forgotten meanwhile are refused.
 */
export function createReplayMemory(maxEntries: number, now: () => number): ReplayMemory {
  const maxOfOneKey = Math.floor(maxEntries / 4);
  const maxKeys = Math.floor(maxEntries / 4);
  const keys = new Map<string, KeyMemory>();
  let size = 0;
  let sweptAt = 0;

  function forget(memory: KeyMemory, second: number): void {
    const count = memory.bySecond.get(second)?.size ?? 0;
    memory.bySecond.delete(second);
    memory.size -= count;
    size -= count;
  }

  function sweep(nowSeconds: number): void {
    sweptAt = nowSeconds;
    for (const [jkt, memory] of keys) {
      for (const second of memory.bySecond.keys()) if (second <= nowSeconds) forget(memory, second);
      if (memory.size === 0 && memory.forgottenThrough <= nowSeconds) keys.delete(jkt);
    }
  }

  function shrink(memory: KeyMemory, below: number): void {
    const oldestFirst = [...memory.bySecond.keys()].sort((a, b) => a - b);
    for (const second of oldestFirst) {
      if (memory.size < below) return;
      memory.forgottenThrough = second;
      forget(memory, second);
    }
  }

  /** Frees a quarter, so that this is not done for every proof. */
  function makeRoom(): void {
    const share = Math.floor((0.75 * maxEntries) / keys.size);
    for (const memory of keys.values()) shrink(memory, share + 1);
  }

  return {
    use({ jkt, jti, exp }) {
      const nowSeconds = now() / 1000;
      if (nowSeconds >= sweptAt + sweepEverySeconds) sweep(nowSeconds);
      let memory = keys.get(jkt);
      if (!memory) {
        if (keys.size >= maxKeys) return false;
        memory = { bySecond: new Map(), size: 0, forgottenThrough: 0 };
        keys.set(jkt, memory);
      }
      if (memory.bySecond.get(exp)?.has(jti)) return false;
      if (memory.size >= maxOfOneKey) shrink(memory, maxOfOneKey);
      if (size >= maxEntries) makeRoom();
      if (exp <= Math.max(sweptAt, memory.forgottenThrough)) return false;
      const used = memory.bySecond.get(exp);
      if (used) used.add(jti);
      else memory.bySecond.set(exp, new Set([jti]));
      memory.size++;
      size++;
      return true;
    },
    get size() {
      return size;
    },
  };
}
