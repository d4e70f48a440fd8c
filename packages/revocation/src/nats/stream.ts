import { connect, DiscardPolicy, type NatsConnection, type NatsError, nanos, RetentionPolicy, StorageType, type StreamConfig } from 'nats';
import { connectionOptions, type NatsOptions } from './connection-options.ts';

/** The same for the operator, who makes the stream. */
export interface RevocationStreamOptions extends NatsOptions {
  /** Copies in a cluster, 1 to 5, default 1. */
  readonly replicas?: number;
}

/** The NATS subjects of a mesh's feed. */
export function revocationSubjects(mesh: string): { readonly events: string; readonly checkpoints: string } {
  const prefix = `tokenmesh.${subjectToken(mesh)}.revocation`;
  return { events: `${prefix}.events`, checkpoints: `${prefix}.checkpoints` };
}

/** Name of the JetStream stream that keeps a mesh's events. */
export function revocationStreamName(mesh: string): string {
  return `tokenmesh_${subjectToken(mesh)}_revocation`;
}

/**
 * Creates the stream of the mesh's events, or brings an existing one to this configuration: file storage, limits retention, old ones discarded
 * after an hour and never for their number or size, duplicates recognised for ten minutes, no deletion of single messages. An operator's command:
 * publishers and verifiers have no right to do it.
 *
 * @throws {Error} when no server answers, or an existing stream has what cannot be changed (its storage, its retention).
 */
export async function createRevocationStream(options: RevocationStreamOptions): Promise<void> {
  const { mesh, replicas = 1 } = options;
  const connection = await connect({ ...connectionOptions(options), reconnect: false });
  try {
    const { streams } = await connection.jetstreamManager();
    const config = { ...streamConfig(mesh), num_replicas: replicas };
    const exists = await streams.info(config.name).then(
      () => true,
      (error: NatsError) => (isNoStream(error) ? false : Promise.reject(error)),
    );
    const { config: actual } = exists ? await streams.update(config.name, config) : await streams.add(config);
    const faults = streamFaults(actual, mesh);
    if (faults.length > 0) throw new Error(`The stream ${config.name} could not be configured: ${faults.join('; ')}`);
  } finally {
    await connection.close();
  }
}

/**
 * Resolves when the stream of the mesh is there and fit for the feed.
 *
 * @throws {Error} when it is missing, or not configured as `createRevocationStream` does: the message says what is wrong.
 */
export async function checkStream(connection: NatsConnection, mesh: string): Promise<void> {
  const name = revocationStreamName(mesh);
  const manager = await connection.jetstreamManager();
  const info = await manager.streams.info(name).catch((error: NatsError) => {
    throw isNoStream(error) ? new Error(`The stream ${name} does not exist: create it first`) : error;
  });
  const faults = streamFaults(info.config, mesh);
  if (faults.length > 0) throw new Error(`The stream ${name} is not fit: ${faults.join('; ')}`);
}

function streamConfig(mesh: string): Partial<StreamConfig> & { name: string } {
  return {
    name: revocationStreamName(mesh),
    subjects: [revocationSubjects(mesh).events],
    storage: StorageType.File,
    retention: RetentionPolicy.Limits,
    discard: DiscardPolicy.Old,
    max_age: nanos(maxAgeMs),
    duplicate_window: nanos(duplicateWindowMs),
    deny_delete: true,
    max_msgs: -1,
    max_msgs_per_subject: -1,
    max_bytes: -1,
  };
}

/** How a stream's configuration differs from what the feed needs. Servers change and add members, so only these are compared. */
function streamFaults(config: StreamConfig, mesh: string): readonly string[] {
  const { events } = revocationSubjects(mesh);
  const needs: readonly (readonly [boolean, string])[] = [
    [config.subjects.length === 1 && config.subjects[0] === events, `its only subject must be ${events}`],
    [config.storage === StorageType.File, 'storage must be file'],
    [config.retention === RetentionPolicy.Limits, 'retention must be limits'],
    [config.discard === DiscardPolicy.Old, 'discard must be old'],
    [config.duplicate_window >= nanos(duplicateWindowMs), `duplicate_window must be at least ${duplicateWindowMs / 1000} s`],
    [config.max_age === 0 || config.max_age >= nanos(maxAgeMs), `max_age must be at least ${maxAgeMs / 1000} s`],
    [config.max_msg_size === -1 || config.max_msg_size >= 512 * 1024, 'max_msg_size must be at least 512 KiB'],
    [
      [config.max_msgs, config.max_msgs_per_subject, config.max_bytes].every((limit) => limit === -1),
      'max_msgs, max_msgs_per_subject and max_bytes must be -1: what is discarded before its time comes back as a loss',
    ],
    [config.no_ack !== true, 'it must acknowledge'],
    [config.sealed !== true, 'it must not be sealed'],
  ];
  return needs.filter(([met]) => !met).map(([, fault]) => fault);
}

const streamNotFound = 10_059;

export function isNoStream(error: NatsError): boolean {
  return error.api_error?.err_code === streamNotFound;
}

function subjectToken(mesh: string): string {
  if (!/^[a-z0-9._-]{1,255}$/.test(mesh)) throw new TypeError('mesh must be a trust domain: 1 to 255 of a-z 0-9 . _ -');
  return mesh.replaceAll('.', '_');
}

const duplicateWindowMs = 600_000;
/** Long enough for an auditor to see what passed; longer than the longest life of a token. */
const maxAgeMs = 3_600_000;
