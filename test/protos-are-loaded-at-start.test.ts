import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';

const root = join(import.meta.dirname, '..');

/** Sources that run in a service or in a program of its users: no tests, no tools, nothing generated. */
function sources(): string[] {
  const rooms = ['proto/src', 'packages', 'services'].flatMap((room) =>
    readdirSync(join(root, room), { recursive: true, encoding: 'utf8' }).map((file) => join(room, file)),
  );
  return rooms.filter((file) => file.endsWith('.ts') && !/node_modules|\/gen\/|\/dist\/|\.test\.ts$|\/test-[^/]*$/.test(file));
}

it('T-49: descriptions of messages are read in one place, from files of the package, and never from what a peer sends', () => {
  const files = sources();
  expect(files.length).toBeGreaterThan(100);
  const loaders = files.filter((file) => {
    const imports = readFileSync(join(root, file), 'utf8').match(/^(?:import|export) (?!type).*$/gm) ?? [];
    return imports.some((line) => /'(?:@grpc\/proto-loader|protobufjs[^']*)'/.test(line));
  });
  expect(loaders).toEqual(['proto/src/load.ts']);
  const reflective = files.filter((file) =>
    /\b(?:fromJSON|loadFileDescriptorSet|loadSync|protobuf\.parse)\w*\(/.test(readFileSync(join(root, file), 'utf8')),
  );
  expect(reflective).toEqual(['proto/src/load.ts']);
});
