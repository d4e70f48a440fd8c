// The service under measurement, Orders and Payments of the sample mesh over mutual TLS. It answers with its usage so far.
import { Server, ServerCredentials, ServerInterceptingCall, type ServerInterceptor, status } from '@grpc/grpc-js';
import { createMesh, type Mesh, unary } from '@tokenmesh/interceptor';
import { tokenmesh } from '@tokenmesh/proto';
import { type OrdersHandlers, type PaymentsHandlers, shop, shopPackage } from '@tokenmesh/proto/shop';
import { createLocalJWKSet, type JSONWebKeySet, jwtVerify } from 'jose';
import { channelCredentials, issuer, type MeshPlace, meshOptions, spiffeId, tlsOf } from './bench-mesh.ts';
import { type SdkSettings, startSdk, tracingOf } from './bench-sdk.ts';
import { createResourceReader, type HeldResources } from './held-resources.ts';
import { passingServer } from './least-layers.ts';
import { type LeastSaid, leastTracingServer } from './least-tracing.ts';
import { answer } from './measured-process.ts';

export interface ServerSettings extends MeshPlace {
  /** `traced`: nothing is checked, and the least that makes spans is done; `layers`: nothing is done, by a layer around each call. */
  readonly guard: 'bare' | 'traced' | 'layers' | 'mesh' | 'jose';
  /** Of `traced`: what its spans say. Default `name`. */
  readonly said?: LeastSaid;
  /** Absent: there is no SDK. */
  readonly sdk?: SdkSettings;
}

export interface ServerQuestion {
  /** Whether it first sends the spans that are left. */
  readonly flush?: boolean;
  /** Whether it tells what it holds; from the first time on it looks at the collector. */
  readonly resources?: boolean;
}

export interface ServerUsage {
  /** Processor time of the whole process. */
  readonly cpuMicros: number;
  /** Revocations that it knows, and whether they are fresh; of a guard by the mesh alone. */
  readonly revocations: number;
  readonly fresh: boolean;
  /** When the last stream of `Orders.Track` was over here, its trailers written, in nanoseconds of `process.hrtime`; 0: none was. */
  readonly lastTrackEndNs: number;
  readonly resources?: HeldResources;
}

// the cast holds: the suites pass these settings
const settings = JSON.parse(process.argv[2] ?? '{}') as ServerSettings;

const sdk = settings.sdk && (await startSdk(settings.sdk));

let lastTrackEndNs = 0;
const order = { order_id: 'order-1', item: 'tea', quantity: 1, charge_id: 'charge-1' };
const orders: OrdersHandlers = {
  Create: (_, callback) => callback(null, { order, chain: [] }),
  Get: (_, callback) => callback(null, { order }),
  Upload(call, callback) {
    let created = 0;
    call.on('data', () => created++);
    call.on('end', () => callback(null, { created }));
  },
  Track(call) {
    call.once('cancelled', () => {
      lastTrackEndNs = Number(process.hrtime.bigint());
    });
    call.on('data', () => {
      if (call.write({ order })) return;
      call.pause();
      call.once('drain', () => call.resume());
    });
    call.on('end', () => call.end());
  },
};
const payments: PaymentsHandlers = {
  Charge: (_, callback) => callback(null, { charge_id: 'charge-1', chain: [] }),
  Refund: (_, callback) => callback(null, {}),
  /** As many messages as the metadata `messages` says. */
  WatchCharges(call) {
    let left = Number(call.metadata.get('messages')[0]);
    const send = () => {
      while (left-- > 0) if (!call.write({ charge_id: 'charge-1', amount_cents: 1 })) return call.once('drain', send);
      return call.end();
    };
    send();
  },
};

/** What everyone writes: the token is verified by jose on every call, as strictly as its options allow, and the scope looked at. */
async function joseOnEveryCall(): Promise<ServerInterceptor> {
  const client = new tokenmesh.TokenExchange(settings.tokenExchange, channelCredentials(settings, 'orders'));
  const { keys } = await unary(client, 'getJwks', {});
  client.close();
  // the cast holds: without the members that are empty on the wire they are JWKs (RFC 7517)
  const present = keys.map((key) => Object.fromEntries(Object.entries(key).filter(([, value]) => value !== '')));
  const keySet = createLocalJWKSet({ keys: present } as unknown as JSONWebKeySet);
  const options = {
    issuer,
    audience: spiffeId('orders'),
    algorithms: ['ES256'],
    typ: 'at+jwt',
    requiredClaims: ['iss', 'sub', 'aud', 'exp', 'iat', 'jti', 'client_id', 'scope'],
    clockTolerance: 5,
    maxTokenAge: 900,
  };
  return (_, nextCall) => {
    const call = new ServerInterceptingCall(nextCall, {
      start(next) {
        next({
          async onReceiveMetadata(metadata, nextMetadata) {
            try {
              const [value] = metadata.get('authorization');
              const { payload } = await jwtVerify(String(value).replace(/^Bearer /, ''), keySet, options);
              if (!String(payload.scope).split(' ').includes('orders.read')) throw new Error('insufficient scope');
              nextMetadata(metadata);
            } catch {
              call.sendStatus({ code: status.UNAUTHENTICATED, details: 'invalid token' });
            }
          },
        });
      },
    });
    return call;
  };
}

let mesh: Mesh | undefined;
let server: Server;
const { ca, certificate } = tlsOf(settings.directory, 'orders');
let tls = ServerCredentials.createSsl(ca, [{ cert_chain: certificate.cert, private_key: certificate.key }], true);
if (settings.guard === 'mesh') {
  mesh = await createMesh({ ...meshOptions(settings, 'orders'), ...tracingOf(settings.sdk) });
  server = new Server({ interceptors: mesh.server(shopPackage) });
  server.addService(...mesh.streamCredential());
  tls = mesh.serverCredentials();
  await mesh.ready();
} else {
  const interceptors = {
    bare: () => [],
    traced: () => [leastTracingServer(settings.said ?? 'name')],
    layers: () => [passingServer],
    jose: async () => [await joseOnEveryCall()],
  };
  server = new Server({ interceptors: await interceptors[settings.guard]() });
}
server.addService(shop.Orders.service, orders);
server.addService(shop.Payments.service, payments);
const port = await new Promise<number>((resolve, reject) =>
  server.bindAsync('127.0.0.1:0', tls, (error, bound) => (error ? reject(error) : resolve(bound))),
);

const resources = createResourceReader();

function usage(): ServerUsage {
  const { user, system } = process.cpuUsage();
  const fresh = mesh?.feed.freshness().state === 'fresh';
  return { cpuMicros: user + system, revocations: mesh?.feed.set.size ?? 0, fresh, lastTrackEndNs };
}
answer<ServerQuestion, ServerUsage>(port, async (question) => {
  if (question.flush) await sdk?.flush();
  return { ...usage(), ...(question.resources && { resources: resources() }) };
});
