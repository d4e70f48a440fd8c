import { readFileSync } from 'node:fs';
import { request as httpsRequest } from 'node:https';
import type { Shop } from '@tokenmesh/shop/demo';

/** The setting of `startShop` that opens the HTTP door of token-exchange. */
export const withFacade = { facade: { listen: '127.0.0.1:0' } } as const;

/**
 * `fetch` to the HTTP door of a shop that was started with `withFacade`: whatever host a URL names, token-exchange answers. Its certificate is
 * verified, which Node's own `fetch` cannot do for an authority that it was not started with.
 *
 * @param workload Whose certificate the connection is made with.
 */
export function fetchFromFacade(shop: Shop, workload: string): typeof fetch {
  const tls = tlsOf(shop, workload);
  const port = facadePort(shop);
  return async (input, init) => {
    const asked = new Request(input, init);
    const body = Buffer.from(await asked.arrayBuffer());
    const url = new URL(asked.url);
    const headers = { ...Object.fromEntries(asked.headers), 'content-length': body.length };
    return await new Promise<Response>((resolve, reject) => {
      const options = { ...tls, host: 'localhost', port, path: url.pathname + url.search, method: asked.method, headers };
      const sent = httpsRequest(options, (incoming) => {
        const chunks: Buffer[] = [];
        incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
        incoming.on('end', () => {
          const answered = Object.entries(incoming.headers).map(([name, value]): [string, string] => [name, String(value)]);
          resolve(new Response(Buffer.concat(chunks), { status: incoming.statusCode ?? 0, headers: answered }));
        });
      });
      sent.on('error', reject);
      sent.end(body);
    });
  };
}

/** What a workload of the shop connects with. */
export function tlsOf(shop: Shop, workload: string) {
  const files = shop.workloads.get(workload);
  if (!files) throw new TypeError(`there is no workload ${workload}`);
  return { ca: readFileSync(shop.caFile), cert: readFileSync(files.certFile), key: readFileSync(files.tlsKeyFile) };
}

function facadePort({ tokenExchange }: Shop): number {
  const port = /"facade_port":(\d+)/.exec(tokenExchange.output.stdout)?.[1];
  if (port === undefined) throw new Error('the shop was started without withFacade');
  return Number(port);
}
