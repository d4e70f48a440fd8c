/** A permission of one workload to obtain tokens for one audience, as token-exchange's configuration spells it. */
export interface Grant {
  readonly from: string;
  readonly to: string;
  readonly scopes: readonly string[];
  /** For example `2s`; absent: `tokens.life`. */
  readonly max_life?: string;
  readonly delegation: { readonly scopes: readonly string[] } | false;
  /** Whether refresh tokens are issued, too; absent: none are. */
  readonly refresh?: boolean;
}

export const trustDomain = 'shop.test';

/** The identity of a workload of the shop. */
export const spiffeId = (name: string): string => `spiffe://${trustDomain}/${name}`;

/** Audiences with their scopes. */
export const audiences: readonly { readonly id: string; readonly scopes: readonly string[] }[] = [
  { id: spiffeId('gateway'), scopes: ['gateway.order'] },
  { id: spiffeId('orders'), scopes: ['orders.read', 'orders.write'] },
  { id: spiffeId('payments'), scopes: ['payments.charge', 'payments.refund', 'payments.watch'] },
];

/** What each workload may do, and nothing more. */
export const grants: readonly Grant[] = [
  // The call of three hops: only the customer starts it, the others pass it on for whoever called them.
  { from: spiffeId('customer'), to: spiffeId('gateway'), scopes: ['gateway.order'], delegation: false },
  { from: spiffeId('gateway'), to: spiffeId('orders'), scopes: ['orders.write'], delegation: { scopes: ['orders.write'] } },
  { from: spiffeId('orders'), to: spiffeId('payments'), scopes: ['payments.charge'], delegation: { scopes: ['payments.charge'] } },
  // Customers look at an order through a token that is dead two seconds later.
  { from: spiffeId('customer'), to: spiffeId('orders'), scopes: ['orders.read'], max_life: '2s', delegation: false },
  // The back office watches, and changes nothing.
  { from: spiffeId('backoffice'), to: spiffeId('orders'), scopes: ['orders.read'], delegation: false },
  { from: spiffeId('backoffice'), to: spiffeId('payments'), scopes: ['payments.watch'], delegation: false },
  { from: spiffeId('operator'), to: spiffeId('token-exchange'), scopes: ['admin.read', 'admin.revoke'], delegation: false },
];

/**
 * Writes settings as YAML: nested objects in block style, each item of a list on a line of its own in flow style, which is JSON. Members that
 * are `undefined` are left out.
 */
export function formatYaml(settings: object, indent = ''): string {
  return Object.entries(settings)
    .map(([name, value]: [string, unknown]) => {
      if (value === undefined) return '';
      if (Array.isArray(value)) return `${indent}${name}:\n${value.map((item) => `${indent}  - ${JSON.stringify(item)}\n`).join('')}`;
      if (typeof value === 'object' && value !== null) return `${indent}${name}:\n${formatYaml(value, `${indent}  `)}`;
      return `${indent}${name}: ${JSON.stringify(value)}\n`;
    })
    .join('');
}
