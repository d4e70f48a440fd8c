import type { PackageDefinition } from '@grpc/proto-loader';
import type { ProtoGrpcType as AdminTypes } from './gen/admin.ts';
import members from './gen/members.json' with { type: 'json' };
import type { ProtoGrpcType as FeedTypes } from './gen/revocation_feed.ts';
import type { ProtoGrpcType as RpcTypes } from './gen/status.ts';
import type { ProtoGrpcType as StreamCredentialTypes } from './gen/stream_credential.ts';
import type { ProtoGrpcType as ExchangeTypes } from './gen/token_exchange.ts';
import parsed from './gen/tokenmesh.json' with { type: 'json' };
import { definePackage, grpcObject } from './load.ts';

type Loaded = AdminTypes & FeedTypes & RpcTypes & StreamCredentialTypes & ExchangeTypes;

let whole: PackageDefinition | undefined;

/** The definition of `tokenmesh.v1` and `google.rpc`, made when it is first asked for: what token-exchange is served from, and its access rules read. */
export function tokenmeshPackage(): PackageDefinition {
  whole ??= definePackage(parsed);
  return whole;
}

const loaded = grpcObject<Loaded>(definePackage(members));

/**
 * Client constructors and service definitions of `tokenmesh.v1`. `Admin` and its messages, half of all, are defined when one of them is first looked at:
 * most processes do not administer, and would start later.
 */
export const tokenmesh: Loaded['tokenmesh']['v1'] = loaded.tokenmesh.v1;

let administration: Loaded['tokenmesh']['v1'] | undefined;
for (const name of Object.keys(parsed.nested.tokenmesh.nested.v1.nested)) {
  if (name in tokenmesh) continue;
  Object.defineProperty(tokenmesh, name, {
    enumerable: true,
    get() {
      administration ??= grpcObject<Loaded>(tokenmeshPackage()).tokenmesh.v1;
      return Reflect.get(administration, name);
    },
  });
}

/** Message types of `google.rpc`, for error details. */
export const googleRpc: Loaded['google']['rpc'] = loaded.google.rpc;

export type { AnyDefinition, MethodDefinition, PackageDefinition } from '@grpc/proto-loader';
export type { ErrorInfo__Output as ErrorInfo } from './gen/google/rpc/ErrorInfo.ts';
export type { RetryInfo__Output as RetryInfo } from './gen/google/rpc/RetryInfo.ts';
export type { AccessRule } from './gen/tokenmesh/v1/AccessRule.ts';
export type { Acknowledgement } from './gen/tokenmesh/v1/Acknowledgement.ts';
export type { AdminClient, AdminHandlers } from './gen/tokenmesh/v1/Admin.ts';
export type { AuditEvent as AuditEventMessage } from './gen/tokenmesh/v1/AuditEvent.ts';
export type { BindingEvidence__Output as BindingEvidence } from './gen/tokenmesh/v1/BindingEvidence.ts';
export type { ExchangeTokenRequest__Output as ExchangeTokenRequest } from './gen/tokenmesh/v1/ExchangeTokenRequest.ts';
export type { ExchangeTokenResponse__Output as ExchangeTokenResponse } from './gen/tokenmesh/v1/ExchangeTokenResponse.ts';
export type { ExchangeTokensRequest__Output as ExchangeTokensRequest } from './gen/tokenmesh/v1/ExchangeTokensRequest.ts';
export type { ExchangeTokensResponse } from './gen/tokenmesh/v1/ExchangeTokensResponse.ts';
export type { FeedKey } from './gen/tokenmesh/v1/FeedKey.ts';
export type { GetJwksResponse } from './gen/tokenmesh/v1/GetJwksResponse.ts';
export type { GetMetadataResponse } from './gen/tokenmesh/v1/GetMetadataResponse.ts';
export type { GetSnapshotResponse } from './gen/tokenmesh/v1/GetSnapshotResponse.ts';
export type { IntrospectTokenRequest__Output as IntrospectTokenRequest } from './gen/tokenmesh/v1/IntrospectTokenRequest.ts';
export type {
  IntrospectTokenResponse,
  IntrospectTokenResponse__Output as IntrospectionAnswer,
} from './gen/tokenmesh/v1/IntrospectTokenResponse.ts';
export type { Jwk } from './gen/tokenmesh/v1/Jwk.ts';
export type { ReportedAccessRule } from './gen/tokenmesh/v1/ReportedAccessRule.ts';
export type { RevocationFeedClient, RevocationFeedHandlers } from './gen/tokenmesh/v1/RevocationFeed.ts';
export type { RevokeTokenRequest__Output as RevokeTokenRequest } from './gen/tokenmesh/v1/RevokeTokenRequest.ts';
export type { ServedMethods__Output as ServedMethods } from './gen/tokenmesh/v1/ServedMethods.ts';
export type { SimulateRequest__Output as SimulateRequest } from './gen/tokenmesh/v1/SimulateRequest.ts';
export type { SimulateResponse } from './gen/tokenmesh/v1/SimulateResponse.ts';
export type { StreamCredentialClient, StreamCredentialHandlers } from './gen/tokenmesh/v1/StreamCredential.ts';
export type { SyncRequest__Output as SyncRequest } from './gen/tokenmesh/v1/SyncRequest.ts';
export type { SyncResponse } from './gen/tokenmesh/v1/SyncResponse.ts';
export type { TokenExchangeClient, TokenExchangeHandlers } from './gen/tokenmesh/v1/TokenExchange.ts';
export type { VerifierReport__Output as VerifierReport } from './gen/tokenmesh/v1/VerifierReport.ts';
export type { WatchEventsRequest__Output as WatchEventsRequest } from './gen/tokenmesh/v1/WatchEventsRequest.ts';
export type { WatchEventsResponse } from './gen/tokenmesh/v1/WatchEventsResponse.ts';
export { grpcObject, loadProto } from './load.ts';
export { loadOptions, protoRoot } from './options.ts';
