import { examineIssuer, type IssuerExamination } from './examine-issuer.ts';
import { examineNats, type NatsExamination } from './examine-nats.ts';
import type { Finding } from './finding.ts';
import { withTlsThatIs } from './nats-tls.ts';

/** What is looked at; what is absent is not. */
export interface Examination {
  readonly nats?: NatsExamination | undefined;
  readonly tokenExchange?: IssuerExamination | undefined;
}

/**
 * Makes all checks, one after the other, and hands each out as soon as it is made. Changes nothing: neither at NATS nor at token-exchange, where
 * it obtains a token and does not appear as a verifier.
 *
 * Never throws: what cannot be looked at is `skipped`, with the reason.
 */
export async function* examine({ nats: given, tokenExchange }: Examination): AsyncGenerator<Finding> {
  const nats = given && (await withTlsThatIs(given));
  if (nats) yield* examineNats(nats);
  if (tokenExchange) yield* examineIssuer(tokenExchange, nats);
}
