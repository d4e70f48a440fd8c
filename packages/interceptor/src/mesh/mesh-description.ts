import type { Freshness } from '@tokenmesh/revocation';
import packageJson from '../../package.json' with { type: 'json' };
import type { Rule } from '../incoming/rules.ts';
import type { IssuerConnection } from './issuer-connection.ts';

/** What a process is in the mesh at this moment: plain data for operators, tests and diffs. Holds no secret. */
export interface MeshDescription {
  readonly self: string;
  /** The mesh's own issuer first, then those that are also trusted. */
  readonly issuers: readonly {
    readonly issuer: string;
    /** This workload's identity there: the audience of its tokens. */
    readonly audience: string;
    readonly tokenExchange: readonly string[];
    /** Keys that its tokens can be verified with now. */
    readonly kids: readonly string[];
    readonly revocations: Freshness;
  }[];
  /** Whom this process calls. */
  readonly audiences: readonly string[];
  /** What this process serves, by method. */
  readonly methods: readonly Rule[];
  readonly binding: {
    /** SHA-256 of the certificate that connections are made with, base64url; `undefined` without one. */
    readonly certificate: string | undefined;
    /** Whether its tokens are bound to a DPoP key. */
    readonly dpop: boolean;
  };
  readonly tolerances: Tolerances;
  readonly versions: { readonly interceptor: string; readonly node: string };
}

/** What is let pass, and for how long. */
export interface Tolerances {
  readonly clockToleranceSeconds: number;
  readonly maxLifeSeconds: number;
  readonly staleAfterMs: number;
  readonly maxBlindMs: number;
  readonly opaqueKeepMs: number;
  readonly maxUnaryWaitMs: number;
}

/** The rules of all servers of a process, by method. */
export function rulesOf(servers: readonly { readonly rules: readonly Rule[] }[]): readonly Rule[] {
  const rules = new Map(servers.flatMap(({ rules }) => rules.map((rule) => [rule.method, rule] as const)));
  return [...rules.values()].sort((a, b) => (a.method < b.method ? -1 : 1));
}

export function describeIssuer({ issuer, self, addresses, keys, feed }: IssuerConnection): MeshDescription['issuers'][number] {
  return { issuer, audience: self, tokenExchange: addresses, kids: keys.kids(), revocations: feed.freshness() };
}

export const versions: MeshDescription['versions'] = { interceptor: packageJson.version, node: process.versions.node };
