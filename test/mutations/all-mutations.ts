import { admissionAndNonceMutations } from './admission-and-nonces.ts';
import { announcedKeyMutations } from './announced-keys.ts';
import { attackMutations } from './attacks.ts';
import { attackOnCallMutations } from './attacks-on-calls.ts';
import { attackOnDoorMutations } from './attacks-on-doors.ts';
import { bindingMutations } from './binding.ts';
import { clientProofMutations } from './client-proof.ts';
import { clockMutations } from './clocks.ts';
import { compactMetadataMutations } from './compact-metadata.ts';
import { courierMutations } from './courier.ts';
import { deploymentMutations } from './deployment.ts';
import { freshnessMutations } from './freshness.ts';
import { interceptorMutations } from './interceptor.ts';
import { limitMutations } from './limits.ts';
import { logMutations } from './logs.ts';
import { metricsMutations } from './metrics.ts';
import type { Mutation } from './mutation.ts';
import { observationMutations } from './observation.ts';
import { packedRevocationMutations } from './packed-revocations.ts';
import { revocationMutations } from './revocation.ts';
import { stalenessMutations } from './staleness.ts';
import { streamAuditorMutations } from './stream-auditor.ts';
import { tokenMutations } from './token.ts';
import { tokenExchangeMutations } from './token-exchange.ts';
import { tokenExchangeClientMutations } from './token-exchange-clients.ts';
import { traceMutations } from './traces.ts';
import { verifierAndSourceMutations } from './verifier-and-source.ts';

/** Every mutation there is, from the core outwards. */
export const allMutations: readonly Mutation[] = [
  ...tokenMutations,
  ...clientProofMutations,
  ...revocationMutations,
  ...freshnessMutations,
  ...packedRevocationMutations,
  ...announcedKeyMutations,
  ...courierMutations,
  ...deploymentMutations,
  ...clockMutations,
  ...streamAuditorMutations,
  ...interceptorMutations,
  ...compactMetadataMutations,
  ...verifierAndSourceMutations,
  ...stalenessMutations,
  ...metricsMutations,
  ...observationMutations,
  ...traceMutations,
  ...logMutations,
  ...bindingMutations,
  ...limitMutations,
  ...tokenExchangeMutations,
  ...tokenExchangeClientMutations,
  ...attackMutations,
  ...attackOnDoorMutations,
  ...attackOnCallMutations,
  ...admissionAndNonceMutations,
];
