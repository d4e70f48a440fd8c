import { isSpiffeId } from '@tokenmesh/token';
import { z } from 'zod';
import type { ClaimMatch } from '../clients/federation.ts';
import { defaultIssuerAlgorithms, issuerAlgorithms } from '../clients/issuer-keys.ts';
import { didYouMean, type Problem } from './config-problem.ts';

const durationUnits: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** `250ms`, `300s`, `5m`, `1h`, `90d` in milliseconds; `undefined` for anything else. */
export function parseDuration(text: unknown): number | undefined {
  const [, digits, unit] = (typeof text === 'string' && /^(\d{1,9})(ms|s|m|h|d)$/.exec(text)) || [];
  const factor = durationUnits[unit ?? ''];
  return factor === undefined ? undefined : Number(digits) * factor;
}

/** A duration within the limits given, to milliseconds. */
function duration(example: string, { minMs, maxMs, wholeSeconds }: { minMs: number; maxMs: number; wholeSeconds: boolean }) {
  const expected = `expected a duration such as ${example}`;
  return z.string({ error: expected }).transform((text, context) => {
    const ms = parseDuration(text);
    const problem =
      ms === undefined
        ? `"${text}" is not a duration, ${expected}`
        : ms < minMs || ms > maxMs
          ? `${text} is out of range, expected ${minMs / 1000}s to ${maxMs / 1000}s`
          : wholeSeconds && ms % 1000 !== 0
            ? `${text} is not whole seconds, ${expected}`
            : undefined;
    if (ms !== undefined && problem === undefined) return ms;
    context.addIssue({ code: 'custom', message: problem ?? expected });
    return z.NEVER;
  });
}

/** Token lives are whole seconds (RFC 7519 NumericDate as used here); a day is far more than a token that cannot be asked about should live. */
const life = (example: string) => duration(example, { minMs: 1000, maxMs: 86_400_000, wholeSeconds: true });

const spiffeId = z
  .string({ error: 'expected a SPIFFE ID such as spiffe://example.test/orders' })
  .refine(isSpiffeId, { error: ({ input }) => `"${String(input)}" is not a SPIFFE ID, expected one such as spiffe://example.test/orders` });

// RFC 6749 section 3.3
const scopeToken = z.string({ error: 'expected a scope such as payments.charge' }).regex(/^[\x21\x23-\x5B\x5D-\x7E]{1,128}$/, {
  error: ({ input }) => `"${String(input)}" is not one scope token, expected one such as payments.charge`,
});

const path = z
  .string({ error: 'expected a path, relative to this file' })
  .min(1, { error: 'empty, expected a path, relative to this file' });

const hostAndPort = (example: string) => {
  const error = ({ input }: { input?: unknown }) => `"${String(input)}" is not host:port, expected one such as ${example}`;
  return z
    .string({ error: 'expected host:port' })
    .regex(/^(\[[0-9A-Fa-f:.]+\]|[^\s:[\]/]+):(\d{1,5})$/, { error, abort: true })
    .refine((text) => Number(text.slice(text.lastIndexOf(':') + 1)) <= 65_535, { error });
};

const wholeNumber = (max: number) => {
  const expected = `expected a whole number from 1 to ${max}`;
  const error = ({ input }: { input?: unknown }) => (typeof input === 'number' ? `${input} is out of range, ${expected}` : expected);
  return z.int({ error }).min(1, { error }).max(max, { error });
};

const mapping = { error: 'expected a mapping' };
const list = { error: 'expected a list' };

/** RFC 7517. What the keys have to be is checked when they are imported. */
const jwks = z.looseObject({ keys: z.array(z.looseObject({}), list).min(1, { error: 'empty, expected at least one key' }) }, mapping);

/** Claims to compare, nested as in the token; at least one, for a rule that compares nothing would let everybody in. */
const claimMatch: z.ZodType<ClaimMatch> = z.lazy(() =>
  z
    .record(z.string(), z.union([z.string(), z.number(), z.boolean(), claimMatch], { error: 'expected a value or nested claims' }), {
      error: 'expected a mapping of claims',
    })
    .refine((claims) => Object.keys(claims).length > 0, { error: 'empty, expected at least one claim' }),
);

