import { once } from 'node:events';
import { connect } from 'node:net';

/** RFC 9113 section 6. */
export const frameTypes = { data: 0, headers: 1, rstStream: 3, settings: 4, goaway: 7, windowUpdate: 8, continuation: 9 } as const;
export const flags = { endStream: 1, endHeaders: 4 } as const;

export interface Frame {
  readonly type: number;
  readonly streamId: number;
  readonly payload: Buffer;
}

/** A connection on which bytes are sent as they are given: no library keeps it to the rules. */
export interface RawConnection {
  /** Frames that came so far. */
  readonly frames: readonly Frame[];
  readonly isOpen: boolean;
  /** Sends, and resolves when the next may be sent, or the connection is closed. */
  send(bytes: Buffer): Promise<void>;
  /** The first frame that matches, when it has come; `undefined` when the connection is closed without one. */
  frame(matches: (frame: Frame) => boolean): Promise<Frame | undefined>;
  destroy(): void;
}

/** Opens a connection to this machine and sends the preface with empty settings. */
export async function openRawConnection(port: number): Promise<RawConnection> {
  const socket = connect({ host: '127.0.0.1', port });
  const frames: Frame[] = [];
  let rest = Buffer.alloc(0);
  let wake = Promise.withResolvers<void>();
  const wakeUp = () => {
    wake.resolve();
    wake = Promise.withResolvers();
  };
  socket.on('data', (chunk: Buffer) => {
    rest = Buffer.concat([rest, chunk]);
    while (rest.length >= 9 && rest.length >= 9 + rest.readUIntBE(0, 3)) {
      const length = rest.readUIntBE(0, 3);
      frames.push({ type: rest.readUInt8(3), streamId: rest.readUInt32BE(5) & 0x7fffffff, payload: rest.subarray(9, 9 + length) });
      rest = rest.subarray(9 + length);
    }
    wakeUp();
  });
  socket.on('error', () => {}); // a reset is one way of closing, and 'close' follows
  socket.on('close', wakeUp).on('drain', wakeUp);
  await once(socket, 'connect');
  socket.write(Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), frame(frameTypes.settings, 0, 0, Buffer.alloc(0))]));
  return {
    frames,
    get isOpen() {
      return !socket.destroyed && socket.writable;
    },
    async send(bytes) {
      if (socket.destroyed || socket.write(bytes)) return;
      while (!socket.destroyed && socket.writableNeedDrain) await wake.promise;
    },
    async frame(matches) {
      for (;;) {
        const found = frames.find(matches);
        if (found || socket.destroyed) return found;
        await wake.promise;
      }
    },
    destroy: () => socket.destroy(),
  };
}

export function frame(type: number, frameFlags: number, streamId: number, payload: Buffer): Buffer {
  const header = Buffer.alloc(9);
  header.writeUIntBE(payload.length, 0, 3);
  header.writeUInt8(type, 3);
  header.writeUInt8(frameFlags, 4);
  header.writeUInt32BE(streamId, 5);
  return Buffer.concat([header, payload]);
}

/** A whole request without a body: HEADERS with these fields, then an empty gRPC message. */
export function request(streamId: number, fields: readonly (readonly [name: string, value: string])[]): Buffer {
  const block = Buffer.concat(fields.map(([name, value]) => headerField(name, value)));
  return Buffer.concat([
    frame(frameTypes.headers, flags.endHeaders, streamId, block),
    frame(frameTypes.data, flags.endStream, streamId, Buffer.alloc(5)),
  ]);
}

/** A header field that is neither indexed nor Huffman coded (RFC 7541 section 6.2.2); each character is one byte. */
function headerField(name: string, value: string): Buffer {
  return Buffer.concat([Buffer.from([0]), literal(name), literal(value)]);
}

function literal(value: string): Buffer {
  const prefix: number[] = [];
  let length = value.length;
  if (length < 127) prefix.push(length);
  else {
    prefix.push(127);
    for (length -= 127; length >= 128; length >>= 7) prefix.push((length & 127) | 128);
    prefix.push(length);
  }
  return Buffer.concat([Buffer.from(prefix), Buffer.from(value, 'latin1')]);
}
