export type LogLevel = 'info' | 'warn' | 'error';

interface Described {
  readonly levels: readonly LogLevel[];
  /** What a line may have beside time, level, service, event, trace_id, span_id and trace_flags. */
  readonly members: readonly string[];
}

const acknowledged = ['n', 'acknowledgedAtMs', 'broadcast'] as const;
const issued = ['jti', 'client_id', 'sub', 'aud', 'scope', 'act', 'txn', 'rn', 'exp', 'rule', 'sid'] as const;

const info = (...members: readonly string[]): Described => ({ levels: ['info'], members });
const warn = (...members: readonly string[]): Described => ({ levels: ['warn'], members });
const error = (...members: readonly string[]): Described => ({ levels: ['error'], members });

/** Everything that token-exchange logs, by `event`; when is in docs/reference/logs.md. A name, once here, keeps its meaning. */
export const logEvents = {
  listening: info('host', 'port', 'facade_port', 'metrics', 'issuer', 'audience', 'pid'),
  stopping: info('signal'),
  stopped: info(),
  ended_at_once: warn('signal'),
  'close.failed': error('err'),
  development: warn('detail'),
  'token.issued': info(...issued),
  'token.answer_repeated': info(...issued),
  'token.refused': warn('reason', 'detail'),
  'token.revoked': info('cascade', ...acknowledged),
  'call.refused': warn('method', 'reason', 'detail', 'peer'),
  'call.failed': error('method', 'err'),
  'log.left_out': warn('of', 'reason', 'count'),
  'grpc.message': warn('detail'),
  'exchange.overloaded': warn('refused', 'running', 'waiting'),
  'revocation.added': info('by', 'targets', ...acknowledged),
  'workload.suspended': warn('client_id', 'by', ...acknowledged),
  'workload.resumed': warn('client_id', 'by'),
  'config.applied': { levels: ['info', 'warn'], members: ['workloads', 'grants', 'members', 'needs_restart', 'revoked'] },
  'config.rejected': error('file', 'problems'),
  'config.failed': error('file', 'err'),
  'config.withdrawn_while_down': warn('revoked'),
  'key.prepared': info('purpose', 'alg'),
  'key.published': info('kid', 'purpose'),
  'key.activated': info('kid', 'purpose'),
  'key.activation_forced': error('kid', 'purpose', 'awaited'),
  'key.retiring': info('kid', 'purpose'),
  'key.removed': info('kid', 'purpose', 'was'),
  'key.rotation_requested': info('purpose', 'by', 'active_kid', 'next_kid'),
  'key.withdrawn': warn('kid', 'purpose', 'by', 'active', ...acknowledged),
  'stream.recreated': error('created', 'formerly_created'),
  'stream.rewound': error('last_seq', 'formerly_last_seq'),
  'stream.missing': error('count', 'n'),
  'stream.foreign': error('count', 'seq'),
  'stream.altered': error('count', 'seq'),
  'audit.write_failed': warn('err'),
  'audit.read_failed': warn('err'),
  'audit.trim_failed': warn('err'),
  'courier.problem': warn('err'),
  'keys.unusable': warn('err'),
  'keys.rotation_failed': warn('err'),
  'revocation.checkpoint_failed': warn('err'),
  'revocation.publish_failed': warn('err'),
  'revocation.housekeeping_failed': warn('err'),
  'revocation.follow_failed': warn('err'),
  'revocation.stream_audit_failed': warn('err'),
} as const satisfies Readonly<Record<string, Described>>;

export type LogEventName = keyof typeof logEvents;
