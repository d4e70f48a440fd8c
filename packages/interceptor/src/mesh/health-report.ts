import type { Freshness } from '@tokenmesh/revocation';

/** What tells others whether to send calls here, such as the `HealthImplementation` of grpc-health-check. */
export interface HealthStatuses {
  setStatus(service: string, status: 'SERVING' | 'NOT_SERVING'): void;
}

/** What of the health service this process's place in the mesh decides. */
export interface HealthReportOptions {
  /** Names of services; default `['']`, the server as a whole. */
  readonly services?: readonly string[];
  /**
   * Whether it turns NOT_SERVING, too, while revocation data are older than `maxBlindMs`, when every call is asked about at token-exchange, or
   * refused. Default false: all processes go blind at once when token-exchange and NATS are away, and who is sent nowhere finds nobody that is better.
   */
  readonly unlessBlind?: boolean;
}

/** How often the age of revocations is looked at. */
const lookEveryMs = 250;

/**
 * Keeps health statuses as they should be: SERVING once `ready` has resolved, for as long as calls can be decided.
 *
 * @returns Ends it: NOT_SERVING from then on.
 */
export function reportHealth(
  health: HealthStatuses,
  from: { readonly ready: Promise<void>; readonly freshness: () => Freshness; readonly maxBlindMs: number },
  { services = [''], unlessBlind = false }: HealthReportOptions = {},
): () => void {
  let isReady = false;
  let reported: boolean | undefined;

  function canDecide(): boolean {
    const freshness = from.freshness();
    return freshness.state !== 'empty' && !(unlessBlind && freshness.ageMs > from.maxBlindMs);
  }

  function report(isServing: boolean): void {
    if (isServing === reported) return;
    reported = isServing;
    for (const service of services) health.setStatus(service, isServing ? 'SERVING' : 'NOT_SERVING');
  }

  function look(): void {
    report(isReady && canDecide());
  }

  look();
  const timer = setInterval(look, lookEveryMs).unref();
  let ended = false;
  from.ready.then(
    () => {
      isReady = true;
      if (!ended) look();
    },
    () => {}, // whoever waits for ready() is told; who cannot obtain tokens serves nobody
  );
  return () => {
    ended = true;
    clearInterval(timer);
    report(false);
  };
}
