import {
  type ChannelCredentials,
  Client,
  type ClientOptions,
  type ClientReadableStream,
  type Metadata,
  type MethodDefinition,
  type ServerDuplexStream,
  type ServerReadableStream,
  type ServerUnaryCall,
  type ServerWritableStream,
  type ServiceDefinition,
  type ServiceError,
  type sendUnaryData,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';

/** The four kinds of call, as methods of a service whose messages are bytes. */
export const callKinds = ['Unary', 'ClientStream', 'ServerStream', 'Bidi'] as const;
export type CallKind = (typeof callKinds)[number];

/** A service with one method of each kind. */
export function fourKinds(service: string): ServiceDefinition {
  const asIs = (bytes: Buffer) => bytes;
  const method = (kind: CallKind): MethodDefinition<Buffer, Buffer> => ({
    path: `/${service}/${kind}`,
    requestStream: kind === 'ClientStream' || kind === 'Bidi',
    responseStream: kind === 'ServerStream' || kind === 'Bidi',
    ...{ requestSerialize: asIs, requestDeserialize: asIs, responseSerialize: asIs, responseDeserialize: asIs },
  });
  return Object.fromEntries(callKinds.map((kind) => [kind, method(kind)]));
}

/** The same rule for each of the four, for `accessRules`. */
export function everyKind<Rule>(rule: Rule): Readonly<Record<CallKind, Rule>> {
  return { Unary: rule, ClientStream: rule, ServerStream: rule, Bidi: rule };
}

type AnyCall = { readonly metadata: ServerUnaryCall<Buffer, Buffer>['metadata'] };

/**
 * Handlers that answer with the bytes that they were sent.
 *
 * @param onEntered Told of each call that reached its handler.
 */
export function fourKindsHandlers(onEntered: (kind: CallKind, call: AnyCall) => void): UntypedServiceImplementation {
  return {
    Unary(call: ServerUnaryCall<Buffer, Buffer>, callback: sendUnaryData<Buffer>) {
      onEntered('Unary', call);
      callback(null, call.request);
    },
    ClientStream(call: ServerReadableStream<Buffer, Buffer>, callback: sendUnaryData<Buffer>) {
      onEntered('ClientStream', call);
      const received: Buffer[] = [];
      call.on('data', (bytes: Buffer) => received.push(bytes)).on('end', () => callback(null, Buffer.concat(received)));
    },
    ServerStream(call: ServerWritableStream<Buffer, Buffer>) {
      onEntered('ServerStream', call);
      call.write(call.request);
      call.end();
    },
    Bidi(call: ServerDuplexStream<Buffer, Buffer>) {
      onEntered('Bidi', call);
      call.on('data', (bytes: Buffer) => call.write(bytes)).on('end', () => call.end());
    },
  };
}

/** How a call ended. */
export interface CallOutcome {
  /** Absent: OK. */
  readonly error?: ServiceError;
  readonly messages: readonly Buffer[];
}

/** A client of any service of four kinds, with nothing but what it is given. */
export interface FourKindsClient {
  /** Sends one message, and resolves when the call is over. */
  call(path: string, message: Buffer, metadata: Metadata): Promise<CallOutcome>;
  close(): void;
}

export function fourKindsClient(address: string, credentials: ChannelCredentials, options: ClientOptions = {}): FourKindsClient {
  const client = new Client(address, credentials, { 'grpc.enable_http_proxy': 0, ...options });
  const asIs = (bytes: Buffer) => bytes;
  return {
    call(path, message, metadata) {
      const kind = path.slice(path.lastIndexOf('/') + 1);
      return new Promise((resolve) => {
        const messages: Buffer[] = [];
        const end = (error?: ServiceError | null) => resolve({ messages, ...(error && { error }) });
        const answer = (error: ServiceError | null, value?: Buffer) => {
          if (value) messages.push(value);
          end(error);
        };
        if (kind === 'Unary') {
          client.makeUnaryRequest(path, asIs, asIs, message, metadata, answer);
        } else if (kind === 'ClientStream') {
          const call = client.makeClientStreamRequest(path, asIs, asIs, metadata, answer);
          call.on('error', () => {}); // the callback has it
          call.end(message);
        } else {
          const receive = (call: ClientReadableStream<Buffer>) =>
            call
              .on('data', (bytes: Buffer) => messages.push(bytes))
              .on('error', end)
              .on('end', () => end());
          if (kind === 'ServerStream') {
            receive(client.makeServerStreamRequest(path, asIs, asIs, message, metadata));
          } else {
            const call = client.makeBidiStreamRequest(path, asIs, asIs, metadata);
            receive(call);
            call.end(message);
          }
        }
      });
    },
    close: () => client.close(),
  };
}
