import { nkeys } from 'nats';

/** A user of NATS: what its configuration names it by, and what it proves itself with. */
export interface Nkey {
  /** `U…`, for the server's configuration. */
  readonly publicKey: string;
  /** `SU…`, a secret. */
  readonly seed: string;
}

/** Makes a new user's key pair (Ed25519). */
export function createNkey(): Nkey {
  const user = nkeys.createUser();
  return { publicKey: user.getPublicKey(), seed: new TextDecoder().decode(user.getSeed()) };
}
