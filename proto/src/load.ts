import { loadPackageDefinition } from '@grpc/grpc-js';
import { fromJSON, loadSync, type PackageDefinition } from '@grpc/proto-loader';
import { loadOptions, protoRoot } from './options.ts';

/**
 * Loads `.proto` files with the options that the generated types were made for (`loadOptions`).
 *
 * @param files Relative to `protoRoot`, or absolute; what they import is found in `protoRoot`. Who has more directories to import from calls
 *   proto-loader's `loadSync` with `{ ...loadOptions, includeDirs: [..., protoRoot] }`.
 * @throws {Error} A file cannot be read or parsed.
 */
export function loadProto(...files: readonly string[]): PackageDefinition {
  return loadSync([...files], { ...loadOptions, includeDirs: [protoRoot] });
}

/**
 * The same of files that `generate.ts` has parsed, in half of the time: a process that starts need not read them again.
 *
 * @param parsed Of a file in `gen`.
 */
export function definePackage(parsed: object): PackageDefinition {
  // the cast holds: protobufjs wrote it, and the compiler reads its strings as any strings
  return fromJSON(parsed as Parameters<typeof fromJSON>[0], loadOptions);
}

/**
 * The grpc-js object of a package definition, typed by the caller with the generated `ProtoGrpcType`.
 * The cast holds as long as the generated types are current, which the generated-files check proves.
 */
export function grpcObject<T>(definition: PackageDefinition): T {
  return loadPackageDefinition(definition) as unknown as T;
}
