import type { MethodClass } from './history.ts';

/** What a verifier's process is told, as JSON in its one argument. */
export interface VerifierOptions {
  /** Ports of this machine through which it reaches token-exchange and NATS. */
  readonly tokenExchange: number;
  readonly nats: number;
  /** With the files of the mesh. */
  readonly directory: string;
  readonly staleAfterMs: number;
  readonly graceMs: number;
  /** How it takes revocations: `real`, or as one of the designs that must not hold. */
  readonly design: Design;
}

/**
 * - `real`: a mesh, as every service has one.
 * - `plain`: a subscription to the events on NATS whose targets go into a set; always current in its own eyes.
 * - `receipt`: the real feed, fresh whenever it received any genuine checkpoint within S.
 */
export type Design = 'real' | 'plain' | 'receipt';

/** What a verifier serves: for each class a unary method, and a stream of its own `referenceMs`. */
const trialService = 'trial.v1.Trial';
const methods = {
  critical: { unary: 'CriticalCall', stream: 'CriticalStream' },
  standard: { unary: 'StandardCall', stream: 'StandardStream' },
};
const classes = ['critical', 'standard'] as const satisfies readonly MethodClass[];

/** How often a stream says that it lives. */
export const aliveEveryMs = 25;

const asIs = (bytes: Buffer) => bytes;
const codec = { requestSerialize: asIs, requestDeserialize: asIs, responseSerialize: asIs, responseDeserialize: asIs };

/** Full names of the two methods of a class. */
export function trialPaths(of: MethodClass): { readonly unary: string; readonly stream: string } {
  return { unary: `/${trialService}/${methods[of].unary}`, stream: `/${trialService}/${methods[of].stream}` };
}

/** The service as gRPC describes it: messages are bytes. */
export const trialDefinition = Object.fromEntries(
  classes.flatMap((of) => [
    [methods[of].unary, { path: trialPaths(of).unary, requestStream: false, responseStream: false, ...codec }],
    [methods[of].stream, { path: trialPaths(of).stream, requestStream: false, responseStream: true, ...codec }],
  ]),
);

/** What its methods need of their callers, for `accessRules`. */
export const trialRules = Object.fromEntries(
  classes.flatMap((of) => {
    const rule = { scopes: ['payments.charge'], class: of === 'critical' ? 'METHOD_CLASS_CRITICAL' : 'METHOD_CLASS_STANDARD' } as const;
    return [methods[of].unary, methods[of].stream].map((name) => [name, rule]);
  }),
);
