import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createTestAuthority, type TestCertificate } from '@tokenmesh/token/test-certificate';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type CertificateChange, openTlsFiles, type TlsFiles } from './tls-files.ts';

const authority = createTestAuthority();
const orders = 'spiffe://shop.test/orders';

let directory: string;
let opened: TlsFiles[];
let changes: CertificateChange[];
let changed: PromiseWithResolvers<void>;
let nowMs: number | undefined;

const file = (name: string) => join(directory, name);
const files = () => ({ certificate: { certFile: file('tls.crt'), keyFile: file('tls.key') }, caFile: file('ca.crt') });

function write({ cert, key }: Pick<TestCertificate, 'cert' | 'key'>): void {
  writeFileSync(file('tls.key'), key);
  writeFileSync(file('tls.crt'), cert);
}

function open(sources: Parameters<typeof openTlsFiles>[0] = files(), intervalMs?: number): TlsFiles {
  const one = openTlsFiles(sources, {
    onChange(change) {
      changes.push(change);
      changed.resolve();
    },
    ...(intervalMs && { intervalMs }),
    now: () => nowMs ?? Date.now(),
  });
  opened.push(one);
  return one;
}

/** The next change that is told. */
async function nextChange(): Promise<CertificateChange | undefined> {
  await changed.promise;
  changed = Promise.withResolvers();
  return changes.at(-1);
}

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'tls-files-'));
  opened = [];
  changes = [];
  changed = Promise.withResolvers();
  nowMs = undefined;
  writeFileSync(file('ca.crt'), authority.cert);
});

afterEach(() => {
  for (const one of opened) one.close();
  rmSync(directory, { recursive: true });
});

