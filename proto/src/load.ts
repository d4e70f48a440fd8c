import { loadPackageDefinition } from '@grpc/grpc-js';
import { loadSync, type PackageDefinition } from '@grpc/proto-loader';
import { loadOptions, protoRoot } from './options.ts';

/** Loads `.proto` files, named relative to the proto room, with the options that the generated types were made for. */
export function loadProto(...files: readonly string[]): PackageDefinition {
  return loadSync([...files], { ...loadOptions, includeDirs: [protoRoot] });
}

/**
 * The grpc-js object of a package definition, typed by the caller with the generated `ProtoGrpcType`.
 * The cast holds as long as the generated types are current, which the generated-files check proves.
 */
export function grpcObject<T>(definition: PackageDefinition): T {
  return loadPackageDefinition(definition) as unknown as T;
}
