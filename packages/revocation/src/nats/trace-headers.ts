import { headers, type Msg, type MsgHdrs } from 'nats';

const name = 'traceparent';

/** The headers of a message that say which span published it (W3C Trace Context). */
export function traceHeaders(traceparent: string): MsgHdrs {
  const trace = headers();
  trace.set(name, traceparent);
  return trace;
}

/**
 * What a message's headers say of it when that is asked for: not signed, and any text. `undefined` when they say nothing or cannot be read. They may have a
 * MiB, and asking is what parses them: ask about a message whose content was verified.
 */
export function traceparentOf(message: Msg): () => string | undefined {
  return () => {
    try {
      return message.headers?.get(name) || undefined;
    } catch {
      return undefined; // the library throws where they are none
    }
  };
}
