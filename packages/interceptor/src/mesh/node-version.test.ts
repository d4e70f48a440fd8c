import { expect, it } from 'vitest';
import { checkNodeVersion } from './node-version.ts';

it('T-15: takes the engine in which the known holes are mended, and every later one', () => {
  for (const version of ['24.14.1', '24.14.2', '24.15.0', '24.21.0', '25.0.0', '100.0.0'])
    expect(() => checkNodeVersion(version)).not.toThrow();
  expect(() => checkNodeVersion()).not.toThrow();
});

it('T-15: refuses an older engine, and one that does not say how old it is, with what is needed', () => {
  for (const version of ['24.14.0', '24.13.9', '24.2.99', '22.99.99', '9.99.99', '', 'v24.21.0', '24']) {
    expect(() => checkNodeVersion(version)).toThrow('needs Node 24.14.1 or later');
  }
});
