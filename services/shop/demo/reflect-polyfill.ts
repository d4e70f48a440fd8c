/**
 * What `@peculiar/x509` needs of the Reflect Metadata API, to be imported before it.
 *
 * Its dependency container refuses to load without `Reflect.getMetadata`, and asks it only for the types of decorated constructor
 * parameters. The library has none, so "nothing is known" is the complete answer. Leaves a real polyfill alone.
 */
const noMetadata = (): undefined => undefined;
if (!('getMetadata' in Reflect)) Object.assign(Reflect, { getMetadata: noMetadata, getOwnMetadata: noMetadata });
