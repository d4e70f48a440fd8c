import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { status } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Program, startProgram } from './faults/program.ts';
import { guardedService, issuerKeys, tokenOf } from './guarded-server.ts';
import { frame, frameTypes, openRawConnection } from './http2-frames.ts';
import { wireCall } from './wire-call.ts';

const path = `/${guardedService}/Unary`;
const mebibyte = 1024 * 1024;
const authorization = `Bearer ${tokenOf('spiffe://shop.test/alice')}`;
/** So small that what nobody needs any more is soon gone; and a server that keeps too much ends. */
const smallHeap = { NODE_OPTIONS: '--max-old-space-size=48 --max-semi-space-size=2' };
let program: Program;

beforeAll(async () => {
  program = await startProgram(fileURLToPath(new URL('guarded-server.ts', import.meta.url)), [JSON.stringify(issuerKeys)], smallHeap);
});

afterAll(() => program.kill());

/** Most memory that the server ever had resident, in bytes; proc_pid_status(5). */
function mostMemory(): number {
  const kibibytes = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${program.pid}/status`, 'utf8'))?.[1];
  return Number(kibibytes) * 1024;
}

const answer = (body: Buffer, headers = {}) => wireCall({ port: program.port }, { path, headers: { authorization, ...headers }, body });

/** A message of gRPC that is compressed. */
function compressed(message: Buffer): Buffer {
  const packed = gzipSync(message);
  const prefix = Buffer.from([1, 0, 0, 0, 0]);
  prefix.writeUInt32BE(packed.length, 1);
  return Buffer.concat([prefix, packed]);
}

describe.skipIf(!existsSync('/proc/self/status'))('the memory of a server', () => {
  it('T-47: does not hold what a message of 200 MiB in 200 kB would be', async () => {
    const gzip = { 'grpc-encoding': 'gzip' };
    expect((await answer(compressed(Buffer.alloc(mebibyte)), gzip)).code).toBe(status.OK);
    const before = mostMemory();
    const bomb = compressed(Buffer.alloc(200 * mebibyte));
    expect(bomb.length).toBeLessThan(mebibyte);
    for (let call = 0; call < 3; call++) expect((await answer(bomb, gzip)).code).toBe(status.RESOURCE_EXHAUSTED);
    expect(mostMemory() - before).toBeLessThan(64 * mebibyte);
  });

  it('T-46: does not grow with the connections that were closed for what they sent', async () => {
    const overflow = frame(frameTypes.windowUpdate, 0, 0, Buffer.from([0x7f, 0xff, 0xff, 0xff]));
    const attack = async (times: number) => {
      for (let round = 0; round < times / 50; round++) {
        await Promise.all(
          Array.from({ length: 50 }, async () => {
            const connection = await openRawConnection(program.port);
            await connection.send(overflow);
            expect(await connection.frame(({ type }) => type === frameTypes.goaway)).toBeDefined();
            connection.destroy();
          }),
        );
      }
    };
    await attack(2_000);
    const before = mostMemory();
    await attack(10_000);
    expect(mostMemory() - before).toBeLessThan(16 * mebibyte);
    expect((await answer(Buffer.alloc(5))).code).toBe(status.OK);
  });
});
