import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { type Client, connectivityState, Server, type ServerCredentials } from '@grpc/grpc-js';
import { type OrdersHandlers, shop } from '@tokenmesh/proto/shop';
import { createTestAuthority, type TestCertificate } from '@tokenmesh/token/test-certificate';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { unary } from '../outgoing/unary.ts';
import { type MeshTls, openMeshTls } from './mesh-tls.ts';
import type { CertificateChange } from './tls-files.ts';

const authority = createTestAuthority();
const [gateway, orders] = ['spiffe://shop.test/gateway', 'spiffe://shop.test/orders'];

/** A workload whose TLS comes from files. */
interface Workload {
  readonly tls: MeshTls;
  write(certificate: TestCertificate, ca?: Buffer): void;
  writeGarbage(): void;
  /** The next change that it tells of. */
  nextChange(): Promise<CertificateChange>;
}

let directory: string;
let close: (() => void)[];
/** Thumbprints of the certificates that calls came with, as the server's connections have them. */
let presented: (string | undefined)[];

function openWorkload(name: string, first: TestCertificate): Workload {
  const file = (ending: string) => join(directory, `${name}.${ending}`);
  let next = Promise.withResolvers<CertificateChange>();
  const write = ({ cert, key }: TestCertificate, ca = authority.cert) => {
    writeFileSync(file('ca'), ca);
    writeFileSync(file('key'), key);
    writeFileSync(file('crt'), cert);
  };
  write(first);
  const tls = openMeshTls(
    { certificate: { certFile: file('crt'), keyFile: file('key') }, caFile: file('ca') },
    { onChange: (change) => next.resolve(change), intervalMs: 60_000, now: Date.now },
  );
  close.push(() => tls.close());
  return {
    tls,
    write,
    writeGarbage: () => writeFileSync(file('crt'), 'garbage'),
    async nextChange() {
      const change = await next.promise;
      next = Promise.withResolvers();
      return change;
    },
  };
}

function see(call: { getAuthContext(): { sslPeerCertificate?: { raw: Buffer } } }): void {
  const raw = call.getAuthContext().sslPeerCertificate?.raw;
  presented.push(raw && createHash('sha256').update(raw).digest('base64url'));
}

const handlers: OrdersHandlers = {
  Create(call, callback) {
    see(call);
    callback(null, {});
  },
  Get: (_, callback) => callback(null, {}),
  Upload: (_, callback) => callback(null, {}),
  Track(call) {
    see(call);
    call.on('data', ({ order_id }) => call.write({ order: { order_id } }));
    call.on('end', () => call.end());
  },
};

async function serve(credentials: ServerCredentials): Promise<number> {
  const server = new Server();
  server.addService(shop.Orders.service, handlers);
  close.push(() => server.forceShutdown());
  return await new Promise((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', credentials, (error, port) => (error ? reject(error) : resolve(port)));
  });
}

function clientOf({ tls }: Workload, port: number): InstanceType<typeof shop.Orders> {
  const client = new shop.Orders(`127.0.0.1:${port}`, tls.channelCredentials(), {
    channelFactoryOverride: (target, credentials, { channelFactoryOverride: _, ...options }) =>
      tls.openChannel(target, credentials, options),
  });
  close.push(() => client.close());
  return client;
}

/** An open stream: what goes in comes back. */
function track(client: InstanceType<typeof shop.Orders>) {
  const stream = client.track();
  stream.on('error', () => undefined); // of the last close
  return {
    async echo(order_id: string) {
      const answer = once(stream, 'data');
      stream.write({ order_id });
      const [{ order }] = await answer;
      return order.order_id;
    },
    end: () => stream.end(),
  };
}

/** What a new connection to the server sees, when it trusts `ca`. */
async function servedThumbprint(port: number, { key, cert }: TestCertificate, ca = authority.cert): Promise<string> {
  const socket = connect({ port, host: '127.0.0.1', ca, key, cert, ALPNProtocols: ['h2'] });
  await once(socket, 'secureConnect');
  const { raw } = socket.getPeerCertificate();
  socket.destroy();
  return createHash('sha256').update(raw).digest('base64url');
}

const settle = (resolve: () => void, reject: (error: Error) => void) => (error?: Error) => (error ? reject(error) : resolve());
const ready = (client: Client) => new Promise<void>((resolve, reject) => client.waitForReady(Date.now() + 5000, settle(resolve, reject)));
const leaves = (client: Client, state: connectivityState) =>
  new Promise<void>((resolve, reject) => client.getChannel().watchConnectivityState(state, Date.now() + 5000, settle(resolve, reject)));

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'mesh-tls-'));
  close = [];
  presented = [];
});

afterEach(() => {
  for (const one of close.reverse()) one();
  rmSync(directory, { recursive: true });
});

