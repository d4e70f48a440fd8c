// Revokes single tokens, as many at a time as it is asked to, for as long.
import { randomBytes } from 'node:crypto';
import { type MeshPlace, openAdmin } from './bench-mesh.ts';
import { answer } from './measured-process.ts';

export interface RevokerQuestion {
  readonly inFlight: number;
  readonly seconds: number;
  /** Targets of each call. */
  readonly targets: number;
}

export interface RevokerAnswer {
  readonly calls: number;
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

// the cast holds: the suite passes these settings
const admin = await openAdmin(JSON.parse(process.argv[2] ?? '{}') as MeshPlace);

answer<RevokerQuestion, RevokerAnswer>(0, async ({ inFlight, seconds, targets }) => {
  const took: number[] = [];
  const from = performance.now();
  const until = from + seconds * 1_000;
  const revokeOnAndOn = async () => {
    while (performance.now() < until) {
      const named = Array.from({ length: targets }, () => ({ kind: 'token', value: randomBytes(16).toString('base64url') }) as const);
      const asked = performance.now();
      await admin.add(named);
      took.push(performance.now() - asked);
    }
  };
  await Promise.all(Array.from({ length: inFlight }, revokeOnAndOn));
  const elapsed = performance.now() - from;
  took.sort((a, b) => a - b);
  const at = (part: number) => took[Math.floor(part * took.length)] ?? Number.NaN;
  return { calls: took.length, perSecond: (took.length / elapsed) * 1_000, p50Ms: at(0.5), p99Ms: at(0.99) };
});
