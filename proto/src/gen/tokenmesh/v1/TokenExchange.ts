// Original file: tokenmesh/v1/token_exchange.proto

import type * as grpc from '@grpc/grpc-js'
import type { MethodDefinition } from '@grpc/proto-loader'
import type { ExchangeTokenRequest as _tokenmesh_v1_ExchangeTokenRequest, ExchangeTokenRequest__Output as _tokenmesh_v1_ExchangeTokenRequest__Output } from '../../tokenmesh/v1/ExchangeTokenRequest.ts';
import type { ExchangeTokenResponse as _tokenmesh_v1_ExchangeTokenResponse, ExchangeTokenResponse__Output as _tokenmesh_v1_ExchangeTokenResponse__Output } from '../../tokenmesh/v1/ExchangeTokenResponse.ts';
import type { ExchangeTokensRequest as _tokenmesh_v1_ExchangeTokensRequest, ExchangeTokensRequest__Output as _tokenmesh_v1_ExchangeTokensRequest__Output } from '../../tokenmesh/v1/ExchangeTokensRequest.ts';
import type { ExchangeTokensResponse as _tokenmesh_v1_ExchangeTokensResponse, ExchangeTokensResponse__Output as _tokenmesh_v1_ExchangeTokensResponse__Output } from '../../tokenmesh/v1/ExchangeTokensResponse.ts';
import type { GetJwksRequest as _tokenmesh_v1_GetJwksRequest, GetJwksRequest__Output as _tokenmesh_v1_GetJwksRequest__Output } from '../../tokenmesh/v1/GetJwksRequest.ts';
import type { GetJwksResponse as _tokenmesh_v1_GetJwksResponse, GetJwksResponse__Output as _tokenmesh_v1_GetJwksResponse__Output } from '../../tokenmesh/v1/GetJwksResponse.ts';
import type { GetMetadataRequest as _tokenmesh_v1_GetMetadataRequest, GetMetadataRequest__Output as _tokenmesh_v1_GetMetadataRequest__Output } from '../../tokenmesh/v1/GetMetadataRequest.ts';
import type { GetMetadataResponse as _tokenmesh_v1_GetMetadataResponse, GetMetadataResponse__Output as _tokenmesh_v1_GetMetadataResponse__Output } from '../../tokenmesh/v1/GetMetadataResponse.ts';
import type { IntrospectTokenRequest as _tokenmesh_v1_IntrospectTokenRequest, IntrospectTokenRequest__Output as _tokenmesh_v1_IntrospectTokenRequest__Output } from '../../tokenmesh/v1/IntrospectTokenRequest.ts';
import type { IntrospectTokenResponse as _tokenmesh_v1_IntrospectTokenResponse, IntrospectTokenResponse__Output as _tokenmesh_v1_IntrospectTokenResponse__Output } from '../../tokenmesh/v1/IntrospectTokenResponse.ts';
import type { RevokeTokenRequest as _tokenmesh_v1_RevokeTokenRequest, RevokeTokenRequest__Output as _tokenmesh_v1_RevokeTokenRequest__Output } from '../../tokenmesh/v1/RevokeTokenRequest.ts';
import type { RevokeTokenResponse as _tokenmesh_v1_RevokeTokenResponse, RevokeTokenResponse__Output as _tokenmesh_v1_RevokeTokenResponse__Output } from '../../tokenmesh/v1/RevokeTokenResponse.ts';

/**
 * Security token service (RFC 8693) over gRPC. Fields are the RFCs' parameter names. The methods are `public` to the interceptor because
 * the client authenticates with parameters inside the message (RFC 6749 section 2.3, RFC 7521 section 4.2), as OAuth clients do.
 */
