import type { Random } from '../random.ts';
import type { World } from './world.ts';

/** What a fault takes hold of. Two faults that share one never overlap in time, so that each can be healed without thinking of the other. */
export type Held =
  | 'nats'
  | 'issuer'
  | 'verifiers'
  | 'stream'
  | 'record'
  | 'issuer clock'
  | 'verifier clock'
  | 'issuer to NATS'
  | 'verifiers to NATS'
  | 'verifiers to issuer'
  | 'messages';

/** A fault that is in force. */
export interface AppliedFault {
  /** What exactly, for people and for the history: which verifier, how much. */
  readonly detail: string;
  /** By how much it moves a clock away from the true time without anybody being able to tell, in milliseconds: 5 000 at most. */
  readonly epsMs?: number;
  /** By how much it moves one at all, in milliseconds. */
  readonly clockOffMs?: number;
  /** Names of verifiers whose process stands still meanwhile. */
  readonly stops?: readonly string[];
  /** Puts everything back, and resolves when it is. */
  heal(): Promise<void>;
}

/** Something that goes wrong in a world, for a while. */
export interface Fault {
  readonly name: string;
  readonly holds: readonly Held[];
  /** How often it is chosen, beside the others. */
  readonly weight: number;
  /** It leaves verifiers without any news while calls still come: long schedules begin with such a fault and keep it for longer than G. */
  readonly blinds?: boolean;
  /** Shortest and longest time in force. */
  readonly durationMs: readonly [number, number];
  /** @param random Every choice is made by it, so that a seed repeats them. */
  apply(world: World, random: Random): Promise<AppliedFault>;
}
