import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** Collects everything that can be, and returns when that is done. */
export const collectGarbage = exposeGc();

function exposeGc(): () => void {
  setFlagsFromString('--expose-gc');
  // the cast holds: that is what the flag makes
  return runInNewContext('gc') as () => void;
}