describe('openTlsFiles', () => {
  it('reads the certificate, its key and the authorities', () => {
    const first = authority.issue([orders]);
    write(first);
    const { identity, ca } = open().current();
    expect(identity).toMatchObject({ cert: first.cert, key: first.key, thumbprint: first.thumbprint });
    expect(ca).toEqual(authority.cert);
  });

  it('takes what is given as text without looking at files', () => {
    const first = authority.issue([orders]);
    const tls = open({ certificate: { cert: first.cert.toString(), key: first.key.toString() }, ca: authority.cert });
    expect(tls.current().identity?.thumbprint).toBe(first.thumbprint);
    expect(open({}).current()).toEqual({});
  });

  it('reads a pair that was replaced, and tells of it', async () => {
    write(authority.issue([orders]));
    const tls = open();
    let seenByListener: string | undefined;
    tls.onRenewed(() => {
      seenByListener = tls.current().identity?.thumbprint;
    });
    const second = authority.issue([orders]);
    write(second);
    expect(await nextChange()).toMatchObject({ state: 'renewed', thumbprint: second.thumbprint });
    expect(tls.current().identity?.key).toEqual(second.key);
    expect(seenByListener).toBe(second.thumbprint);
  });

  it('follows a symbolic link that is turned to another folder', async () => {
    const [first, second] = [authority.issue([orders]), authority.issue([orders])];
    for (const [name, pair] of Object.entries({ first, second })) {
      mkdirSync(file(name));
      writeFileSync(join(file(name), 'tls.crt'), pair.cert);
      writeFileSync(join(file(name), 'tls.key'), pair.key);
    }
    symlinkSync('first', file('..data'));
    symlinkSync('..data/tls.crt', file('tls.crt'));
    symlinkSync('..data/tls.key', file('tls.key'));
    const tls = open();
    expect(tls.current().identity?.thumbprint).toBe(first.thumbprint);
    symlinkSync('second', file('..data_tmp'));
    renameSync(file('..data_tmp'), file('..data'));
    expect(await nextChange()).toMatchObject({ state: 'renewed', thumbprint: second.thumbprint });
  });

  it('finds by its interval what the file system does not report', async () => {
    const folder = file('elsewhere');
    mkdirSync(folder);
    const [first, second] = [authority.issue([orders]), authority.issue([orders])];
    writeFileSync(join(folder, 'tls.crt'), first.cert);
    writeFileSync(join(folder, 'tls.key'), first.key);
    symlinkSync(join(folder, 'tls.crt'), file('tls.crt'));
    symlinkSync(join(folder, 'tls.key'), file('tls.key'));
    open(files(), 20);
    writeFileSync(join(folder, 'tls.key'), second.key);
    writeFileSync(join(folder, 'tls.crt'), second.cert);
    while ((await nextChange())?.state !== 'renewed');
    expect(changes.at(-1)).toMatchObject({ thumbprint: second.thumbprint });
  });

  it('reads authorities that were replaced', async () => {
    write(authority.issue([orders]));
    const tls = open();
    const both = Buffer.concat([authority.cert, createTestAuthority().cert]);
    writeFileSync(file('ca.crt'), both);
    expect(await nextChange()).toMatchObject({ state: 'renewed' });
    expect(tls.current().ca).toEqual(both);
  });

  it('keeps the old pair while a new one is half written, and takes it when it is whole', async () => {
    const [first, second] = [authority.issue([orders]), authority.issue([orders])];
    write(first);
    const tls = open();
    writeFileSync(file('tls.crt'), second.cert);
    expect(await nextChange()).toEqual({ state: 'kept', problem: `${file('tls.key')} is not the key of ${file('tls.crt')}` });
    expect(tls.current().identity?.thumbprint).toBe(first.thumbprint);
    writeFileSync(file('tls.key'), second.key);
    expect(await nextChange()).toMatchObject({ state: 'renewed', thumbprint: second.thumbprint });
  });

  it.each<[string, () => void, RegExp]>([
    ['garbage in place of the certificate', () => writeFileSync(file('tls.crt'), 'garbage'), /tls\.crt is no certificate/],
    ['an empty key', () => writeFileSync(file('tls.key'), ''), /tls\.key is no unencrypted private key/],
    ['no certificate any more', () => rmSync(file('tls.crt')), /tls\.crt cannot be read: ENOENT/],
    ['garbage in place of the authorities', () => writeFileSync(file('ca.crt'), 'garbage'), /ca\.crt holds no certificate/],
    [
      'authorities of which one is broken',
      () =>
        writeFileSync(
          file('ca.crt'),
          Buffer.concat([authority.cert, Buffer.from('-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n')]),
        ),
      /ca\.crt holds what is no certificate/,
    ],
    ['one that has expired', () => write(authority.issue([orders], { validUntilMs: Date.now() - 1000 })), /has expired/],
    [
      'one that is not valid yet',
      () => write(authority.issue([orders], { validFromMs: Date.now() + 60_000, validUntilMs: Date.now() + 120_000 })),
      /not valid yet/,
    ],
  ])('keeps the old one when the files hold %s', async (_, damage, problem) => {
    const first = authority.issue([orders]);
    write(first);
    const tls = open(files(), 5);
    damage();
    expect(await nextChange()).toEqual({ state: 'kept', problem: expect.stringMatching(problem) });
    expect(tls.current()).toMatchObject({ identity: { thumbprint: first.thumbprint }, ca: authority.cert });
    writeFileSync(file('ca.crt'), authority.cert);
    const third = authority.issue([orders]);
    write(third);
    while ((await nextChange())?.state !== 'renewed');
    expect(tls.current().identity?.thumbprint).toBe(third.thumbprint);
  });

  it('says what is wrong once for as long as it is the same, and again when it comes back', () => {
    vi.useFakeTimers({ toFake: ['setInterval'] });
    try {
      const first = authority.issue([orders]);
      write(first);
      open(files(), 1000);
      for (const damaged of [true, false, true]) {
        writeFileSync(file('tls.key'), damaged ? '' : first.key);
        vi.advanceTimersByTime(5000);
      }
      expect(changes.map(({ state }) => state)).toEqual(['kept', 'kept']);
    } finally {
      vi.useRealTimers();
    }
  });

  it('takes a certificate that was early once its time has come', async () => {
    write(authority.issue([orders]));
    const startMs = Date.now();
    const early = authority.issue([orders], { validFromMs: startMs + 60_000 });
    open(files(), 5);
    write(early);
    while (!JSON.stringify(await nextChange()).includes('not valid yet'));
    nowMs = startMs + 61_000;
    expect(await nextChange()).toMatchObject({ state: 'renewed', thumbprint: early.thumbprint });
  });

  it('does not take a touch for a change', async () => {
    const first = authority.issue([orders]);
    write(first);
    open(files(), 5);
    utimesSync(file('tls.crt'), new Date(), new Date());
    const second = authority.issue([orders]);
    write(second);
    while ((await nextChange())?.state !== 'renewed');
    expect(changes.filter(({ state }) => state === 'renewed')).toEqual([expect.objectContaining({ thumbprint: second.thumbprint })]);
  });

  it.each<[string, () => void]>([
    ['a key of another certificate', () => writeFileSync(file('tls.key'), authority.issue([orders]).key)],
    ['a certificate that has expired', () => write(authority.issue([orders], { validUntilMs: Date.now() - 1000 }))],
    ['no file', () => rmSync(file('tls.key'))],
  ])('cannot be opened with %s', (_, damage) => {
    write(authority.issue([orders]));
    damage();
    expect(() => open()).toThrow(TypeError);
  });

  it('cannot be opened with authorities from two places', () => {
    expect(() => open({ ca: authority.cert, caFile: file('ca.crt') })).toThrow(TypeError);
  });

  it('says nothing of a key in what it throws', () => {
    const { cert, key } = authority.issue([orders]);
    const broken = key.toString().replace(/[A-Za-z0-9+/]{8}\n/, '!\n');
    expect(() => open({ certificate: { cert, key: broken } })).toThrow(/^certificate\.key is no unencrypted private key in PEM$/);
  });
});
