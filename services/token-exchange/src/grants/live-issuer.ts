import { createHash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { auditEntry } from '../audit/audit.ts';
import type { Federations } from '../clients/federation.ts';
import type { Config } from '../config/config.ts';
import { ConfigError } from '../config/config-problem.ts';
import type { EventLog } from '../event-log.ts';
import type { KeyRing } from '../keys/keys.ts';
import type { AppliedTerms } from '../record/applied-terms.ts';
import type { Store, StoreTransaction } from '../record/store.ts';
import type { RevocationTarget } from '../revocation/revocation.ts';
import type { Issuer } from './issuer.ts';
import type { Grant, Policy } from './policy.ts';

/** What an applied configuration changed, by name. */
export interface ConfigChange {
  readonly workloads: Difference;
  /** Each as `<from> <to>`. */
  readonly grants: Difference;
  /** Other members that changed and are in force. */
  readonly members: readonly string[];
  /** Members that changed and stay as they were until a restart. */
  readonly needsRestart: readonly string[];
  /** What was taken back with it. */
  readonly revoked: readonly RevocationTarget[];
}

export interface Difference {
  readonly added: readonly string[];
  readonly removed: readonly string[];
  readonly changed: readonly string[];
}

/**
 * The issuer whose policy can be exchanged while it works.
 *
 * Whatever a grant holds and is taken out of it (the grant itself, a scope, delegation, a scope or an issuer of it, the use of tokens that are not bound) ends what was issued under it, and a
 * workload that is taken out ends what names it: with events of the revocation log, for live streams as well. A shorter life
 * ends nothing: who may do what is unchanged, and every token in hand was given its end when it was issued. So does a key of a workload that is
 * replaced. The record remembers what was in force, so that a change made while the service was down counts as well.
 */
export interface LiveIssuer {
  readonly keys: KeyRing;
  /** In force now; what cannot change at run time is as it was at the start. */
  readonly config: Config;
  /** In force now. */
  readonly federations: Federations;
  /** Decides by what is in force when it is asked. */
  readonly policy: Policy;
  /**
   * Runs `work` under one policy from beginning to end. When the policy is exchanged before `work` has read the position of the log, which
   * is stamped into every token, its transaction is undone and it runs again under the new one: no token that an old policy allowed stands
   * above the event that took the permission back.
   */
  run<T>(work: (issuer: Issuer) => Promise<T>): Promise<T>;
  /**
   * Puts another configuration into force; one at a time, in order.
   *
   * @returns When all that it takes back is durable.
   * @throws {ConfigError} When it is of another trust domain.
   * @throws {Error} When the record failed. New permissions are not in force then, or what was taken back is refused from now on but not yet
   *   revoked: apply it again.
   */
  apply(next: Config): Promise<ConfigChange>;
}

/** Whoever else may vouch for workloads, and on behalf of whose subjects they may act. */
export type OtherIssuers = Required<Pick<Issuer, 'federations' | 'subjectIssuers'>>;

export interface LiveIssuerOptions {
  readonly config: Config;
  /** What the operations work with besides the configuration. */
  readonly parts: Omit<Issuer, 'config' | 'policy' | keyof OtherIssuers>;
  /** Compiles the policy of a configuration. */
  readonly compile: (config: Config) => Policy;
  /** Opens the other issuers of a configuration; called again when it names others. */
  readonly trust: (config: Config) => OtherIssuers;
  readonly log: EventLog;
}

/** Members of a configuration that come into force at run time; every other one needs a restart, as a listener or a database is not exchanged. */
const liveMembers: readonly (keyof Config)[] = ['workloads', 'grants', 'limits', 'federations', 'subjectIssuers', 'audit'];
/** What the file calls members that have another name here. */
const namesInFile: Partial<Record<keyof Config, string>> = {
  trustDomain: 'trust_domain',
  federations: 'federation',
  subjectIssuers: 'issuers',
};
/** protocol section 7: what one event holds. */
const maxTargets = 500;
type Terms = Omit<AppliedTerms, 'withdrawnAtMs'>;

/** Names in one line of the log. */
const maxNames = 100;

/** Opens the issuer under its first configuration: what is no longer in it, compared with what the record remembers, has been revoked when this resolves. */
export async function openLiveIssuer({ config: first, parts, compile, trust, log }: LiveIssuerOptions): Promise<LiveIssuer> {
  const { store, revocations, now } = parts;
  let others = trust(first);
  let current: Issuer & { readonly config: Config } = build(first);
  let applying: Promise<unknown> = Promise.resolve();
  /** What left the policy of this process and is not revoked yet: another replica's events of the same kind may have come too early for it. */
  const owed = new Set<string>();

  function build(config: Config): Issuer & { readonly config: Config } {
    const issuer: Issuer & { readonly config: Config } = {
      ...parts,
      ...others,
      config,
      policy: compile(config),
      store: undoingWhen(store, () => current !== issuer),
    };
    return issuer;
  }

  async function remember(config: Config, what: Readonly<Record<string, string>>): Promise<void> {
    const terms = termsOf(config);
    const digest = createHash('sha256').update(terms.map(nameOf).sort().join('\n')).digest('base64url');
    await store.transaction(async (transaction) => {
      await transaction.putAppliedTerms(terms.map((applied) => ({ ...applied, withdrawnAtMs: 0 })));
      transaction.audit(auditEntry('config.applied', now, { what: { ...what, digest } }));
    });
  }

  /** Revokes what the record remembers and the configuration no longer holds. */
  async function revokeWithdrawn(config: Config, isDue: (terms: AppliedTerms) => boolean): Promise<readonly RevocationTarget[]> {
    const { remembered, longestLifeSeconds } = await store.transaction(async (transaction) => ({
      remembered: await transaction.appliedTerms(),
      longestLifeSeconds: await transaction.longestLife(config.tokens.ceilingSeconds),
    }));
    const nowMs = now();
    const isHeld = coverageOf(config);
    const withdrawn = remembered.filter((terms) => !isHeld(terms));
    // forgotten once nothing lives that a replica which still had them could have issued
    const over = withdrawn.filter(({ withdrawnAtMs }) => withdrawnAtMs > 0 && withdrawnAtMs + longestLifeSeconds * 1000 < nowMs);
    const due = withdrawn.filter((terms) => isDue(terms) && !over.includes(terms));
    const targets = uniqueTargets(due.flatMap(targetsOf));
    for (let start = 0; start < targets.length; start += maxTargets) {
      await revocations.append({
        targets: targets.slice(start, start + maxTargets),
        requestedBy: config.audience,
        note: 'taken out of the configuration',
      });
    }
    const inForce = new Set(termsOf(config).map(nameOf));
    // what something wider covers is remembered with that
    const superseded = remembered.filter((terms) => isHeld(terms) && !inForce.has(nameOf(terms)));
    await store.transaction(async (transaction) => {
      await transaction.putAppliedTerms(due.map((terms) => ({ ...terms, withdrawnAtMs: terms.withdrawnAtMs || nowMs })));
      await transaction.deleteAppliedTerms([...superseded, ...over]);
    });
    return targets;
  }

  async function apply(next: Config): Promise<ConfigChange> {
    const previous = current.config;
    // identities of another domain would take everybody else's place
    if (next.trustDomain !== previous.trustDomain) {
      throw new ConfigError([
        `trust_domain: "${next.trustDomain}" is not the one that is served (${previous.trustDomain}), expected a restart`,
      ]);
    }
    const config = withLiveMembers(previous, next);
    // opened again only when they are others: what is known of their keys serves while they cannot be reached
    const isTrustTheSame = isDeepStrictEqual([previous.federations, previous.subjectIssuers], [config.federations, config.subjectIssuers]);
    const othersOfNext = isTrustTheSame ? others : trust(config);
    await remember(config, auditedChange(compare(previous, config))); // before anything is issued under it: a crash must not forget it
    const isHeld = coverageOf(config);
    for (const terms of termsOf(previous)) if (!isHeld(terms)) owed.add(nameOf(terms));
    others = othersOfNext;
    current = build(config); // before the event: see `run`
    const revoked = await revokeWithdrawn(config, (terms) => terms.withdrawnAtMs === 0 || owed.has(nameOf(terms)));
    owed.clear();
    const change = { ...compare(previous, config), needsRestart: differing(next, config), revoked };
    const applied = { event: 'config.applied', ...describeChange(change) } as const;
    if (change.needsRestart.length > 0) log.warn(applied);
    else log.info(applied);
    return change;
  }

  await remember(first, { at: 'start', workloads: String(first.workloads.size), grants: String(first.grants.length) });
  const revokedAtStart = await revokeWithdrawn(first, () => true);
  if (revokedAtStart.length > 0) log.warn({ event: 'config.withdrawn_while_down', revoked: named(revokedAtStart.map(nameOfTarget)) });

  return {
    keys: parts.keys,
    get config() {
      return current.config;
    },
    get federations() {
      return others.federations;
    },
    policy: {
      decide: (...question) => current.policy.decide(...question),
      audiencesOf: (workload) => current.policy.audiencesOf(workload),
    },
    async run(work) {
      for (;;) {
        try {
          return await work(current);
        } catch (error) {
          if (!(error instanceof PolicyExchanged)) throw error;
        }
      }
    },
    apply(next) {
      const applied = applying.then(() => apply(next));
      applying = applied.catch(() => undefined);
      return applied;
    },
  };
}

/** Undoes the transaction that meets it. */
class PolicyExchanged extends Error {
  override readonly name = 'PolicyExchanged';
}

/** The store, but a transaction that reads the position of the log after `isOver` is undone. */
function undoingWhen(store: Store, isOver: () => boolean): Store {
  const undoingIn = (transaction: StoreTransaction): StoreTransaction => ({
    ...transaction,
    async head() {
      const head = await transaction.head();
      if (isOver()) throw new PolicyExchanged('the policy was exchanged meanwhile');
      return head;
    },
  });
  /** The latest one: SQLite's transactions are many in one, and copying its members would cost each of them 5 µs. */
  let latest: { readonly of: StoreTransaction; readonly undoing: StoreTransaction } | undefined;
  return {
    ...store,
    transaction: (work) =>
      store.transaction((transaction) => {
        if (latest?.of !== transaction) latest = { of: transaction, undoing: undoingIn(transaction) };
        return work(latest.undoing);
      }),
  };
}

function withLiveMembers(previous: Config, next: Config): Config {
  const live = Object.fromEntries(liveMembers.map((member) => [member, next[member]]));
  const tokens = { ...next.tokens, ceilingSeconds: previous.tokens.ceilingSeconds };
  return { ...previous, ...live, tokens };
}

/** Names of the members in which two configurations differ, as the file spells them. */
function differing(one: Config, other: Config): readonly string[] {
  const names = new Set([...Object.keys(one), ...Object.keys(other)]) as Set<keyof Config>; // what both were built with
  return [...names]
    .filter((name) => !isDeepStrictEqual(one[name], other[name]))
    .map((name) => namesInFile[name] ?? name)
    .sort();
}

function compare(previous: Config, next: Config): Pick<ConfigChange, 'workloads' | 'grants' | 'members'> {
  return {
    workloads: difference(previous.workloads, next.workloads),
    grants: difference(byPair(previous.grants), byPair(next.grants)),
    members: differing(previous, next).filter((name) => name !== 'workloads' && name !== 'grants'),
  };
}

function byPair(grants: readonly Grant[]): ReadonlyMap<string, Grant> {
  return new Map(grants.map((grant) => [`${grant.from} ${grant.to}`, grant]));
}

function difference(previous: ReadonlyMap<string, unknown>, next: ReadonlyMap<string, unknown>): Difference {
  return {
    added: [...next.keys()].filter((name) => !previous.has(name)),
    removed: [...previous.keys()].filter((name) => !next.has(name)),
    changed: [...next.keys()].filter((name) => previous.has(name) && !isDeepStrictEqual(previous.get(name), next.get(name))),
  };
}

/** What a configuration changes, as the audit keeps it. */
function auditedChange(change: Pick<ConfigChange, 'workloads' | 'grants' | 'members'>): Readonly<Record<string, string>> {
  const { workloads, grants, members } = change;
  const lists = {
    ...{ workloads_added: workloads.added, workloads_removed: workloads.removed, workloads_changed: workloads.changed },
    ...{ grants_added: grants.added, grants_removed: grants.removed, grants_changed: grants.changed, members },
  };
  const filled = Object.entries(lists).filter(([, names]) => names.length > 0);
  return Object.fromEntries(filled.map(([name, names]) => [name, `${names.length}: ${names.slice(0, maxNames).join(', ')}`]));
}

function describeChange({ workloads, grants, members, needsRestart, revoked }: ConfigChange) {
  const describe = ({ added, removed, changed }: Difference) => ({ added: named(added), removed: named(removed), changed: named(changed) });
  return {
    workloads: describe(workloads),
    grants: describe(grants),
    members,
    needs_restart: needsRestart,
    revoked: named(revoked.map(nameOfTarget)),
  };
}

function named(names: readonly string[]): { readonly count: number; readonly names: readonly string[] } {
  return { count: names.length, names: names.slice(0, maxNames) };
}

/** What a configuration permits, in the form in which the record remembers it. A workload is a row without an audience. */
function termsOf({ workloads, grants }: Config): readonly Terms[] {
  return [
    ...[...workloads.keys()].map((clientId) => ({ clientId, audience: '', digest: '', permissions: [] })),
    ...grants.map((grant) => {
      const permissions = permissionsOf(grant);
      const digest = createHash('sha256').update(JSON.stringify(permissions)).digest('base64url');
      return { clientId: grant.from, audience: grant.to, digest, permissions };
    }),
  ];
}

function permissionsOf({ scopes, delegation, binding }: Grant): readonly string[] {
  const { scopes: delegated = [], issuers = [] } = delegation || {};
  return [
    ...scopes.map((scope) => `scope ${scope}`),
    ...delegated.map((scope) => `delegated ${scope}`),
    ...issuers.map((issuer) => `subjects of ${issuer}`),
    // a token that is not bound can be used by whoever has it
    ...(binding === undefined || binding === 'none' ? ['unbound'] : []),
  ].sort();
}

/** Tells of terms whether the configuration holds all of them. */
function coverageOf({ workloads, grants }: Config): (terms: Terms) => boolean {
  const held = new Map(grants.map((grant) => [`${grant.from} ${grant.to}`, new Set(permissionsOf(grant))]));
  return ({ clientId, audience, permissions }) => {
    if (audience === '') return workloads.has(clientId);
    const granted = held.get(`${clientId} ${audience}`);
    return granted !== undefined && permissions.every((permission) => granted.has(permission));
  };
}

function targetsOf({ clientId, audience }: AppliedTerms): readonly RevocationTarget[] {
  if (audience !== '') return [{ kind: 'grant', value: `${clientId} ${audience}` }];
  return (['client', 'subject', 'actor'] as const).map((kind) => ({ kind, value: clientId }));
}

function uniqueTargets(targets: readonly RevocationTarget[]): readonly RevocationTarget[] {
  return [...new Map(targets.map((target) => [nameOfTarget(target), target])).values()];
}

function nameOfTarget({ kind, value }: RevocationTarget): string {
  return `${kind} ${value}`;
}

function nameOf({ clientId, audience, digest }: Terms): string {
  return `${clientId} ${audience} ${digest}`;
}
