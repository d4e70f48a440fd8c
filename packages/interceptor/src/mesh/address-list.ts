import { type ChannelOptions, experimental } from '@grpc/grpc-js';

const scheme = 'tokenmesh-list';

/** What a channel is opened with. */
export interface AddressListTarget {
  readonly target: string;
  readonly channelOptions: ChannelOptions;
}

/**
 * The gRPC target for one address, or for several between which calls take turns; one that does not answer is left out.
 *
 * @param addresses `host:port`, several separated by commas or in an array. Hosts are names or IP addresses; a name may stand for several.
 * @throws {TypeError} When one is not `host:port`, or there is none.
 */
export function targetOf(addresses: string | readonly string[]): AddressListTarget {
  const list = (typeof addresses === 'string' ? addresses.split(',') : addresses).map((address) => address.trim());
  const [first] = list;
  if (first === undefined || list.includes('')) throw new TypeError('tokenExchange must be host:port, or several of them');
  if (list.length === 1) return { target: first, channelOptions: {} };
  const wrong = list.find((address) => !/^(?:\[[\da-f:.]+\]|[^\s:/,[\]]+):\d{1,5}$/i.test(address));
  if (wrong !== undefined) throw new TypeError(`tokenExchange must be host:port, or several of them; "${wrong}" is not`);
  experimental.registerResolver(scheme, AddressListResolver); // again is no harm
  const serviceConfig = JSON.stringify({ loadBalancingConfig: [{ round_robin: {} }] });
  return { target: `${scheme}:${list.join(',')}`, channelOptions: { 'grpc.service_config': serviceConfig } };
}

type Answer = Parameters<experimental.ResolverListener>[0];

/** Resolves each address as gRPC would, and tells all of them as one list. */
class AddressListResolver implements experimental.Resolver {
  readonly #resolvers: readonly experimental.Resolver[];
  readonly #answers: (Answer | undefined)[];

  constructor({ path }: experimental.GrpcUri, listener: experimental.ResolverListener, options: ChannelOptions) {
    const addresses = path.split(',');
    this.#answers = addresses.map(() => undefined);
    this.#resolvers = addresses.map((address, index) =>
      experimental.createResolver(
        { scheme: 'dns', path: address },
        (answer, attributes, serviceConfig, note) => {
          // a name that cannot be resolved just now keeps the addresses it had
          if (answer.ok || !this.#answers[index]?.ok) this.#answers[index] = answer;
          const known = this.#answers.filter((one) => one !== undefined);
          const endpoints = known.flatMap((one) => (one.ok ? one.value : []));
          // no address is a failure only when all names have failed
          if (endpoints.length === 0 && known.length < addresses.length) return true;
          return listener(endpoints.length > 0 ? experimental.statusOrFromValue(endpoints) : answer, attributes, serviceConfig, note);
        },
        options,
      ),
    );
  }

  updateResolution(): void {
    for (const resolver of this.#resolvers) resolver.updateResolution();
  }

  destroy(): void {
    for (const resolver of this.#resolvers) resolver.destroy();
  }

  /** Whom the certificates are checked against: the replicas are one service, and the first address has its name. */
  static getDefaultAuthority({ path }: experimental.GrpcUri): string {
    return path.split(',')[0] ?? path;
  }
}
