import { readFileSync } from 'node:fs';
import type { ReplayOptions } from './replay.ts';

/** One mistake that the model can make, or one state that it must be able to reach. */
export interface Variant {
  readonly name: string;
  /** What `mutant` is in the model. */
  readonly number: number;
  /** Whose mistake it is: the verifier's, that of what surrounds it, or none: a state that must be reachable. */
  readonly of: 'verifier' | 'world' | 'probe';
  readonly about: string;
}

/** One environment of the verifier, as a Promela file and its constants. */
export interface World {
  readonly name: string;
  /** In this folder. */
  readonly file: string;
  /** Constants: S, room on the bus and so on. */
  readonly defines: readonly string[];
  /** The constants of the smaller size, which takes seconds. */
  readonly quickDefines: readonly string[];
  /** Constants of random runs: long ones. */
  readonly randomDefines: readonly string[];
  /** Names of mistakes of the verifier that this world must find, besides all that its own file names. */
  readonly verifierMutants: readonly string[];
}

export const worlds: readonly World[] = [
  {
    name: 'bus',
    file: 'bus.pml',
    defines: ['ROOM=2'],
    quickDefines: ['S=0', 'ROOM=1'],
    randomDefines: ['ROOM=3', 'S=3', 'LAST=40'],
    verifierMutants: ['RECEIPT', 'NO_COUNT', 'ANY_MESSAGE', 'RESTART_FRESH', 'GAP_COUNTED', 'OLD_REPLACES'],
  },
  {
    name: 'planes',
    file: 'planes.pml',
    defines: ['ROOM=2'],
    quickDefines: ['S=0', 'ROOM=1'],
    randomDefines: ['S=3', 'LAST=12'],
    verifierMutants: ['NO_NONCE', 'OLD_ROUND', 'WAITING_KEPT', 'FUTURE_COUNTS'],
  },
  {
    name: 'record only',
    file: 'planes.pml',
    defines: ['RECORD_ONLY', 'S=3', 'LAST=2'],
    quickDefines: ['RECORD_ONLY'],
    randomDefines: ['RECORD_ONLY', 'S=3', 'LAST=12'],
    verifierMutants: ['HEARD_AT_RECEIPT', 'WALL_ONLY'],
  },
  {
    name: 'epochs',
    file: 'epochs.pml',
    defines: [],
    quickDefines: ['S=0', 'QUIET'],
    randomDefines: ['S=3'],
    verifierMutants: ['GOES_BACK', 'F_SURVIVES', 'BROADCAST_EPOCH', 'OTHER_EPOCH'],
  },
  {
    name: 'histories',
    file: 'histories.pml',
    defines: [],
    quickDefines: ['S=0', 'QUIET'],
    randomDefines: ['S=3', 'LAST=12'],
    verifierMutants: ['OLD_REPLACES', 'NO_HASH', 'NO_PREV', 'MET_BY_POSITION', 'FORK_REPLACES'],
  },
  {
    name: 'methods',
    file: 'methods.pml',
    defines: ['S=2'],
    quickDefines: [],
    randomDefines: ['S=3'],
    verifierMutants: [],
  },
];

/** Not in every variant of a file: what the shorter one cannot reach. */
const onlyWithBus = ['RETURNS', 'FRESH_AFTER_SLEEP', 'FRESH_UNCONFIRMED'];

/** Mistakes that a world must find, and states that it must reach. */
export function variantsOf(world: World): { readonly mutants: readonly Variant[]; readonly probes: readonly Variant[] } {
  const verifier = namedIn('verifier.pml');
  const own = namedIn(world.file);
  const mutants = world.verifierMutants.map((name) => {
    const variant = verifier.find((candidate) => candidate.name === name);
    if (!variant) throw new Error(`verifier.pml has no mutant ${name}`);
    return variant;
  });
  const probes = own.filter((variant) => variant.of === 'probe');
  return {
    mutants: [...mutants, ...own.filter((variant) => variant.of !== 'probe')],
    probes: world.defines.includes('RECORD_ONLY') ? probes.filter(({ name }) => !onlyWithBus.includes(name)) : probes,
  };
}

/** What the replay of a run of this world has to know, with these constants. */
export function replayOptionsOf(world: World, defines: readonly string[]): ReplayOptions {
  const staleAfterTicks = Number(defines.find((define) => define.startsWith('S='))?.slice(2) ?? 1);
  // as OLDEST in the files: S + 1, and what the wall clock can be behind, or G + 1
  const beyond = world.file === 'planes.pml' ? 2 + staleAfterTicks : world.file === 'methods.pml' ? 2 : 1;
  return {
    staleAfterTicks,
    oldestTicks: staleAfterTicks + beyond,
    hasMonotonicClock: world.file === 'planes.pml',
    ...(world.file === 'histories.pml' && { forkAt: 2 }),
    ...(world.file === 'epochs.pml' && { allAt: 3 }),
  };
}

function namedIn(file: string): readonly Variant[] {
  const text = readFileSync(new URL(file, import.meta.url), 'utf8');
  const lines = text.matchAll(/^#define (\w+) +\(mutant == (\d+)\) +\/\* (.+) \*\/$/gm);
  return [...lines].map(([, name = '', number, comment = '']) => {
    const [, of, about] = /^(verifier|probe): (.*)$/.exec(comment) ?? [undefined, file === 'verifier.pml' ? 'verifier' : 'world', comment];
    return { name, number: Number(number), of: of as Variant['of'], about: about ?? '' }; // one of the three words, by the expression
  });
}
