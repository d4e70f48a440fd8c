import { renameSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { exportJwk, generateSigningKey } from '@tokenmesh/token';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createTestCertificate } from '../clients/test-certificate.ts';
import type { LogEntry } from '../event-log.ts';
import { temporaryDirectory } from '../testing.ts';
import { type Config, loadConfig } from './config.ts';
import { type ConfigWatcher, watchConfig } from './config-watcher.ts';

const { cert, key } = createTestCertificate();
let directory: ReturnType<typeof temporaryDirectory>;
let watcher: ConfigWatcher;
/** What was applied, failed and rejected, in order; those who wait for the next are told. */
let seen: (Config | LogEntry)[];
let waiting: ((next: Config | LogEntry) => void)[];
let failure: Error | undefined;

const at = (name: string) => join(directory.path, name);
/** Whole at once, as a deployment does it: a half-written file would be a change of its own. */
const put = (name: string, content: string | Buffer) => {
  writeFileSync(at('unfinished'), content);
  renameSync(at('unfinished'), at(name));
};
const jwks = () => JSON.stringify({ keys: [exportJwk(generateSigningKey())] });

function see(what: Config | LogEntry): void {
  seen.push(what);
  for (const tell of waiting.splice(0)) tell(what);
}

/** What comes next. */
const next = () => new Promise<Config | LogEntry>((resolve) => waiting.push(resolve));

function yaml(scopes: string): string {
  return `trust_domain: shop.test
tls: { cert: cert.pem, key: key.pem }
store: { sqlite: record.db }
workloads:
  - { id: "spiffe://shop.test/gateway", jwks_file: jwks.json }
audiences:
  - { id: "spiffe://shop.test/orders", scopes: [orders.read, orders.write] }
grants:
  - { from: "spiffe://shop.test/gateway", to: "spiffe://shop.test/orders", scopes: [${scopes}] }
`;
}

function start(inForce = loadConfig(at('tokenmesh.yaml')), intervalMs = 20): void {
  const log = { info: see, warn: see, error: see };
  const apply = async (config: Config) => {
    if (failure) throw failure;
    see(config);
  };
  watcher = watchConfig(at('tokenmesh.yaml'), { inForce, apply, log, intervalMs });
}

beforeEach(() => {
  directory = temporaryDirectory();
  [seen, waiting, failure] = [[], [], undefined];
  put('cert.pem', cert);
  put('key.pem', key);
  put('jwks.json', jwks());
  put('tokenmesh.yaml', yaml('orders.read'));
});
afterEach(async () => {
  await watcher.close();
  directory.remove();
});

const scopesOf = (what: Config | LogEntry) => ('grants' in what ? (what as Config).grants[0]?.scopes : undefined);

describe('a configuration that is watched', () => {
  it('is applied when its content changes, and when that of a file it names does', async () => {
    start();
    const first = next();
    put('tokenmesh.yaml', yaml('orders.write'));
    expect(scopesOf(await first)).toEqual(['orders.write']);
    const second = next();
    put('jwks.json', jwks());
    expect(scopesOf(await second)).toEqual(['orders.write']);
    expect(seen).toHaveLength(2);
  });

  it('is applied long before the interval when the file system reports the change', async () => {
    start(undefined, 3_600_000);
    const applied = next();
    put('tokenmesh.yaml', yaml('orders.write'));
    expect(scopesOf(await applied)).toEqual(['orders.write']);
  });

  it('is applied when a link to it is turned to another directory', async () => {
    put('a.json', jwks());
    put('b.json', jwks());
    const link = (to: string) => {
      symlinkSync(at(to), at('link'));
      renameSync(at('link'), at('jwks.json'));
    };
    link('a.json');
    start();
    const applied = next();
    link('b.json');
    expect(scopesOf(await applied)).toEqual(['orders.read']);
  });

  it('that was only touched is not applied, but on demand it is', async () => {
    start();
    utimesSync(at('tokenmesh.yaml'), 1, 1);
    await watcher.reload();
    expect(seen).toHaveLength(1);
  });

  it('changes nothing while it is bad, says so once with the lines of `check`, and is applied when it is mended', async () => {
    start();
    const rejected = next();
    put('tokenmesh.yaml', yaml('orders.raed'));
    expect(await rejected).toEqual({
      event: 'config.rejected',
      file: at('tokenmesh.yaml'),
      problems: [
        `${at('tokenmesh.yaml')}:9:85: grants[0].scopes[0]: "orders.raed" is not a scope of spiffe://shop.test/orders, expected one of orders.read, orders.write, did you mean "orders.read"?`,
      ],
    });
    const mended = next();
    put('tokenmesh.yaml', yaml('orders.read'));
    expect(scopesOf(await mended)).toEqual(['orders.read']);
    expect(seen).toHaveLength(2);
  });

  it('is applied when a file that it names and that was missing appears', async () => {
    start();
    const rejected = next();
    put('tokenmesh.yaml', yaml('orders.read').replace('jwks.json', 'late.json'));
    expect(await rejected).toMatchObject({ event: 'config.rejected', problems: [expect.stringContaining('late.json')] });
    const applied = next();
    put('late.json', jwks());
    expect(scopesOf(await applied)).toEqual(['orders.read']);
  });

  it('is tried again when it could not be put into force', async () => {
    start();
    failure = new Error('disk full');
    const failed = next();
    put('tokenmesh.yaml', yaml('orders.write'));
    expect(await failed).toMatchObject({ event: 'config.failed', err: failure });
    const applied = next();
    failure = undefined;
    expect(scopesOf(await applied)).toEqual(['orders.write']);
  });

  it('is applied when it changed between its first reading and the watch', async () => {
    const inForce = loadConfig(at('tokenmesh.yaml'));
    put('tokenmesh.yaml', yaml('orders.write'));
    const applied = next();
    start(inForce);
    expect(scopesOf(await applied)).toEqual(['orders.write']);
  });
});
