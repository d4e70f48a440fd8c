import { createRequire } from 'node:module';

/**
 * Finds out whether the program and the libraries share one grpc-js. With two, credentials and metadata that one made are strangers to the
 * other: at best `new Client` refuses the mesh's credentials in words that do not help. A further copy that only somebody else uses, an
 * exporter say, does no harm and is not looked for.
 *
 * @param program File that Node was started with; where there is none, or where it cannot be told what it uses, nothing is said.
 * @throws {Error} Two copies are loaded; the message says where they are.
 */
export function checkGrpcCopies(program: string | undefined = process.argv[1]): void {
  const ours = grpcOf(import.meta.url);
  const theirs = program && grpcOf(program);
  if (!ours || !theirs || theirs === ours || !createRequire(import.meta.url).cache[theirs]) return;
  throw new Error(
    `two copies of @grpc/grpc-js are loaded, and neither takes the other's credentials: ${theirs} is the program's, ${ours} is @tokenmesh/interceptor's. ` +
      'Install one, with `overrides` (npm, pnpm) or `resolutions` (Yarn) if need be',
  );
}

/** The file that `@grpc/grpc-js` is for a module; `undefined` where it finds none. */
function grpcOf(module: string): string | undefined {
  try {
    return createRequire(module).resolve('@grpc/grpc-js');
  } catch {
    return undefined;
  }
}
