import type { AnyDefinition, MethodDefinition, PackageDefinition } from '@tokenmesh/proto';
import type { AccessRules } from './access-rules.ts';

/** What a method needs of its caller: the proto option `tokenmesh.v1.access`, read. */
export interface Rule {
  /** Full method name: `/shop.v1.Payments/Charge`. */
  readonly method: string;
  /** All of these scopes. */
  readonly scopes: readonly string[];
  /** At least one of these, when there are any. */
  readonly anyScope: readonly string[];
  /** No credential needed; one that is presented is verified all the same. */
  readonly public: boolean;
  /** Only these identities, when there are any: compared with the current actor, else with `client_id`. */
  readonly callers: readonly string[];
  /** Longest act chain accepted; `undefined`: no limit of its own. */
  readonly maxActDepth: number | undefined;
  readonly requireBinding: boolean;
  /** `critical` methods ask token-exchange while revocations cannot be checked, or are closed; `standard` ones go on up to `maxBlindMs`. */
  readonly class: 'standard' | 'critical';
  /** Age at which revocation data counts as stale here, in milliseconds; `undefined`: the verifier's own. */
  readonly maxStaleMs: number | undefined;
  /** Age up to which a `standard` method goes on, in milliseconds; `undefined`: the verifier's own. */
  readonly maxBlindMs: number | undefined;
}

const option = '(tokenmesh.v1.access)';
const knownMembers = new Set([
  'scopes',
  'any_scope',
  'public',
  'callers',
  'max_act_depth',
  'require_binding',
  'class',
  'max_stale_ms',
  'any_caller',
  'max_blind_ms',
]);

/** Health is what load balancers ask before there is any token. */
const exemptServices = new Set(['grpc.health.v1.Health']);

/**
 * The rule of every method that is served: from the options of the package definitions, and from `accessRules` for those that have none.
 *
 * @returns Rules by full method name. Methods of the gRPC health service have none: `isExempt` tells.
 * @throws {TypeError} When a method has no rule, an empty one, one with a member that does not exist, or two that differ; all of them are named.
 */
export function readRules(sources: readonly (PackageDefinition | AccessRules)[]): ReadonlyMap<string, Rule> {
  const rules = new Map<string, Rule>();
  const problems: string[] = [];
  function add(rule: Rule): void {
    const other = rules.get(rule.method);
    // whichever were taken, somebody would be sure that it is the other one
    if (other && JSON.stringify(other) !== JSON.stringify(rule)) problems.push(`${rule.method} has two access rules that differ`);
    rules.set(rule.method, rule);
  }
  for (const source of sources) if (isAccessRules(source)) for (const rule of source.values()) add(rule);
  const services = sources.flatMap((source) => (isAccessRules(source) ? [] : Object.entries(source)));
  for (const [service, definition] of services) {
    if (!isService(definition) || exemptServices.has(service)) continue;
    for (const method of Object.values(definition)) {
      const access = (method.options as { readonly [name: string]: unknown } | undefined)?.[option];
      if (access === undefined && rules.has(method.path)) continue;
      try {
        add(readRule(method.path, access));
      } catch (error) {
        problems.push(error instanceof Error ? error.message : String(error));
      }
    }
  }
  if (problems.length > 0) throw new TypeError(`the server cannot start:\n  ${problems.join('\n  ')}`);
  if (rules.size === 0) throw new TypeError('the package definition has no service in it');
  return rules;
}

/** What a server lets everybody see that allows reflection: the services and messages that it knows. */
export const reflectionRules: AccessRules = new Map(
  ['v1', 'v1alpha'].map((version) => {
    const method = `/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`;
    return [method, readRule(method, { public: true })];
  }),
);

/** Whether calls of this method are let through without a rule. */
export function isExempt(method: string): boolean {
  return exemptServices.has(method.slice(1, method.lastIndexOf('/')));
}

/**
 * Reads one rule.
 *
 * @param path Full name of the method that it belongs to.
 * @param access The message `tokenmesh.v1.AccessRule`, with the members that are set.
 * @throws {TypeError} When there is none, or one that opens nothing or cannot be read.
 */
export function readRule(path: string, access: unknown): Rule {
  if (typeof access !== 'object' || access === null) {
    throw new TypeError(
      `${path} has no access rule; write \`option (tokenmesh.v1.access) = {scopes: "…"};\` into the method, or use accessRules()`,
    );
  }
  const members = { ...access } as { readonly [name: string]: unknown };
  for (const name of Object.keys(members)) {
    if (!knownMembers.has(name)) throw new TypeError(`${path}: tokenmesh.v1.access has no member ${name}`);
  }
  const rule: Rule = {
    method: path,
    scopes: texts(path, members, 'scopes'),
    anyScope: texts(path, members, 'any_scope'),
    public: flag(path, members, 'public'),
    callers: texts(path, members, 'callers'),
    maxActDepth: count(path, members, 'max_act_depth'),
    requireBinding: flag(path, members, 'require_binding'),
    class: methodClass(path, members),
    maxStaleMs: count(path, members, 'max_stale_ms'),
    maxBlindMs: count(path, members, 'max_blind_ms'),
  };
  if (rule.class === 'critical' && rule.maxBlindMs !== undefined) throw new TypeError(`${path}: max_blind_ms is for standard methods`);
  const opens = rule.scopes.length + rule.anyScope.length + rule.callers.length > 0 || rule.public || flag(path, members, 'any_caller');
  if (!opens) throw new TypeError(`${path}: the access rule opens nothing; say scopes, any_scope, callers, any_caller or public`);
  return rule;
}

// proto-loader hands a repeated option with one value through as that value
function texts(path: string, members: { readonly [name: string]: unknown }, name: string): readonly string[] {
  const value = members[name];
  if (value === undefined) return [];
  const list: unknown[] = Array.isArray(value) ? value : [value];
  return list.map((text) => {
    if (typeof text !== 'string' || text === '') throw new TypeError(`${path}: ${name} of tokenmesh.v1.access must be non-empty text`);
    return text;
  });
}

function flag(path: string, members: { readonly [name: string]: unknown }, name: string): boolean {
  const value = members[name] ?? false;
  if (typeof value !== 'boolean') throw new TypeError(`${path}: ${name} of tokenmesh.v1.access must be true or false`);
  return value;
}

function count(path: string, members: { readonly [name: string]: unknown }, name: string): number | undefined {
  const value = members[name];
  if (value === undefined) return undefined;
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) {
    throw new TypeError(`${path}: ${name} of tokenmesh.v1.access must be a whole number`);
  }
  return value;
}

// a class that is misspelt must not quietly be the weaker one
function methodClass(path: string, members: { readonly [name: string]: unknown }): Rule['class'] {
  const value = members.class ?? 'METHOD_CLASS_UNSPECIFIED';
  if (value === 'METHOD_CLASS_CRITICAL') return 'critical';
  if (value === 'METHOD_CLASS_STANDARD' || value === 'METHOD_CLASS_UNSPECIFIED') return 'standard';
  throw new TypeError(`${path}: class of tokenmesh.v1.access must be METHOD_CLASS_STANDARD or METHOD_CLASS_CRITICAL`);
}

function isAccessRules(source: PackageDefinition | AccessRules): source is AccessRules {
  return source instanceof Map;
}

function isService(definition: AnyDefinition): definition is Record<string, MethodDefinition<object, object>> {
  return !('format' in definition);
}
