import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import {
  type CallCredentials,
  type InterceptingListener,
  type InterceptorOptions,
  Metadata,
  type NextCall,
  type StatusObject,
  status,
} from '@grpc/grpc-js';
import { type ContextManager, context, createContextKey, ROOT_CONTEXT } from '@opentelemetry/api';
import { shop } from '@tokenmesh/proto/shop';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { refusalOf, refusalStatus } from '../status.ts';
import { orders as ordersId } from '../test-issuer.ts';
import { bearerInterceptor } from './client-interceptor.ts';
import type { TokenSource } from './token-source.ts';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void; // which the flag makes

/** An attempt that the test answers itself: what no server can be brought to do at a certain moment. */
function attemptsByHand() {
  const listeners: Partial<InterceptingListener>[] = [];
  const nextCall: NextCall = (options) => {
    const made: CallCredentials | undefined = options.credentials;
    return {
      cancelWithStatus: () => {},
      getPeer: () => '',
      start(_, listener = {}) {
        listeners.push(listener);
        void made?.generateMetadata({ service_url: 'https://x/y', method_name: 'z' });
      },
      sendMessageWithContext: () => {},
      sendMessage: () => {},
      startRead: () => {},
      halfClose: () => {},
      getAuthContext: () => null,
    };
  };
  return { listeners, nextCall };
}

describe('bearerInterceptor', () => {
  afterEach(() => context.disable());

  let source: TokenSource;
  beforeEach(() => {
    let issued = 0;
    source = { get: () => ({ compact: `t${++issued}`, tokenType: 'Bearer', expMs: 9e15 }), drop: () => {} };
  });
  const options: InterceptorOptions = {
    method_definition: { ...shop.Orders.service.Create, requestSerialize: () => Buffer.alloc(0), responseDeserialize: () => ({}) },
  };

  it('does not repeat a call that was cancelled while its refusal was under way', () => {
    const { listeners, nextCall } = attemptsByHand();
    const ends: StatusObject[] = [];
    const call = bearerInterceptor(ordersId, source)(options, nextCall);
    call.start(new Metadata(), { onReceiveStatus: (result) => ends.push(result) });
    call.cancelWithStatus(status.CANCELLED, 'by the test');
    listeners[0]?.onReceiveStatus?.(refusalStatus('TOKEN_REVOKED'));
    expect(listeners).toHaveLength(1);
    expect(ends).toHaveLength(1);
  });

  it('does not repeat a call whose answer has begun', () => {
    const { listeners, nextCall } = attemptsByHand();
    const ends: StatusObject[] = [];
    bearerInterceptor(ordersId, source)(options, nextCall).start(new Metadata(), { onReceiveStatus: (result) => ends.push(result) });
    listeners[0]?.onReceiveMetadata?.(new Metadata());
    listeners[0]?.onReceiveStatus?.(refusalStatus('TOKEN_REVOKED'));
    expect(listeners).toHaveLength(1);
    expect(ends).toHaveLength(1);
  });

  it('ends with the refusal when the channel was closed meanwhile', () => {
    const { listeners, nextCall } = attemptsByHand();
    const ends: StatusObject[] = [];
    let closed = false;
    const untilClosed: NextCall = (given) => {
      if (closed) throw new Error('Channel has been shut down');
      return nextCall(given);
    };
    bearerInterceptor(ordersId, source)(options, untilClosed).start(new Metadata(), { onReceiveStatus: (result) => ends.push(result) });
    closed = true;
    listeners[0]?.onReceiveStatus?.(refusalStatus('TOKEN_REVOKED'));
    expect(ends.map((end) => refusalOf(end)?.reason)).toEqual(['TOKEN_REVOKED']);
  });

  it('forgets its caller with the status, so that what Node keeps of the stream does not keep it', async () => {
    const { listeners, nextCall } = attemptsByHand();
    let active = ROOT_CONTEXT;
    const manager: ContextManager = {
      active: () => active,
      with: (_, work, self, ...args) => work.call(self, ...args),
      bind: (_, target) => target,
      enable: () => manager,
      disable: () => manager,
    };
    context.setGlobalContextManager(manager);
    const start = () => {
      const [metadata, ends] = [new Metadata(), [] as StatusObject[]];
      active = ROOT_CONTEXT.setValue(createContextKey('caller'), true);
      bearerInterceptor(ordersId, source)(options, nextCall).start(metadata, { onReceiveStatus: (result) => ends.push(result) });
      const started = { metadata: new WeakRef(metadata), ends: new WeakRef(ends), context: new WeakRef(active) };
      active = ROOT_CONTEXT;
      return started;
    };
    const [over, open] = [start(), start()];
    listeners[0]?.onReceiveStatus?.({ code: status.OK, details: '', metadata: new Metadata() });
    await new Promise((resolve) => setImmediate(resolve)); // a WeakRef holds until the end of its turn
    collectGarbage();
    expect([over.metadata.deref(), over.ends.deref(), over.context.deref()]).toEqual([undefined, undefined, undefined]);
    expect([open.metadata.deref(), open.ends.deref()]).toEqual([new Metadata(), []]);
    expect(open.context.deref()).toBeDefined();
  });

  it('says once that there is no message, however often the call was attempted', () => {
    const { listeners, nextCall } = attemptsByHand();
    const said: unknown[] = [];
    bearerInterceptor(ordersId, source)(options, nextCall).start(new Metadata(), {
      onReceiveMessage: (message) => said.push(message),
      onReceiveStatus: () => said.push('status'),
    });
    for (const attempt of [0, 1]) {
      listeners[attempt]?.onReceiveMessage?.(null);
      listeners[attempt]?.onReceiveStatus?.(refusalStatus('TOKEN_REVOKED'));
    }
    expect(said).toEqual([null, 'status']);
  });
});
