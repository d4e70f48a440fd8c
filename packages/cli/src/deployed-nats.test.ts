import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createRevocationStream, NatsRefusedError, natsPublisher, natsTransport, openNatsProbe } from '@tokenmesh/revocation/nats';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type MeshNats, natsServerVersion, startMeshNats } from './test-mesh-nats.ts';

const deployed = fileURLToPath(new URL('../../../deploy/nats', import.meta.url));
const available = natsServerVersion() !== undefined;
/** T-52 gives the server this long; the tests wait for the event itself. */
const disconnectLimitMs = 5_000;

/** Subscribes as a verifier does, and resolves when it hears the feed. */
async function listen(nats: MeshNats, user: MeshNats['issuer']) {
  const up = Promise.withResolvers<void>();
  const heard: string[] = [];
  let hears = Promise.withResolvers<void>();
  let [ups, isDown] = [0, false];
  const subscription = natsTransport(nats.as(user)).subscribe(() => ({ epoch: '', n: 0 }), {
    onEvent: () => {},
    onCheckpoint: (compact) => {
      heard.push(compact);
      hears.resolve();
    },
    onUp: () => {
      ups++;
      up.resolve();
    },
    onDown: () => {
      isDown = true;
    },
  });
  onTestFinished(() => subscription.close());
  await up.promise;
  return {
    heard,
    isDown: () => isDown,
    ups: () => ups,
    async next(publish: () => void) {
      hears = Promise.withResolvers();
      publish();
      await hears.promise;
    },
  };
}

describe('T-51 deploy/nats', () => {
  const files = readdirSync(deployed, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.conf'));
  const read = (names: readonly string[]) =>
    names.map((file) => readFileSync(join(deployed, file), 'utf8').replace(/#.*$/gm, '')).join('\n');
  const settings = read(files);

  test.each(['no_auth_user', 'leafnode', 'websocket', 'mqtt', 'gateway', 'allow_non_tls', 'token'])('does not have %s', (name) => {
    expect(settings).toContain('permissions');
    expect(settings).not.toMatch(new RegExp(`\\b${name}s?\\b`));
  });

  test('has one password: what the servers of a cluster know one another by, beside their certificates', () => {
    // nats-server takes no nkey from a route, and a certificate of the mesh is what every workload has as well
    const routes = read(['peers.example.conf']).trim();
    expect(routes).toMatch(
      /^authorization \{ user: peer, password: "…", timeout: 5 \}\nroutes: \[\n(?: {2}"nats-route:\/\/peer:…@nats-\d:6222"\n)+\]$/,
    );
    expect(settings.match(/\bpasswords?\b/g)).toEqual(['password']);
    const including = files.filter((file) => /\binclude peers\.conf\b/.test(read([file])));
    expect(including).toEqual(['nats-cluster.conf']);
    const [, cluster = ''] = /^cluster \{\n(.*?)^\}$/ms.exec(read(including)) ?? [];
    expect(cluster).toMatch(/^ {2}include peers\.conf$/m);
    expect(cluster).toMatch(/^ {2}tls \{[^}]*^ {4}verify: true$/ms);
  });
});

describe.skipIf(!available)('a verifier’s nkey', () => {
  test('T-52 that is taken out of the configuration is disconnected at the reload and does not come back, and others do not notice', async () => {
    const nats = await startMeshNats();
    onTestFinished(nats.close);
    const [leaving, staying] = nats.verifiers;
    await createRevocationStream(nats.as(nats.operator));
    const publisher = await natsPublisher(nats.as(nats.issuer));
    onTestFinished(() => publisher.close());
    const [left, stayed] = await Promise.all([listen(nats, leaving), listen(nats, staying)]);

    await nats.reload({
      file: 'users.conf',
      change: (text) => text.replace(new RegExp(`^.*${leaving.publicKey}.*$\\n`, 'm'), ''),
    });
    await expect.poll(left.isDown, { timeout: disconnectLimitMs }).toBe(true);

    await expect(openNatsProbe(nats.as(leaving))).rejects.toThrow(NatsRefusedError);
    await stayed.next(() => publisher.publishCheckpoint('afterwards'));
    expect(stayed.heard).toEqual(['afterwards']);
    expect(left.heard).toEqual([]);
    expect(left.ups()).toBe(1);
    expect(stayed.isDown()).toBe(false);
  });

  test('T-52 that was never in the configuration does not get in', async () => {
    const [nats, other] = await Promise.all([startMeshNats(), startMeshNats()]);
    onTestFinished(async () => void (await Promise.all([nats.close(), other.close()])));
    await expect(openNatsProbe(nats.as(other.verifiers[0]))).rejects.toThrow(NatsRefusedError);
    await expect(openNatsProbe(nats.as())).rejects.toThrow(NatsRefusedError);
  });
});
