import { once } from 'node:events';
import { connect as connectHttp2, type IncomingHttpHeaders, type OutgoingHttpHeaders } from 'node:http2';
import { connect as connectTcp } from 'node:net';
import { duplexPair } from 'node:stream';
import { connect as connectTls, type SecureContextOptions } from 'node:tls';
import { Metadata } from '@grpc/grpc-js';

/** Where to call, and what the connection is made with. */
export interface WireTarget {
  /** On this machine. */
  readonly port: number;
  /** Absent: without TLS. */
  readonly tls?: SecureContextOptions;
}

/** Everything that came back. */
export interface WireAnswer {
  /** `grpc-status`. */
  readonly code: number;
  /** All header fields, trailers among them. */
  readonly fields: readonly (readonly [name: string, value: string])[];
  /** Messages, without their frames. */
  readonly messages: readonly Buffer[];
  /** What the connection carried from the server, decrypted: settings and frames of HTTP/2. */
  readonly bytes: Buffer;
  /** The fields as grpc-js hands them to callers. */
  readonly metadata: Metadata;
}

/**
 * One gRPC call by HTTP/2 alone, on a connection of its own: no gRPC library sees what is sent, or hides what comes back.
 *
 * @param call.messages Sent each in a frame of its own; then the request ends.
 * @param call.body Sent as it is, instead.
 * @throws {Error} The connection failed, or the stream was reset.
 */
export async function wireCall(
  { port, tls }: WireTarget,
  call: { readonly path: string; readonly headers?: OutgoingHttpHeaders; readonly messages?: readonly Buffer[]; readonly body?: Buffer },
): Promise<WireAnswer> {
  const received: Buffer[] = [];
  const socket = tls ? connectTls({ ...tls, host: 'localhost', port, ALPNProtocols: ['h2'] }) : connectTcp({ host: '127.0.0.1', port });
  const [ours, theirs] = duplexPair();
  await once(socket, tls ? 'secureConnect' : 'connect');
  socket.on('data', (chunk: Buffer) => received.push(chunk));
  socket.pipe(theirs).pipe(socket);
  socket.on('error', (error) => ours.destroy(error));
  const session = connectHttp2(`${tls ? 'https' : 'http'}://localhost:${port}`, { createConnection: () => ours });
  try {
    const stream = session.request({
      ...{ ':method': 'POST', ':path': call.path, 'content-type': 'application/grpc', te: 'trailers' },
      ...call.headers,
    });
    const fields: [string, string][] = [];
    const body: Buffer[] = [];
    const note = (headers: IncomingHttpHeaders) => {
      for (const [name, value] of Object.entries(headers)) for (const one of [value].flat()) fields.push([name, String(one)]);
    };
    stream.on('headers', note).on('response', note).on('trailers', note);
    stream.on('data', (chunk: Buffer) => body.push(chunk));
    for (const message of call.messages ?? []) stream.write(framed(message));
    stream.end(call.body);
    await once(stream, 'close'); // rejects when the connection failed
    const code = fields.find(([name]) => name === 'grpc-status')?.[1];
    if (code === undefined) throw new Error(`a stream without a status, reset with ${stream.rstCode}`);
    return {
      code: Number(code),
      fields,
      messages: unframed(Buffer.concat(body)),
      bytes: Buffer.concat(received),
      metadata: asMetadata(fields),
    };
  } finally {
    session.destroy();
    socket.destroy();
  }
}

/** A message as gRPC sends it: not compressed, and its length before it. */
export function framed(message: Buffer): Buffer {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}

function unframed(body: Buffer): Buffer[] {
  const messages: Buffer[] = [];
  for (let at = 0; at < body.length; ) {
    const end = at + 5 + body.readUInt32BE(at + 1);
    messages.push(body.subarray(at + 5, end));
    at = end;
  }
  return messages;
}

function asMetadata(fields: WireAnswer['fields']): Metadata {
  const metadata = new Metadata();
  for (const [name, value] of fields) {
    if (name.startsWith(':')) continue;
    metadata.add(name, name.endsWith('-bin') ? Buffer.from(value, 'base64') : value);
  }
  return metadata;
}

/** Which of these texts the answer holds, anywhere; of a token every part of 12 characters counts. */
export function heldBy(answer: WireAnswer, secrets: { readonly tokens: readonly string[]; readonly texts: readonly string[] }): string[] {
  // what a binary field holds counts, not how it is spelled: a method's name in base64 is part of a proof as well
  const binary = answer.fields.flatMap(([name, value]) => (name.endsWith('-bin') ? [value] : []));
  const spelled = answer.fields.flatMap(([name, value]) => (binary.includes(value) ? [name] : [name, value, decodeURIComponent(value)]));
  const carried = binary.reduce((bytes, value) => bytes.replaceAll(value, ''), answer.bytes.toString('latin1'));
  const held = [...binary.map((value) => Buffer.from(value, 'base64')), ...answer.messages].map((bytes) => bytes.toString('latin1'));
  const all = [carried, ...spelled, ...held].join('\n');
  const partsOf = (token: string) => Array.from({ length: Math.max(1, token.length - 11) }, (_, at) => token.slice(at, at + 12));
  return [...secrets.tokens.flatMap(partsOf), ...secrets.texts].filter((text) => all.includes(text));
}
