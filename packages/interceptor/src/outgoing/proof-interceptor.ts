import { CallCredentials, InterceptingCall, type Interceptor, type InterceptorOptions, Metadata } from '@grpc/grpc-js';
import type { DpopSigner } from './dpop-signer.ts';

/** Whom the proofs of a client are for. */
export interface ProofAudience {
  readonly signer: DpopSigner;
  /** Identity of the called service. */
  readonly audience: string;
  /** Its host, and port where that is not 443. */
  readonly authority: string;
}

/**
 * Proves with calls that ask for tokens which key those are to be bound to (RFC 9449 section 5), and keeps the nonces that come back. A proof is made in call
 * credentials, which grpc-js runs once per attempt.
 *
 * @param methods Full names of the methods that take a proof; the others go without.
 */
export function proofInterceptor({ signer, audience, authority }: ProofAudience, methods: readonly string[]): Interceptor {
  return (options, nextCall) => {
    const { path } = options.method_definition;
    if (!methods.includes(path)) return new InterceptingCall(nextCall(options));
    const proof = CallCredentials.createFromMetadataGenerator((_, callback) => {
      const metadata = new Metadata();
      metadata.set('dpop', signer.sign({ audience, authority, method: path }));
      callback(null, metadata);
    });
    const call = nextCall({ ...options, credentials: options.credentials?.compose(proof) ?? proof } satisfies InterceptorOptions);
    return new InterceptingCall(call, {
      start(metadata, _, next) {
        next(metadata, {
          onReceiveStatus(result, nextStatus) {
            const [nonce] = result.metadata.get('dpop-nonce');
            if (typeof nonce === 'string') signer.rememberNonce(audience, nonce);
            nextStatus(result);
          },
        });
      },
    });
  };
}
