/** Entries side by side, as plain numbers: what a shard is made from and taken apart into. */
export class EntryColumns {
  count = 0;
  /** The 32 bits of the fingerprint that follow those which name the shard. */
  head = new Uint32Array(1_024);
  /** The 22 bits after them. */
  tail = new Uint32Array(1_024);
  n = new Float64Array(1_024);
  /** Seconds since epoch, as is `exp`. */
  t = new Float64Array(1_024);
  exp = new Float64Array(1_024);

  push(head: number, tail: number, n: number, t: number, exp: number): void {
    const at = this.count++;
    if (at === this.head.length) this.#grow();
    this.head[at] = head;
    this.tail[at] = tail;
    this.n[at] = n;
    this.t[at] = t;
    this.exp[at] = exp;
  }

  pushFrom({ head, tail, n, t, exp }: EntryColumns, i: number): void {
    this.push(head[i] ?? 0, tail[i] ?? 0, n[i] ?? 0, t[i] ?? 0, exp[i] ?? 0);
  }

  /** Makes the last entry cover what the other one does as well. */
  raiseLast({ n, t, exp }: EntryColumns, i: number): void {
    const last = this.count - 1;
    this.n[last] = Math.max(this.n[last] ?? 0, n[i] ?? 0);
    this.t[last] = Math.max(this.t[last] ?? 0, t[i] ?? 0);
    this.exp[last] = Math.max(this.exp[last] ?? 0, exp[i] ?? 0);
  }

  #grow(): void {
    const length = this.head.length * 2;
    const { head, tail, n, t, exp } = this;
    this.head = new Uint32Array(length);
    this.tail = new Uint32Array(length);
    this.n = new Float64Array(length);
    this.t = new Float64Array(length);
    this.exp = new Float64Array(length);
    this.head.set(head);
    this.tail.set(tail);
    this.n.set(n);
    this.t.set(t);
    this.exp.set(exp);
  }
}
