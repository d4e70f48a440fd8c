import type { WorldKind } from './small-world.ts';

/** Worlds that take seconds. */
export const quickSmallWorlds = {
  bus: { first: ['a1', 'a2'], staleAfter: 0, calm: true },
  clocks: { first: ['a1'], mostLag: 1, staleAfter: 0 },
  epochs: { first: ['a1'], replacement: { log: ['all'], adds: ['c'] }, staleAfter: 0, calm: true },
  histories: { begun: 1, first: ['a1', 'a2'], replacement: { log: ['a1'], adds: ['b2'] }, staleAfter: 0, calm: true },
} as const satisfies Record<string, WorldKind>;

/** Larger ones. */
export const smallWorlds = {
  bus: { first: ['a1', 'a2'], staleAfter: 0 },
  'bus, S = 1': { first: ['a1'], staleAfter: 1 },
  clocks: { first: ['a1'], mostLag: 1, staleAfter: 0 },
  epochs: { first: ['a1'], replacement: { log: ['all'], adds: ['c'] }, staleAfter: 0 },
  histories: { first: ['a1', 'a2'], replacement: { log: ['a1'], adds: ['b2'] }, staleAfter: 0, calm: true },
} as const satisfies Record<string, WorldKind>;