export interface TokenExchangeClient extends grpc.Client {
  /**
   * Issues a token for exactly one audience.
   */
  ExchangeToken(argument: _tokenmesh_v1_ExchangeTokenRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_tokenmesh_v1_ExchangeTokenResponse__Output>): grpc.ClientUnaryCall;
  ExchangeToken(argument: _tokenmesh_v1_ExchangeTokenRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_tokenmesh_v1_ExchangeTokenResponse__Output>): grpc.ClientUnaryCall;
  ExchangeToken(argument: _tokenmesh_v1_ExchangeTokenRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_tokenmesh_v1_ExchangeTokenResponse__Output>): grpc.ClientUnaryCall;
  ExchangeToken(argument: _tokenmesh_v1_ExchangeTokenRequest, callback: grpc.requestCallback<_tokenmesh_v1_ExchangeTokenResponse__Output>): grpc.ClientUnaryCall;
  /**
   * Issues a token for exactly one audience.
   */
  exchangeToken(argument: _tokenmesh_v1_ExchangeTokenRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_tokenmesh_v1_ExchangeTokenResponse__Output>): grpc.ClientUnaryCall;
  exchangeToken(argument: _tokenmesh_v1_ExchangeTokenRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_tokenmesh_v1_ExchangeTokenResponse__Output>): grpc.ClientUnaryCall;
  exchangeToken(argument: _tokenmesh_v1_ExchangeTokenRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_tokenmesh_v1_ExchangeTokenResponse__Output>): grpc.ClientUnaryCall;
  exchangeToken(argument: _tokenmesh_v1_ExchangeTokenRequest, callback: grpc.requestCallback<_tokenmesh_v1_ExchangeTokenResponse__Output>): grpc.ClientUnaryCall;

  /**
   * Several at once, as a service needs them when it starts: one client authentication, and each judged and answered on its own (ours).
   */
  ExchangeTokens(argument: _tokenmesh_v1_ExchangeTokensRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_tokenmesh_v1_ExchangeTokensResponse__Output>): grpc.ClientUnaryCall;
  ExchangeTokens(argument: _tokenmesh_v1_ExchangeTokensRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_tokenmesh_v1_ExchangeTokensResponse__Output>): grpc.ClientUnaryCall;
  ExchangeTokens(argument: _tokenmesh_v1_ExchangeTokensRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_tokenmesh_v1_ExchangeTokensResponse__Output>): grpc.ClientUnaryCall;
  ExchangeTokens(argument: _tokenmesh_v1_ExchangeTokensRequest, callback: grpc.requestCallback<_tokenmesh_v1_ExchangeTokensResponse__Output>): grpc.ClientUnaryCall;
  /**
   * Several at once, as a service needs them when it starts: one client authentication, and each judged and answered on its own (ours).
   */
  exchangeTokens(argument: _tokenmesh_v1_ExchangeTokensRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_tokenmesh_v1_ExchangeTokensResponse__Output>): grpc.ClientUnaryCall;
  exchangeTokens(argument: _tokenmesh_v1_ExchangeTokensRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_tokenmesh_v1_ExchangeTokensResponse__Output>): grpc.ClientUnaryCall;
  exchangeTokens(argument: _tokenmesh_v1_ExchangeTokensRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_tokenmesh_v1_ExchangeTokensResponse__Output>): grpc.ClientUnaryCall;
  exchangeTokens(argument: _tokenmesh_v1_ExchangeTokensRequest, callback: grpc.requestCallback<_tokenmesh_v1_ExchangeTokensResponse__Output>): grpc.ClientUnaryCall;

  /**
   * RFC 7517. The keys that verify service tokens.
   */
  GetJwks(argument: _tokenmesh_v1_GetJwksRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_tokenmesh_v1_GetJwksResponse__Output>): grpc.ClientUnaryCall;
  GetJwks(argument: _tokenmesh_v1_GetJwksRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_tokenmesh_v1_GetJwksResponse__Output>): grpc.ClientUnaryCall;
  GetJwks(argument: _tokenmesh_v1_GetJwksRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_tokenmesh_v1_GetJwksResponse__Output>): grpc.ClientUnaryCall;
  GetJwks(argument: _tokenmesh_v1_GetJwksRequest, callback: grpc.requestCallback<_tokenmesh_v1_GetJwksResponse__Output>): grpc.ClientUnaryCall;
  /**
   * RFC 7517. The keys that verify service tokens.
   */
  getJwks(argument: _tokenmesh_v1_GetJwksRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_tokenmesh_v1_GetJwksResponse__Output>): grpc.ClientUnaryCall;
  getJwks(argument: _tokenmesh_v1_GetJwksRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_tokenmesh_v1_GetJwksResponse__Output>): grpc.ClientUnaryCall;
  getJwks(argument: _tokenmesh_v1_GetJwksRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_tokenmesh_v1_GetJwksResponse__Output>): grpc.ClientUnaryCall;
  getJwks(argument: _tokenmesh_v1_GetJwksRequest, callback: grpc.requestCallback<_tokenmesh_v1_GetJwksResponse__Output>): grpc.ClientUnaryCall;

