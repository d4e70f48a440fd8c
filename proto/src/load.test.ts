import type { MessageTypeDefinition } from '@grpc/proto-loader';
import { expect, it } from 'vitest';
import { type AnyDefinition, loadProto, type MethodDefinition, type PackageDefinition, tokenmesh, tokenmeshPackage } from './index.ts';
import { tokenmeshFiles } from './options.ts';

const read = loadProto(...tokenmeshFiles);

type Message = MessageTypeDefinition<object, object>;
interface Descriptor {
  readonly field: readonly { readonly name: string; readonly type: string; readonly label: string; readonly typeName: string }[];
}

const isMessage = (definition: AnyDefinition | undefined): definition is Message =>
  definition?.format === 'Protocol Buffer 3 DescriptorProto';
// the cast holds for whatever has no format: it is a service
const methodsOf = (definition: AnyDefinition) => Object.values(definition as Readonly<Record<string, MethodDefinition<object, object>>>);

/** What the mesh itself defines; what only files of protobuf itself do is left out of what is generated. */
const ours = Object.keys(read).filter((name) => /^(?:tokenmesh|google\.rpc)\./.test(name));

/** A message with a value in every field, three levels deep, and two in those that repeat. */
function filled(definitions: PackageDefinition, name: string, depth = 0): object {
  const definition = definitions[name];
  if (!isMessage(definition)) throw new Error(`${name} is no message`);
  // the cast holds: proto-loader describes messages so
  const { field } = definition.type as unknown as Descriptor;
  return Object.fromEntries(
    field.map(({ name: member, type, label, typeName }) => {
      const inner = resolved(definitions, name, typeName);
      if (type === 'TYPE_MESSAGE' && inner === undefined) return [member, { key: 'text' }]; // a map, whose entries have no definition
      const value = type === 'TYPE_MESSAGE' ? depth < 3 && inner && filled(definitions, inner, depth + 1) : scalars[type];
      return [member, label === 'LABEL_REPEATED' ? [value, value].filter(Boolean) : value || undefined];
    }),
  );
}

const scalars: Readonly<Record<string, unknown>> = {
  ...{ TYPE_STRING: 'text', TYPE_BYTES: Buffer.from([1, 2, 3]), TYPE_BOOL: true, TYPE_ENUM: 1 },
  ...{ TYPE_INT32: 1, TYPE_UINT32: 2, TYPE_INT64: 3, TYPE_UINT64: 4 },
};

/** Names are relative to the message that has the field. */
function resolved(definitions: PackageDefinition, from: string, name: string): string | undefined {
  const scopes = from.split('.').map((_, index, parts) => parts.slice(0, parts.length - index).join('.'));
  return [name.replace(/^\./, ''), ...scopes.map((scope) => `${scope}.${name}`)].find((one) => definitions[one]);
}

it('defines every service with the methods, the kinds of call and the options that the files say', () => {
  const services = ours.filter((name) => read[name]?.format === undefined);
  expect(services.map((name) => name.split('.').at(-1))).toEqual(['Admin', 'TokenExchange', 'RevocationFeed', 'StreamCredential']);
  const told = (definition: AnyDefinition | undefined) =>
    methodsOf(definition ?? {}).map(({ path, requestStream, responseStream, originalName, options }) => ({
      ...{ path, requestStream, responseStream, originalName, options },
    }));
  for (const name of services) expect(told(tokenmeshPackage()[name])).toEqual(told(read[name]));
});

it.each(ours.filter((name) => isMessage(read[name])))('writes and reads %s as one that is read from the files', (name) => {
  const [generated, fromFiles] = [tokenmeshPackage()[name], read[name]];
  if (!isMessage(generated) || !isMessage(fromFiles)) throw new Error(`${name} is missing`);
  expect(generated.type).toEqual(fromFiles.type);
  const bytes = fromFiles.serialize(filled(read, name));
  expect(generated.serialize(filled(read, name))).toEqual(bytes);
  expect(generated.deserialize(bytes)).toEqual(fromFiles.deserialize(bytes));
  expect(generated.deserialize(Buffer.alloc(0))).toEqual(fromFiles.deserialize(Buffer.alloc(0)));
});

it('has a client and a definition of everything in tokenmesh.v1, and defines administration when it is first looked at', () => {
  const names = ours.flatMap((name) => /^tokenmesh\.v1\.(\w+)$/.exec(name)?.[1] ?? []);
  expect(Object.keys(tokenmesh).sort()).toEqual(names.sort());
  const isDefined = (name: string) => Object.getOwnPropertyDescriptor(tokenmesh, name)?.get === undefined;
  expect(names.filter((name) => !isDefined(name))).toEqual(expect.arrayContaining(['Admin', 'AuditEvent', 'SimulateRequest']));
  expect(['TokenExchange', 'RevocationFeed', 'StreamCredential', 'ExchangeTokenRequest'].filter((name) => !isDefined(name))).toEqual([]);
  expect(tokenmesh.Admin.service.Simulate.path).toBe('/tokenmesh.v1.Admin/Simulate');
  expect(tokenmesh.Admin).toBe(tokenmesh.Admin);
  expect(tokenmesh.AuditEvent.type).toEqual(read['tokenmesh.v1.AuditEvent']?.type);
});
