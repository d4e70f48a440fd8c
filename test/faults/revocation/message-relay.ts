import type { Relay } from './byte-proxy.ts';

/** A message as a nats-server delivers it. */
export interface NatsMessage {
  readonly subject: string;
  readonly payload: Buffer;
}

/** What becomes of a message: passed on, lost, passed on twice, or passed on so many milliseconds later, overtaken by others. */
export type Passage = 'pass' | 'lose' | 'repeat' | number;

/** Stands between a nats-server and its clients, and understands what the server sends. */
export interface MessageRelay {
  /** For the links of the clients. */
  readonly relay: Relay;
  /** Decides about every message from now on; `undefined`: all pass. */
  set(decide: ((message: NatsMessage) => Passage) | undefined): void;
  /** The newest 500 messages that the server sent within the last five minutes, oldest first, on whichever link. */
  readonly seen: readonly NatsMessage[];
  /** Delivers a message that the server did not send, to every client that is subscribed to its subject. */
  inject(message: NatsMessage): void;
}

const keptMessages = 500;
const keptMs = 300_000;
const lineEnd = Buffer.from('\r\n');

/** @param now A clock that never steps, in milliseconds. */
export function createMessageRelay(now: () => number = () => performance.now()): MessageRelay {
  let kept: { readonly atMs: number; readonly message: NatsMessage }[] = [];
  let decide: ((message: NatsMessage) => Passage) | undefined;
  /** For each connection, where to deliver, by subject; known once the server delivered one. */
  const connections = new Set<{ readonly pass: (bytes: Buffer) => void; readonly sids: Map<string, string> }>();

  const relay: Relay = (pass) => {
    const connection = { pass, sids: new Map<string, string>() };
    connections.add(connection);
    let held: Buffer = Buffer.alloc(0);

    function onFrame(frame: Buffer, message: NatsMessage | undefined): void {
      if (message) {
        kept.push({ atMs: now(), message });
        if (kept.length > keptMessages) kept.shift();
      }
      const passage = (message && decide?.(message)) ?? 'pass';
      if (typeof passage === 'number') setTimeout(() => pass(frame), passage).unref();
      if (passage === 'pass' || passage === 'repeat') pass(frame);
      if (passage === 'repeat') pass(frame);
    }

    return (bytes) => {
      held = Buffer.concat([held, bytes]);
      for (let end = held.indexOf(lineEnd); end !== -1; end = held.indexOf(lineEnd)) {
        const [operation, subject = '', sid = '', ...sizes] = held.toString('latin1', 0, end).split(' ');
        const isMessage = operation === 'MSG' || operation === 'HMSG';
        // MSG <subject> <sid> [reply] <bytes>; HMSG has the size of its headers before that of the whole
        const start = end + lineEnd.length;
        const length = isMessage ? Number(sizes.at(-1)) + lineEnd.length : 0;
        if (held.length < start + length) return;
        const frame = Buffer.from(held.subarray(0, start + length));
        held = held.subarray(start + length);
        if (isMessage) connection.sids.set(subject, sid);
        const from = start + (operation === 'HMSG' ? Number(sizes.at(-2)) : 0);
        onFrame(frame, isMessage ? { subject, payload: frame.subarray(from, -lineEnd.length) } : undefined);
      }
    };
  };

  return {
    relay,
    get seen() {
      kept = kept.filter(({ atMs }) => now() - atMs <= keptMs);
      return kept.map(({ message }) => message);
    },
    set(next) {
      decide = next;
    },
    inject({ subject, payload }) {
      for (const { pass, sids } of connections) {
        const sid = sids.get(subject);
        if (sid !== undefined) pass(Buffer.concat([Buffer.from(`MSG ${subject} ${sid} ${payload.length}\r\n`), payload, lineEnd]));
      }
    },
  };
}