  /**
   * RFC 8414.
   */
  GetMetadata(argument: _tokenmesh_v1_GetMetadataRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_tokenmesh_v1_GetMetadataResponse__Output>): grpc.ClientUnaryCall;
  GetMetadata(argument: _tokenmesh_v1_GetMetadataRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_tokenmesh_v1_GetMetadataResponse__Output>): grpc.ClientUnaryCall;
  GetMetadata(argument: _tokenmesh_v1_GetMetadataRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_tokenmesh_v1_GetMetadataResponse__Output>): grpc.ClientUnaryCall;
  GetMetadata(argument: _tokenmesh_v1_GetMetadataRequest, callback: grpc.requestCallback<_tokenmesh_v1_GetMetadataResponse__Output>): grpc.ClientUnaryCall;
  /**
   * RFC 8414.
   */
  getMetadata(argument: _tokenmesh_v1_GetMetadataRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_tokenmesh_v1_GetMetadataResponse__Output>): grpc.ClientUnaryCall;
  getMetadata(argument: _tokenmesh_v1_GetMetadataRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_tokenmesh_v1_GetMetadataResponse__Output>): grpc.ClientUnaryCall;
  getMetadata(argument: _tokenmesh_v1_GetMetadataRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_tokenmesh_v1_GetMetadataResponse__Output>): grpc.ClientUnaryCall;
  getMetadata(argument: _tokenmesh_v1_GetMetadataRequest, callback: grpc.requestCallback<_tokenmesh_v1_GetMetadataResponse__Output>): grpc.ClientUnaryCall;

  /**
   * RFC 7662. A token that the client may not know about is answered `active: false`.
   */
  IntrospectToken(argument: _tokenmesh_v1_IntrospectTokenRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_tokenmesh_v1_IntrospectTokenResponse__Output>): grpc.ClientUnaryCall;
  IntrospectToken(argument: _tokenmesh_v1_IntrospectTokenRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_tokenmesh_v1_IntrospectTokenResponse__Output>): grpc.ClientUnaryCall;
  IntrospectToken(argument: _tokenmesh_v1_IntrospectTokenRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_tokenmesh_v1_IntrospectTokenResponse__Output>): grpc.ClientUnaryCall;
  IntrospectToken(argument: _tokenmesh_v1_IntrospectTokenRequest, callback: grpc.requestCallback<_tokenmesh_v1_IntrospectTokenResponse__Output>): grpc.ClientUnaryCall;
  /**
   * RFC 7662. A token that the client may not know about is answered `active: false`.
   */
  introspectToken(argument: _tokenmesh_v1_IntrospectTokenRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_tokenmesh_v1_IntrospectTokenResponse__Output>): grpc.ClientUnaryCall;
  introspectToken(argument: _tokenmesh_v1_IntrospectTokenRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_tokenmesh_v1_IntrospectTokenResponse__Output>): grpc.ClientUnaryCall;
  introspectToken(argument: _tokenmesh_v1_IntrospectTokenRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_tokenmesh_v1_IntrospectTokenResponse__Output>): grpc.ClientUnaryCall;
  introspectToken(argument: _tokenmesh_v1_IntrospectTokenRequest, callback: grpc.requestCallback<_tokenmesh_v1_IntrospectTokenResponse__Output>): grpc.ClientUnaryCall;

  /**
   * RFC 7009. Revoking an unknown or already dead token succeeds.
   */
  RevokeToken(argument: _tokenmesh_v1_RevokeTokenRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_tokenmesh_v1_RevokeTokenResponse__Output>): grpc.ClientUnaryCall;
  RevokeToken(argument: _tokenmesh_v1_RevokeTokenRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_tokenmesh_v1_RevokeTokenResponse__Output>): grpc.ClientUnaryCall;
  RevokeToken(argument: _tokenmesh_v1_RevokeTokenRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_tokenmesh_v1_RevokeTokenResponse__Output>): grpc.ClientUnaryCall;
  RevokeToken(argument: _tokenmesh_v1_RevokeTokenRequest, callback: grpc.requestCallback<_tokenmesh_v1_RevokeTokenResponse__Output>): grpc.ClientUnaryCall;
  /**
   * RFC 7009. Revoking an unknown or already dead token succeeds.
   */
  revokeToken(argument: _tokenmesh_v1_RevokeTokenRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_tokenmesh_v1_RevokeTokenResponse__Output>): grpc.ClientUnaryCall;
  revokeToken(argument: _tokenmesh_v1_RevokeTokenRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_tokenmesh_v1_RevokeTokenResponse__Output>): grpc.ClientUnaryCall;
  revokeToken(argument: _tokenmesh_v1_RevokeTokenRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_tokenmesh_v1_RevokeTokenResponse__Output>): grpc.ClientUnaryCall;
  revokeToken(argument: _tokenmesh_v1_RevokeTokenRequest, callback: grpc.requestCallback<_tokenmesh_v1_RevokeTokenResponse__Output>): grpc.ClientUnaryCall;

}