describe('a server whose certificate is renewed', () => {
  it('shows the new one to new connections, and goes on with those that it has', async () => {
    const [first, second] = [authority.issue([orders]), authority.issue([orders])];
    const server = openWorkload('orders', first);
    const port = await serve(server.tls.serverCredentials());
    const caller = authority.issue([gateway]);
    const stream = track(clientOf(openWorkload('gateway', caller), port));
    expect(await stream.echo('before')).toBe('before');
    expect(await servedThumbprint(port, caller)).toBe(first.thumbprint);
    server.write(second);
    expect(await server.nextChange()).toMatchObject({ state: 'renewed' });
    expect(await servedThumbprint(port, caller)).toBe(second.thumbprint);
    expect(await stream.echo('after')).toBe('after');
    expect(presented).toEqual([caller.thumbprint]);
  });

  it('goes on with the old one when the files hold garbage', async () => {
    const first = authority.issue([orders]);
    const server = openWorkload('orders', first);
    const port = await serve(server.tls.serverCredentials());
    const caller = authority.issue([gateway]);
    server.writeGarbage();
    expect(await server.nextChange()).toMatchObject({ state: 'kept' });
    expect(await servedThumbprint(port, caller)).toBe(first.thumbprint);
  });

  it('asks new connections for a certificate of the new authorities, and no longer of the old ones', async () => {
    const [first, next] = [authority.issue([orders]), createTestAuthority()];
    const server = openWorkload('orders', first);
    const port = await serve(server.tls.serverCredentials());
    const strangers = next.issue([gateway]);
    const call = async (caller: TestCertificate, ca: Buffer) => {
      const workload = openWorkload(`gateway ${caller.thumbprint}`, caller);
      workload.write(caller, ca);
      await workload.nextChange();
      return await unary(clientOf(workload, port), 'create', {}, { deadline: Date.now() + 5000 }).then(
        () => 'answered',
        () => 'refused',
      );
    };
    const both = Buffer.concat([authority.cert, next.cert]);
    expect(await call(strangers, both)).toBe('refused');
    server.write(next.issue([orders]), next.cert);
    await server.nextChange();
    expect(await call(strangers, both)).toBe('answered');
    expect(await call(authority.issue([gateway]), both)).toBe('refused');
  });

  it('still refuses connections without a certificate', async () => {
    const server = openWorkload('orders', authority.issue([orders]));
    const port = await serve(server.tls.serverCredentials());
    const bare = openMeshTls({ ca: authority.cert }, { now: Date.now });
    const client = clientOf({ tls: bare } as Workload, port); // nothing else of it is used
    await expect(unary(client, 'create', {}, { deadline: Date.now() + 5000 })).rejects.toMatchObject({ code: 14 });
    expect(presented).toEqual([]);
  });
});

describe('a client whose certificate is renewed', () => {
  it('presents the new one with new calls, while a stream goes on over its old connection', async () => {
    const port = await serve(openWorkload('orders', authority.issue([orders])).tls.serverCredentials());
    const [first, second] = [authority.issue([gateway]), authority.issue([gateway])];
    const workload = openWorkload('gateway', first);
    const client = clientOf(workload, port);
    const stream = track(client);
    await stream.echo('before');
    await unary(client, 'create', {});
    workload.write(second);
    await workload.nextChange();
    expect(workload.tls.thumbprint()).toBe(second.thumbprint);
    await unary(client, 'create', {});
    expect(await stream.echo('after')).toBe('after');
    expect(presented).toEqual([first.thumbprint, first.thumbprint, second.thumbprint]);
  });

  it('connects anew at once where it was connected', async () => {
    const port = await serve(openWorkload('orders', authority.issue([orders])).tls.serverCredentials());
    const workload = openWorkload('gateway', authority.issue([gateway]));
    const client = clientOf(workload, port);
    await ready(client);
    workload.write(authority.issue([gateway]));
    await workload.nextChange();
    await leaves(client, connectivityState.IDLE);
  });

  it('presents it with credentials alone as well, on the next connection', async () => {
    const port = await serve(openWorkload('orders', authority.issue([orders])).tls.serverCredentials());
    const [first, second] = [authority.issue([gateway]), authority.issue([gateway])];
    const workload = openWorkload('gateway', first);
    const credentials = workload.tls.channelCredentials();
    const callOnce = async () => {
      const client = new shop.Orders(`127.0.0.1:${port}`, credentials, { 'grpc.use_local_subchannel_pool': 1 });
      await unary(client, 'create', {});
      client.close();
    };
    await callOnce();
    workload.write(second);
    await workload.nextChange();
    await callOnce();
    expect(presented).toEqual([first.thumbprint, second.thumbprint]);
  });

  it('goes on with the old one when the files hold garbage', async () => {
    const port = await serve(openWorkload('orders', authority.issue([orders])).tls.serverCredentials());
    const first = authority.issue([gateway]);
    const workload = openWorkload('gateway', first);
    workload.writeGarbage();
    expect(await workload.nextChange()).toMatchObject({ state: 'kept' });
    await unary(clientOf(workload, port), 'create', {});
    expect(presented).toEqual([first.thumbprint]);
  });
});

describe('TLS from text', () => {
  it('serves and calls as TLS from files does', async () => {
    const [server, client] = [authority.issue([orders]), authority.issue([gateway])];
    const open = (certificate: TestCertificate) => openMeshTls({ certificate, ca: authority.cert }, { now: Date.now });
    const port = await serve(open(server).serverCredentials());
    await unary(clientOf({ tls: open(client) } as Workload, port), 'create', {}); // nothing else of it is used
    expect(presented).toEqual([client.thumbprint]);
  });

  it.each([{}, { ca: authority.cert }, { certificate: authority.issue([orders]) }])('does not serve with %j alone', (sources) => {
    expect(() => openMeshTls(sources, { now: Date.now }).serverCredentials()).toThrow(TypeError);
  });
});