const federation = z.strictObject(
  {
    issuer: z.string({ error: 'expected the iss of its tokens' }).min(1, { error: 'empty, expected the iss of its tokens' }).optional(),
    audience: z.string({ error: 'expected the aud of its tokens' }).min(1, { error: 'empty, expected the aud of its tokens' }),
    allow_other_audiences: z.boolean({ error: 'expected true or false' }).default(false),
    jwks_file: path.optional(),
    jwks_url: z.string({ error: 'expected an https URL' }).optional(),
    allow_private_network: z.boolean({ error: 'expected true or false' }).default(false),
    ca_file: path.optional(),
    algorithms: z
      .array(z.enum(issuerAlgorithms, { error: `expected some of ${issuerAlgorithms.join(', ')}` }), list)
      .min(1, { error: 'empty, expected at least one algorithm' })
      .default([...defaultIssuerAlgorithms]),
    max_life: life('1h').prefault('1h'),
    workloads: z.union([z.literal('spiffe'), z.array(z.strictObject({ id: spiffeId, claims: claimMatch }, mapping), list)], {
      error: 'expected spiffe, or a list of workloads with the claims that tell them',
    }),
  },
  mapping,
);

/** Another issuer on behalf of whose subjects workloads may act. */
const subjectIssuer = z.strictObject(
  {
    issuer: z
      .string({ error: 'expected an https URL' })
      .refine(isIssuer, { error: 'not an issuer, expected an https URL without query and fragment' }),
    audience: z.string({ error: 'expected the aud of its tokens' }).min(1, { error: 'empty, expected the aud of its tokens' }),
    jwks_file: path.optional(),
    jwks_url: z.string({ error: 'expected an https URL' }).optional(),
    allow_private_network: z.boolean({ error: 'expected true or false' }).default(false),
    ca_file: path.optional(),
    algorithms: z
      .array(z.enum(issuerAlgorithms, { error: `expected some of ${issuerAlgorithms.join(', ')}` }), list)
      .min(1, { error: 'empty, expected at least one algorithm' })
      .default([...defaultIssuerAlgorithms]),
    subject_claim: z
      .string({ error: 'expected the name of a claim' })
      .min(1, { error: 'empty, expected the name of a claim' })
      .default('sub'),
    subject_prefix: z.string({ error: 'expected a text' }).min(1, { error: 'empty, expected a text such as user:' }).optional(),
    required_claims: z
      .record(z.string(), z.union([z.string(), z.number(), z.boolean()], { error: 'expected a text, a number, true or false' }), {
        error: 'expected a mapping of claims',
      })
      .default({}),
  },
  mapping,
);

