import { type Rule, readRule } from './rules.ts';

/** A service as gRPC describes it, for instance `Payments.service` of a generated client: its methods by their names. */
export interface DescribedService {
  readonly [method: string]: { readonly path: string };
}

/** The members of the proto option `tokenmesh.v1.access`: what `tokenmesh/v1/access.proto` says of each. */
export interface AccessRuleMembers {
  readonly scopes?: readonly string[];
  readonly any_scope?: readonly string[];
  readonly any_caller?: boolean;
  readonly public?: boolean;
  readonly callers?: readonly string[];
  readonly max_act_depth?: number;
  readonly require_binding?: boolean;
  readonly class?: 'METHOD_CLASS_STANDARD' | 'METHOD_CLASS_CRITICAL';
  readonly max_stale_ms?: number;
  readonly max_blind_ms?: number;
}

/** The names that the type knows, without the index signature that generated definitions inherit. */
type MethodsOf<Service> = keyof { [Name in keyof Service as string extends Name ? never : Name]: true } & string;

/** One rule for each method of a service. */
export type RulesFor<Service> = [MethodsOf<Service>] extends [never]
  ? { readonly [method: string]: AccessRuleMembers }
  : { readonly [Method in MethodsOf<Service>]: AccessRuleMembers };

/** Rules by full method name. */
export type AccessRules = ReadonlyMap<string, Rule>;

/**
 * The access rules of a service whose `.proto` cannot be edited, for `mesh.server()`.
 *
 * A method without a rule, or a rule without a method, does not type-check where the definition's type names its methods.
 *
 * @throws {TypeError} A method has no rule, a rule has no method, or a rule cannot be read; all of them are named.
 */
export function accessRules<Service extends DescribedService>(service: Service, rules: RulesFor<Service>): AccessRules {
  const given = new Map<string, unknown>(Object.entries(rules));
  const problems = [...given.keys()].filter((name) => !Object.hasOwn(service, name)).map((name) => `the service has no method ${name}`);
  const read = new Map<string, Rule>();
  for (const [name, { path }] of Object.entries(service)) {
    try {
      if (!given.has(name)) throw new TypeError(`${path} has no access rule; write \`${name}: { scopes: ['…'] }\` into accessRules`);
      read.set(path, readRule(path, given.get(name)));
    } catch (error) {
      problems.push(error instanceof Error ? error.message : String(error));
    }
  }
  if (problems.length > 0) throw new TypeError(`the access rules do not fit the service:\n  ${problems.join('\n  ')}`);
  return read;
}
