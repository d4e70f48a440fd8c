import { AssertionError } from 'node:assert';
import { EventEmitter } from 'node:events';
import { type Metadata, status } from '@grpc/grpc-js';
import { type Reason, TokenError } from '@tokenmesh/token';
import { type Refusal, refusalOf, refusalStatus } from '../status.ts';

/** A refusal as the caller received it, and the gRPC status that it came with. */
export interface ReceivedRefusal extends Refusal {
  readonly code: status;
}

/**
 * A call that is expected to be refused: its promise, a function that makes it, its error, or a stream of a client, which is read and thrown away.
 */
export type RefusableCall = PromiseLike<unknown> | (() => unknown) | Error | EventEmitter;

/** How a call ended. */
export type CallOutcome = { readonly refusal: ReceivedRefusal } | { readonly refusal: undefined; readonly text: string };

/**
 * The refusal that a call ends with; waits until it does.
 *
 * @throws {AssertionError} When it ends otherwise: well, or with an error that is no refusal of the mesh.
 */
export async function refusal(call: RefusableCall): Promise<ReceivedRefusal> {
  const outcome = await outcomeOf(call);
  if (outcome.refusal) return outcome.refusal;
  throw new AssertionError({ message: `expected the call to be refused, but it ${outcome.text}` });
}

/**
 * Asserts that a call is refused, for this reason when one is given.
 *
 * @throws {AssertionError} When it is not, or for another reason.
 */
export async function assertRefused(call: RefusableCall, reason?: Reason): Promise<void> {
  const { reason: actual } = await refusal(call);
  if (reason === undefined || actual === reason) return;
  const message = `expected the call to be refused for ${reason}, but it was for ${actual}`;
  throw new AssertionError({ message, actual, expected: reason, operator: 'assertRefused' });
}

/** How a call ends; waits until it does. Never throws. */
export async function outcomeOf(call: unknown): Promise<CallOutcome> {
  try {
    const called: unknown = typeof call === 'function' ? call() : call;
    if (called instanceof EventEmitter) return outcomeOfError(await statusOf(called));
    if (Error.isError(called)) return outcomeOfError(called);
    await called;
    return { refusal: undefined, text: 'succeeded' };
  } catch (error) {
    return outcomeOfError(error);
  }
}

function outcomeOfError(error: unknown): CallOutcome {
  if (error instanceof TokenError) {
    const received = refusalStatus(error.reason);
    const read = refusalOf(received);
    if (read) return { refusal: { ...read, code: received.code } };
  }
  if (!hasStatus(error))
    return { refusal: undefined, text: `failed with ${Error.isError(error) ? error.name : typeof error}, which is no status` };
  const read = refusalOf(error);
  if (read) return { refusal: { ...read, code: error.code } };
  if (error.code === status.OK) return { refusal: undefined, text: 'succeeded' };
  return { refusal: undefined, text: `ended with ${status[error.code]}: ${error.details}, which is no refusal of the mesh` };
}

interface StatusLike {
  readonly code: status;
  readonly details: string;
  readonly metadata?: Metadata;
}

function hasStatus(error: unknown): error is StatusLike {
  return typeof error === 'object' && error !== null && 'code' in error && typeof error.code === 'number' && error.code in status;
}

/** The status that a call of grpc-js ends with. It comes after the last message was read. */
function statusOf(call: EventEmitter): Promise<unknown> {
  return new Promise((resolve) => {
    call.on('error', () => {}); // the status says the same, with trailers
    call.on('data', () => {});
    call.once('status', resolve);
  });
}