/** The shape of `tokenmesh.yaml`. Names are those of the file. What one member says of another is checked in config-references.ts. */
export const configSchema = z.strictObject(
  {
    trust_domain: z
      .string({ error: 'expected a trust domain such as example.test' })
      .refine((text) => isSpiffeId(`spiffe://${text}/workload`), { error: 'not a trust domain, expected one such as example.test' }),
    issuer: z
      .string({ error: 'expected an https URL' })
      .refine(isIssuer, { error: 'not an issuer, expected an https URL without query and fragment (RFC 8414 section 2)' })
      .optional(),
    listen: hostAndPort('127.0.0.1:7443').default('127.0.0.1:7443'),
    authority: z
      .string({ error: 'expected a host' })
      .regex(/^[^\s/?#@]+$/, {
        error: ({ input }) =>
          `"${String(input)}" is not a host, with a port where it is not 443, expected one such as token-exchange.example.test`,
      })
      .optional(),
    development: z.boolean({ error: 'expected true or false' }).default(false),
    tls: z.strictObject(
      {
        cert: path,
        key: path,
        client_ca: path.optional(),
        client_certificate: z.enum(['required', 'optional'], { error: 'expected required or optional' }).default('required'),
      },
      mapping,
    ),
    store: z.strictObject(
      {
        sqlite: path.optional(),
        // the texts do not begin with "expected": what is given there may be a password, and must not be repeated
        postgres: z
          .strictObject(
            { url: z.string({ error: 'not a URL, expected one such as postgres://…' }).optional(), url_file: path.optional() },
            { error: 'not a mapping, expected one with url or url_file' },
          )
          .optional(),
      },
      mapping,
    ),
    keys: z
      .strictObject(
        {
          alg: z.enum(['ES256', 'EdDSA', 'RS256'], { error: 'expected ES256, EdDSA or RS256' }).default('ES256'),
          encryption_key_file: path.optional(),
          // verifiers ask eight times within it, once a second at most; a rotation that takes longer than a day is one that nobody looks after
          activation_timeout: duration('20m', { minMs: 10_000, maxMs: 86_400_000, wholeSeconds: true }).prefault('20m'),
          rotate_every: duration('24h', { minMs: 6000, maxMs: 366 * 86_400_000, wholeSeconds: true }).prefault('24h'),
        },
        mapping,
      )
      .prefault({}),
    nats: z
      .strictObject(
        {
          servers: z.union([z.string(), z.array(z.string()).min(1)], {
            error: 'expected a server such as nats://127.0.0.1:4222, or a list of them',
          }),
          nkey_seed_file: path.optional(),
          tls: z.strictObject({ ca: path.optional(), cert: path.optional(), key: path.optional() }, mapping).optional(),
        },
        mapping,
      )
      .optional(),
    facade: z
      .strictObject(
        {
          listen: hostAndPort('127.0.0.1:8080').default('127.0.0.1:8080'),
          url: z
            .string({ error: 'expected an https URL' })
            .refine(isIssuer, { error: 'not an https URL without query and fragment' })
            .optional(),
        },
        mapping,
      )
      .optional(),
    tokens: z
      .strictObject({ life: life('5m').prefault('5m'), ceiling: life('15m').prefault('15m'), session: life('8h').prefault('8h') }, mapping)
      .prefault({}),
    revocation: z
      .strictObject({ stale_after: duration('5s', { minMs: 2000, maxMs: 60_000, wholeSeconds: false }).prefault('5s') }, mapping)
      .prefault({}),
    limits: z
      .strictObject(
        {
          per_workload: wholeNumber(100_000).default(1000),
          // a thousand instances that start at once, with six exchanges each, and what they do besides
          burst: wholeNumber(1_000_000).default(10_000),
          concurrency: wholeNumber(10_000).default(64),
          // what such a start asks finds a place, and at 1 600 a second is done within the 5 s that callers wait
          queue: wholeNumber(100_000).default(8192),
          // of each half a MiB is under way, 32 MiB together
          snapshots: wholeNumber(10_000).default(64),
        },
        mapping,
      )
      .prefault({}),
    dpop: z
      .strictObject({ nonce: z.enum(['required', 'none'], { error: 'expected required or none' }).default('none') }, mapping)
      .prefault({}),
    audit: z
      .strictObject({ keep: duration('90d', { minMs: 3_600_000, maxMs: 315_360_000_000, wholeSeconds: true }).prefault('90d') }, mapping)
      .prefault({}),
    workloads: z
      .array(
        z.strictObject(
          {
            id: spiffeId,
            jwks: jwks.optional(),
            jwks_file: path.optional(),
            tls_client_auth: z.boolean({ error: 'expected true or false' }).default(false),
            client_secret_scrypt: z.string({ error: 'expected what the command client-secret prints' }).optional(),
          },
          mapping,
        ),
        list,
      )
      .default([]),
    issuers: z.array(subjectIssuer, list).default([]),
    federation: z.array(federation, list).default([]),
    // an audience that nobody named would be enforced nowhere
    audiences: z
      .array(
        z.strictObject(
          {
            id: spiffeId,
            scopes: z.array(scopeToken, list).min(1, { error: 'empty, expected at least one scope' }),
            format: z.enum(['jwt', 'opaque'], { error: 'expected jwt or opaque' }).default('jwt'),
            compact_metadata: z.boolean({ error: 'expected true or false' }).default(false),
          },
          mapping,
        ),
        list,
      )
      .min(1, { error: 'no audience is configured, expected at least one' }),
    grants: z
      .array(
        z.strictObject(
          {
            from: spiffeId,
            to: spiffeId,
            scopes: z.array(scopeToken, list).min(1, { error: 'empty, expected at least one scope' }),
            max_life: life('60s').optional(),
            refresh: z.boolean({ error: 'expected true or false' }).default(false),
            binding: z.enum(['certificate', 'dpop', 'none'], { error: 'expected certificate, dpop or none' }).optional(),
            delegation: z
              .union(
                [
                  z.literal(false),
                  z.strictObject({
                    scopes: z.array(scopeToken, list).min(1, { error: 'empty, expected at least one scope' }),
                    issuers: z.array(z.string({ error: 'expected the issuer of one of issuers' }), list).optional(),
                  }),
                ],
                {
                  error: 'expected false, or a mapping with the scopes that delegated subjects may get',
                },
              )
              .default(false),
          },
          mapping,
        ),
        list,
      )
      .default([]),
  },
  mapping,
);