/**
 * Security token service (RFC 8693) over gRPC. Fields are the RFCs' parameter names. The methods are `public` to the interceptor because
 * the client authenticates with parameters inside the message (RFC 6749 section 2.3, RFC 7521 section 4.2), as OAuth clients do.
 */
export interface TokenExchangeHandlers extends grpc.UntypedServiceImplementation {
  /**
   * Issues a token for exactly one audience.
   */
  ExchangeToken: grpc.handleUnaryCall<_tokenmesh_v1_ExchangeTokenRequest__Output, _tokenmesh_v1_ExchangeTokenResponse>;

  /**
   * Several at once, as a service needs them when it starts: one client authentication, and each judged and answered on its own (ours).
   */
  ExchangeTokens: grpc.handleUnaryCall<_tokenmesh_v1_ExchangeTokensRequest__Output, _tokenmesh_v1_ExchangeTokensResponse>;

  /**
   * RFC 7517. The keys that verify service tokens.
   */
  GetJwks: grpc.handleUnaryCall<_tokenmesh_v1_GetJwksRequest__Output, _tokenmesh_v1_GetJwksResponse>;

  /**
   * RFC 8414.
   */
  GetMetadata: grpc.handleUnaryCall<_tokenmesh_v1_GetMetadataRequest__Output, _tokenmesh_v1_GetMetadataResponse>;

  /**
   * RFC 7662. A token that the client may not know about is answered `active: false`.
   */
  IntrospectToken: grpc.handleUnaryCall<_tokenmesh_v1_IntrospectTokenRequest__Output, _tokenmesh_v1_IntrospectTokenResponse>;

  /**
   * RFC 7009. Revoking an unknown or already dead token succeeds.
   */
  RevokeToken: grpc.handleUnaryCall<_tokenmesh_v1_RevokeTokenRequest__Output, _tokenmesh_v1_RevokeTokenResponse>;

}

export interface TokenExchangeDefinition extends grpc.ServiceDefinition {
  ExchangeToken: MethodDefinition<_tokenmesh_v1_ExchangeTokenRequest, _tokenmesh_v1_ExchangeTokenResponse, _tokenmesh_v1_ExchangeTokenRequest__Output, _tokenmesh_v1_ExchangeTokenResponse__Output>
  ExchangeTokens: MethodDefinition<_tokenmesh_v1_ExchangeTokensRequest, _tokenmesh_v1_ExchangeTokensResponse, _tokenmesh_v1_ExchangeTokensRequest__Output, _tokenmesh_v1_ExchangeTokensResponse__Output>
  GetJwks: MethodDefinition<_tokenmesh_v1_GetJwksRequest, _tokenmesh_v1_GetJwksResponse, _tokenmesh_v1_GetJwksRequest__Output, _tokenmesh_v1_GetJwksResponse__Output>
  GetMetadata: MethodDefinition<_tokenmesh_v1_GetMetadataRequest, _tokenmesh_v1_GetMetadataResponse, _tokenmesh_v1_GetMetadataRequest__Output, _tokenmesh_v1_GetMetadataResponse__Output>
  IntrospectToken: MethodDefinition<_tokenmesh_v1_IntrospectTokenRequest, _tokenmesh_v1_IntrospectTokenResponse, _tokenmesh_v1_IntrospectTokenRequest__Output, _tokenmesh_v1_IntrospectTokenResponse__Output>
  RevokeToken: MethodDefinition<_tokenmesh_v1_RevokeTokenRequest, _tokenmesh_v1_RevokeTokenResponse, _tokenmesh_v1_RevokeTokenRequest__Output, _tokenmesh_v1_RevokeTokenResponse__Output>
}
