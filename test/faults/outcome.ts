import { type ServiceError, status } from '@grpc/grpc-js';
import { refusalOf } from '@tokenmesh/interceptor';

/** What a caller knows of a call. */
export type Outcome<T> =
  | { readonly kind: 'accepted'; readonly value: T }
  | { readonly kind: 'refused'; readonly reason: string }
  /** No answer came: it may have been done or not. */
  | { readonly kind: 'lost' }
  /** An answer that no refusal of the mesh has: something is broken. */
  | { readonly kind: 'failed'; readonly status: string };

/** What became of a call of `unary`; never rejects. */
export async function outcomeOf<T>(call: Promise<T>): Promise<Outcome<T>> {
  try {
    return { kind: 'accepted', value: await call };
  } catch (error) {
    const { code } = error as ServiceError; // unary rejects with nothing else
    const refusal = refusalOf(error as ServiceError);
    if (refusal) return { kind: 'refused', reason: refusal.reason };
    if (code === status.UNAVAILABLE || code === status.CANCELLED) return { kind: 'lost' };
    return { kind: 'failed', status: status[code] ?? String(code) };
  }
}

/** One word for it, for counting and for sentences. */
export function nameOf(outcome: Outcome<unknown>): string {
  if (outcome.kind === 'refused') return outcome.reason;
  return outcome.kind === 'failed' ? `failed with ${outcome.status}` : outcome.kind;
}