export type ConfigFile = z.infer<typeof configSchema>;

function isIssuer(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, username, password } = new URL(text);
  return protocol === 'https:' && username === '' && password === '' && !/[?#\s]/.test(text);
}

/** Checks the shape; unknown members are problems. `file` is present when there are none. */
export function checkShape(value: unknown): { readonly file?: ConfigFile; readonly problems: readonly Problem[] } {
  const parsed = configSchema.safeParse(value);
  if (parsed.success) return { file: parsed.data, problems: [] };
  return { problems: parsed.error.issues.flatMap((issue) => fromIssue(issue, [], value)) };
}

type Path = readonly (string | number)[];

function fromIssue(issue: z.core.$ZodIssue, base: Path, value: unknown): readonly Problem[] {
  // a document that came from YAML has text and numbers as names and indices, nothing else
  const path = [...base, ...(issue.path as (string | number)[])];
  if (issue.code === 'unrecognized_keys') {
    const known = membersAt(configSchema, path);
    return issue.keys.map((key) => ({
      path: [...path, key],
      atName: true,
      text: `unknown member, expected one of ${known.join(', ')}${didYouMean(key, known)}`,
    }));
  }
  if (issue.code === 'invalid_union') {
    // when a mapping was given and one alternative is a mapping, that one's complaints are the useful ones
    const meant = issue.errors.find((errors) => errors.every((nested) => nested.path.length > 0 || nested.code === 'unrecognized_keys'));
    if (meant) return meant.flatMap((nested) => fromIssue(nested, path, value));
  }
  const given = valueAt(value, path);
  const suggestion = issue.code === 'invalid_value' && typeof given === 'string' ? didYouMean(given, issue.values.map(String)) : '';
  const what = issue.message.startsWith('expected') ? `${describe(given)}, ` : '';
  return [{ path, text: `${what}${issue.message}${suggestion}` }];
}

function describe(value: unknown): string {
  if (value === undefined) return 'missing';
  if (value === null) return 'empty';
  if (Array.isArray(value)) return 'a list is given';
  return typeof value === 'object' ? 'a mapping is given' : `${JSON.stringify(value)} is given`;
}

function valueAt(value: unknown, path: Path): unknown {
  let at = value;
  for (const part of path) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, part)) return undefined;
    at = (at as Record<string | number, unknown>)[part]; // an object, and it has the member
  }
  return at;
}

/** What zod's definitions have in common, as far as mappings are concerned. */
interface Definition {
  readonly shape?: Readonly<Record<string, z.core.$ZodType>>;
  readonly element?: z.core.$ZodType;
  readonly innerType?: z.core.$ZodType;
  readonly options?: readonly z.core.$ZodType[];
}

/** Names of the members that the schema knows in the mapping at this path. */
function membersAt(schema: z.core.$ZodType, path: Path): readonly string[] {
  const definition = schema._zod.def as Definition; // every member optional: a reading of the definition, not a claim about its kind
  if (definition.innerType) return membersAt(definition.innerType, path);
  if (definition.options) return definition.options.flatMap((option) => membersAt(option, path));
  const [part, ...rest] = path;
  if (part === undefined) return Object.keys(definition.shape ?? {});
  const next = typeof part === 'number' ? definition.element : definition.shape?.[part];
  return next ? membersAt(next, rest) : [];
}
