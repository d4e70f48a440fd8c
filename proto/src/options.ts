import { fileURLToPath } from 'node:url';

/** Where the `.proto` files are: the directory to import them from. */
export const protoRoot: string = fileURLToPath(new URL('..', import.meta.url));

/**
 * How messages look in TypeScript; the generator and the loader share it, so types and values agree.
 *
 * Field names are kept as the `.proto` spells them (the RFCs' parameter names), 64-bit numbers are numbers (positions and times, all below
 * 2^53), enums are their names, absent fields have their defaults, and a oneof tells by its name which member is set.
 */
export const loadOptions = { keepCase: true, longs: Number, enums: String, defaults: true, oneofs: true } as const;

/** The `.proto` files that every process of a mesh needs, relative to `protoRoot`. */
export const memberFiles: readonly string[] = [
  'tokenmesh/v1/revocation_feed.proto',
  'tokenmesh/v1/stream_credential.proto',
  'tokenmesh/v1/token_exchange.proto',
  'google/rpc/status.proto',
];

/** All of the mesh's own. */
export const tokenmeshFiles: readonly string[] = ['tokenmesh/v1/admin.proto', ...memberFiles];
