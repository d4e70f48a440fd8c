/** What a line may have beside time, service, event and the ids of a span. */
interface Described {
  readonly level: 'info' | 'warn';
  readonly members: readonly string[];
}

/** Everything that the shop logs, by `event`; when is in docs/reference/logs.md. What token-exchange logs too is called as there. */
export const logEvents = {
  listening: { level: 'info', members: ['port', 'metrics'] },
  serving: { level: 'info', members: [] },
  ordered: { level: 'info', members: ['order_id', 'chain'] },
  not_ordered: { level: 'warn', members: ['reason'] },
  'call.refused': { level: 'warn', members: ['method', 'reason', 'detail', 'peer'] },
  'log.left_out': { level: 'warn', members: ['of', 'reason', 'count'] },
} as const satisfies Readonly<Record<string, Described>>;

export type LogEventName = keyof typeof logEvents;

/** One event with its members, and no others; never a token or a key in one. */
export type LogEntry = { [Name in LogEventName]: { readonly event: Name } & MembersOf<Name> }[LogEventName];

type MembersOf<Name extends LogEventName> = { readonly [Member in (typeof logEvents)[Name]['members'][number]]?: unknown };
