import type * as grpc from '@grpc/grpc-js';
import type { EnumTypeDefinition, MessageTypeDefinition } from '@grpc/proto-loader';

import type { DescriptorProto as _google_protobuf_DescriptorProto, DescriptorProto__Output as _google_protobuf_DescriptorProto__Output } from './google/protobuf/DescriptorProto.ts';
import type { EnumDescriptorProto as _google_protobuf_EnumDescriptorProto, EnumDescriptorProto__Output as _google_protobuf_EnumDescriptorProto__Output } from './google/protobuf/EnumDescriptorProto.ts';
import type { EnumOptions as _google_protobuf_EnumOptions, EnumOptions__Output as _google_protobuf_EnumOptions__Output } from './google/protobuf/EnumOptions.ts';
import type { EnumValueDescriptorProto as _google_protobuf_EnumValueDescriptorProto, EnumValueDescriptorProto__Output as _google_protobuf_EnumValueDescriptorProto__Output } from './google/protobuf/EnumValueDescriptorProto.ts';
import type { EnumValueOptions as _google_protobuf_EnumValueOptions, EnumValueOptions__Output as _google_protobuf_EnumValueOptions__Output } from './google/protobuf/EnumValueOptions.ts';
import type { ExtensionRangeOptions as _google_protobuf_ExtensionRangeOptions, ExtensionRangeOptions__Output as _google_protobuf_ExtensionRangeOptions__Output } from './google/protobuf/ExtensionRangeOptions.ts';
import type { FeatureSet as _google_protobuf_FeatureSet, FeatureSet__Output as _google_protobuf_FeatureSet__Output } from './google/protobuf/FeatureSet.ts';
import type { FeatureSetDefaults as _google_protobuf_FeatureSetDefaults, FeatureSetDefaults__Output as _google_protobuf_FeatureSetDefaults__Output } from './google/protobuf/FeatureSetDefaults.ts';
import type { FieldDescriptorProto as _google_protobuf_FieldDescriptorProto, FieldDescriptorProto__Output as _google_protobuf_FieldDescriptorProto__Output } from './google/protobuf/FieldDescriptorProto.ts';
import type { FieldOptions as _google_protobuf_FieldOptions, FieldOptions__Output as _google_protobuf_FieldOptions__Output } from './google/protobuf/FieldOptions.ts';
import type { FileDescriptorProto as _google_protobuf_FileDescriptorProto, FileDescriptorProto__Output as _google_protobuf_FileDescriptorProto__Output } from './google/protobuf/FileDescriptorProto.ts';
import type { FileDescriptorSet as _google_protobuf_FileDescriptorSet, FileDescriptorSet__Output as _google_protobuf_FileDescriptorSet__Output } from './google/protobuf/FileDescriptorSet.ts';
import type { FileOptions as _google_protobuf_FileOptions, FileOptions__Output as _google_protobuf_FileOptions__Output } from './google/protobuf/FileOptions.ts';
import type { GeneratedCodeInfo as _google_protobuf_GeneratedCodeInfo, GeneratedCodeInfo__Output as _google_protobuf_GeneratedCodeInfo__Output } from './google/protobuf/GeneratedCodeInfo.ts';
import type { MessageOptions as _google_protobuf_MessageOptions, MessageOptions__Output as _google_protobuf_MessageOptions__Output } from './google/protobuf/MessageOptions.ts';
import type { MethodDescriptorProto as _google_protobuf_MethodDescriptorProto, MethodDescriptorProto__Output as _google_protobuf_MethodDescriptorProto__Output } from './google/protobuf/MethodDescriptorProto.ts';
import type { MethodOptions as _google_protobuf_MethodOptions, MethodOptions__Output as _google_protobuf_MethodOptions__Output } from './google/protobuf/MethodOptions.ts';
import type { OneofDescriptorProto as _google_protobuf_OneofDescriptorProto, OneofDescriptorProto__Output as _google_protobuf_OneofDescriptorProto__Output } from './google/protobuf/OneofDescriptorProto.ts';
import type { OneofOptions as _google_protobuf_OneofOptions, OneofOptions__Output as _google_protobuf_OneofOptions__Output } from './google/protobuf/OneofOptions.ts';
import type { ServiceDescriptorProto as _google_protobuf_ServiceDescriptorProto, ServiceDescriptorProto__Output as _google_protobuf_ServiceDescriptorProto__Output } from './google/protobuf/ServiceDescriptorProto.ts';
import type { ServiceOptions as _google_protobuf_ServiceOptions, ServiceOptions__Output as _google_protobuf_ServiceOptions__Output } from './google/protobuf/ServiceOptions.ts';
import type { SourceCodeInfo as _google_protobuf_SourceCodeInfo, SourceCodeInfo__Output as _google_protobuf_SourceCodeInfo__Output } from './google/protobuf/SourceCodeInfo.ts';
import type { UninterpretedOption as _google_protobuf_UninterpretedOption, UninterpretedOption__Output as _google_protobuf_UninterpretedOption__Output } from './google/protobuf/UninterpretedOption.ts';
import type { AccessRule as _tokenmesh_v1_AccessRule, AccessRule__Output as _tokenmesh_v1_AccessRule__Output } from './tokenmesh/v1/AccessRule.ts';
import type { Acknowledgement as _tokenmesh_v1_Acknowledgement, Acknowledgement__Output as _tokenmesh_v1_Acknowledgement__Output } from './tokenmesh/v1/Acknowledgement.ts';
import type { AddRevocationRequest as _tokenmesh_v1_AddRevocationRequest, AddRevocationRequest__Output as _tokenmesh_v1_AddRevocationRequest__Output } from './tokenmesh/v1/AddRevocationRequest.ts';
import type { AddRevocationResponse as _tokenmesh_v1_AddRevocationResponse, AddRevocationResponse__Output as _tokenmesh_v1_AddRevocationResponse__Output } from './tokenmesh/v1/AddRevocationResponse.ts';
import type { AdminClient as _tokenmesh_v1_AdminClient, AdminDefinition as _tokenmesh_v1_AdminDefinition } from './tokenmesh/v1/Admin.ts';
import type { AuditEvent as _tokenmesh_v1_AuditEvent, AuditEvent__Output as _tokenmesh_v1_AuditEvent__Output } from './tokenmesh/v1/AuditEvent.ts';
import type { BindingEvidence as _tokenmesh_v1_BindingEvidence, BindingEvidence__Output as _tokenmesh_v1_BindingEvidence__Output } from './tokenmesh/v1/BindingEvidence.ts';
import type { ExchangeTokenRefusal as _tokenmesh_v1_ExchangeTokenRefusal, ExchangeTokenRefusal__Output as _tokenmesh_v1_ExchangeTokenRefusal__Output } from './tokenmesh/v1/ExchangeTokenRefusal.ts';
import type { ExchangeTokenRequest as _tokenmesh_v1_ExchangeTokenRequest, ExchangeTokenRequest__Output as _tokenmesh_v1_ExchangeTokenRequest__Output } from './tokenmesh/v1/ExchangeTokenRequest.ts';
import type { ExchangeTokenResponse as _tokenmesh_v1_ExchangeTokenResponse, ExchangeTokenResponse__Output as _tokenmesh_v1_ExchangeTokenResponse__Output } from './tokenmesh/v1/ExchangeTokenResponse.ts';
import type { ExchangeTokenResult as _tokenmesh_v1_ExchangeTokenResult, ExchangeTokenResult__Output as _tokenmesh_v1_ExchangeTokenResult__Output } from './tokenmesh/v1/ExchangeTokenResult.ts';
import type { ExchangeTokensRequest as _tokenmesh_v1_ExchangeTokensRequest, ExchangeTokensRequest__Output as _tokenmesh_v1_ExchangeTokensRequest__Output } from './tokenmesh/v1/ExchangeTokensRequest.ts';
import type { ExchangeTokensResponse as _tokenmesh_v1_ExchangeTokensResponse, ExchangeTokensResponse__Output as _tokenmesh_v1_ExchangeTokensResponse__Output } from './tokenmesh/v1/ExchangeTokensResponse.ts';
import type { GetJwksRequest as _tokenmesh_v1_GetJwksRequest, GetJwksRequest__Output as _tokenmesh_v1_GetJwksRequest__Output } from './tokenmesh/v1/GetJwksRequest.ts';
import type { GetJwksResponse as _tokenmesh_v1_GetJwksResponse, GetJwksResponse__Output as _tokenmesh_v1_GetJwksResponse__Output } from './tokenmesh/v1/GetJwksResponse.ts';
import type { GetMetadataRequest as _tokenmesh_v1_GetMetadataRequest, GetMetadataRequest__Output as _tokenmesh_v1_GetMetadataRequest__Output } from './tokenmesh/v1/GetMetadataRequest.ts';
import type { GetMetadataResponse as _tokenmesh_v1_GetMetadataResponse, GetMetadataResponse__Output as _tokenmesh_v1_GetMetadataResponse__Output } from './tokenmesh/v1/GetMetadataResponse.ts';
import type { IntrospectTokenRequest as _tokenmesh_v1_IntrospectTokenRequest, IntrospectTokenRequest__Output as _tokenmesh_v1_IntrospectTokenRequest__Output } from './tokenmesh/v1/IntrospectTokenRequest.ts';
import type { IntrospectTokenResponse as _tokenmesh_v1_IntrospectTokenResponse, IntrospectTokenResponse__Output as _tokenmesh_v1_IntrospectTokenResponse__Output } from './tokenmesh/v1/IntrospectTokenResponse.ts';
import type { Jwk as _tokenmesh_v1_Jwk, Jwk__Output as _tokenmesh_v1_Jwk__Output } from './tokenmesh/v1/Jwk.ts';
import type { ListAccessRulesRequest as _tokenmesh_v1_ListAccessRulesRequest, ListAccessRulesRequest__Output as _tokenmesh_v1_ListAccessRulesRequest__Output } from './tokenmesh/v1/ListAccessRulesRequest.ts';
import type { ListAccessRulesResponse as _tokenmesh_v1_ListAccessRulesResponse, ListAccessRulesResponse__Output as _tokenmesh_v1_ListAccessRulesResponse__Output } from './tokenmesh/v1/ListAccessRulesResponse.ts';
import type { ListKeysRequest as _tokenmesh_v1_ListKeysRequest, ListKeysRequest__Output as _tokenmesh_v1_ListKeysRequest__Output } from './tokenmesh/v1/ListKeysRequest.ts';
import type { ListKeysResponse as _tokenmesh_v1_ListKeysResponse, ListKeysResponse__Output as _tokenmesh_v1_ListKeysResponse__Output } from './tokenmesh/v1/ListKeysResponse.ts';
import type { ListRevocationsRequest as _tokenmesh_v1_ListRevocationsRequest, ListRevocationsRequest__Output as _tokenmesh_v1_ListRevocationsRequest__Output } from './tokenmesh/v1/ListRevocationsRequest.ts';
import type { ListRevocationsResponse as _tokenmesh_v1_ListRevocationsResponse, ListRevocationsResponse__Output as _tokenmesh_v1_ListRevocationsResponse__Output } from './tokenmesh/v1/ListRevocationsResponse.ts';
import type { ListVerifiersRequest as _tokenmesh_v1_ListVerifiersRequest, ListVerifiersRequest__Output as _tokenmesh_v1_ListVerifiersRequest__Output } from './tokenmesh/v1/ListVerifiersRequest.ts';
import type { ListVerifiersResponse as _tokenmesh_v1_ListVerifiersResponse, ListVerifiersResponse__Output as _tokenmesh_v1_ListVerifiersResponse__Output } from './tokenmesh/v1/ListVerifiersResponse.ts';
import type { ListWorkloadsRequest as _tokenmesh_v1_ListWorkloadsRequest, ListWorkloadsRequest__Output as _tokenmesh_v1_ListWorkloadsRequest__Output } from './tokenmesh/v1/ListWorkloadsRequest.ts';
import type { ListWorkloadsResponse as _tokenmesh_v1_ListWorkloadsResponse, ListWorkloadsResponse__Output as _tokenmesh_v1_ListWorkloadsResponse__Output } from './tokenmesh/v1/ListWorkloadsResponse.ts';
import type { QueryEventsRequest as _tokenmesh_v1_QueryEventsRequest, QueryEventsRequest__Output as _tokenmesh_v1_QueryEventsRequest__Output } from './tokenmesh/v1/QueryEventsRequest.ts';
import type { QueryEventsResponse as _tokenmesh_v1_QueryEventsResponse, QueryEventsResponse__Output as _tokenmesh_v1_QueryEventsResponse__Output } from './tokenmesh/v1/QueryEventsResponse.ts';
import type { ReportedAccessRule as _tokenmesh_v1_ReportedAccessRule, ReportedAccessRule__Output as _tokenmesh_v1_ReportedAccessRule__Output } from './tokenmesh/v1/ReportedAccessRule.ts';
import type { ResumeWorkloadRequest as _tokenmesh_v1_ResumeWorkloadRequest, ResumeWorkloadRequest__Output as _tokenmesh_v1_ResumeWorkloadRequest__Output } from './tokenmesh/v1/ResumeWorkloadRequest.ts';
import type { ResumeWorkloadResponse as _tokenmesh_v1_ResumeWorkloadResponse, ResumeWorkloadResponse__Output as _tokenmesh_v1_ResumeWorkloadResponse__Output } from './tokenmesh/v1/ResumeWorkloadResponse.ts';
import type { Revocation as _tokenmesh_v1_Revocation, Revocation__Output as _tokenmesh_v1_Revocation__Output } from './tokenmesh/v1/Revocation.ts';
import type { RevocationTarget as _tokenmesh_v1_RevocationTarget, RevocationTarget__Output as _tokenmesh_v1_RevocationTarget__Output } from './tokenmesh/v1/RevocationTarget.ts';
import type { RevokeTokenRequest as _tokenmesh_v1_RevokeTokenRequest, RevokeTokenRequest__Output as _tokenmesh_v1_RevokeTokenRequest__Output } from './tokenmesh/v1/RevokeTokenRequest.ts';
import type { RevokeTokenResponse as _tokenmesh_v1_RevokeTokenResponse, RevokeTokenResponse__Output as _tokenmesh_v1_RevokeTokenResponse__Output } from './tokenmesh/v1/RevokeTokenResponse.ts';
import type { RotateKeysRequest as _tokenmesh_v1_RotateKeysRequest, RotateKeysRequest__Output as _tokenmesh_v1_RotateKeysRequest__Output } from './tokenmesh/v1/RotateKeysRequest.ts';
import type { RotateKeysResponse as _tokenmesh_v1_RotateKeysResponse, RotateKeysResponse__Output as _tokenmesh_v1_RotateKeysResponse__Output } from './tokenmesh/v1/RotateKeysResponse.ts';
import type { SigningKey as _tokenmesh_v1_SigningKey, SigningKey__Output as _tokenmesh_v1_SigningKey__Output } from './tokenmesh/v1/SigningKey.ts';
import type { SimulateRequest as _tokenmesh_v1_SimulateRequest, SimulateRequest__Output as _tokenmesh_v1_SimulateRequest__Output } from './tokenmesh/v1/SimulateRequest.ts';
import type { SimulateResponse as _tokenmesh_v1_SimulateResponse, SimulateResponse__Output as _tokenmesh_v1_SimulateResponse__Output } from './tokenmesh/v1/SimulateResponse.ts';
import type { SimulatedCall as _tokenmesh_v1_SimulatedCall, SimulatedCall__Output as _tokenmesh_v1_SimulatedCall__Output } from './tokenmesh/v1/SimulatedCall.ts';
import type { SimulatedCheck as _tokenmesh_v1_SimulatedCheck, SimulatedCheck__Output as _tokenmesh_v1_SimulatedCheck__Output } from './tokenmesh/v1/SimulatedCheck.ts';
import type { SimulatedSubject as _tokenmesh_v1_SimulatedSubject, SimulatedSubject__Output as _tokenmesh_v1_SimulatedSubject__Output } from './tokenmesh/v1/SimulatedSubject.ts';
import type { SuspendWorkloadRequest as _tokenmesh_v1_SuspendWorkloadRequest, SuspendWorkloadRequest__Output as _tokenmesh_v1_SuspendWorkloadRequest__Output } from './tokenmesh/v1/SuspendWorkloadRequest.ts';
import type { SuspendWorkloadResponse as _tokenmesh_v1_SuspendWorkloadResponse, SuspendWorkloadResponse__Output as _tokenmesh_v1_SuspendWorkloadResponse__Output } from './tokenmesh/v1/SuspendWorkloadResponse.ts';
import type { TokenExchangeClient as _tokenmesh_v1_TokenExchangeClient, TokenExchangeDefinition as _tokenmesh_v1_TokenExchangeDefinition } from './tokenmesh/v1/TokenExchange.ts';
import type { Verifier as _tokenmesh_v1_Verifier, Verifier__Output as _tokenmesh_v1_Verifier__Output } from './tokenmesh/v1/Verifier.ts';
import type { WatchEventsRequest as _tokenmesh_v1_WatchEventsRequest, WatchEventsRequest__Output as _tokenmesh_v1_WatchEventsRequest__Output } from './tokenmesh/v1/WatchEventsRequest.ts';
import type { WatchEventsResponse as _tokenmesh_v1_WatchEventsResponse, WatchEventsResponse__Output as _tokenmesh_v1_WatchEventsResponse__Output } from './tokenmesh/v1/WatchEventsResponse.ts';
import type { WithdrawKeyRequest as _tokenmesh_v1_WithdrawKeyRequest, WithdrawKeyRequest__Output as _tokenmesh_v1_WithdrawKeyRequest__Output } from './tokenmesh/v1/WithdrawKeyRequest.ts';
import type { WithdrawKeyResponse as _tokenmesh_v1_WithdrawKeyResponse, WithdrawKeyResponse__Output as _tokenmesh_v1_WithdrawKeyResponse__Output } from './tokenmesh/v1/WithdrawKeyResponse.ts';
import type { Workload as _tokenmesh_v1_Workload, Workload__Output as _tokenmesh_v1_Workload__Output } from './tokenmesh/v1/Workload.ts';

type SubtypeConstructor<Constructor extends new (...args: any) => any, Subtype> = {
  new(...args: ConstructorParameters<Constructor>): Subtype;
};

export interface ProtoGrpcType {
  google: {
    protobuf: {
      DescriptorProto: MessageTypeDefinition<_google_protobuf_DescriptorProto, _google_protobuf_DescriptorProto__Output>
      Edition: EnumTypeDefinition
      EnumDescriptorProto: MessageTypeDefinition<_google_protobuf_EnumDescriptorProto, _google_protobuf_EnumDescriptorProto__Output>
      EnumOptions: MessageTypeDefinition<_google_protobuf_EnumOptions, _google_protobuf_EnumOptions__Output>
      EnumValueDescriptorProto: MessageTypeDefinition<_google_protobuf_EnumValueDescriptorProto, _google_protobuf_EnumValueDescriptorProto__Output>
      EnumValueOptions: MessageTypeDefinition<_google_protobuf_EnumValueOptions, _google_protobuf_EnumValueOptions__Output>
      ExtensionRangeOptions: MessageTypeDefinition<_google_protobuf_ExtensionRangeOptions, _google_protobuf_ExtensionRangeOptions__Output>
      FeatureSet: MessageTypeDefinition<_google_protobuf_FeatureSet, _google_protobuf_FeatureSet__Output>
      FeatureSetDefaults: MessageTypeDefinition<_google_protobuf_FeatureSetDefaults, _google_protobuf_FeatureSetDefaults__Output>
      FieldDescriptorProto: MessageTypeDefinition<_google_protobuf_FieldDescriptorProto, _google_protobuf_FieldDescriptorProto__Output>
      FieldOptions: MessageTypeDefinition<_google_protobuf_FieldOptions, _google_protobuf_FieldOptions__Output>
      FileDescriptorProto: MessageTypeDefinition<_google_protobuf_FileDescriptorProto, _google_protobuf_FileDescriptorProto__Output>
      FileDescriptorSet: MessageTypeDefinition<_google_protobuf_FileDescriptorSet, _google_protobuf_FileDescriptorSet__Output>
      FileOptions: MessageTypeDefinition<_google_protobuf_FileOptions, _google_protobuf_FileOptions__Output>
      GeneratedCodeInfo: MessageTypeDefinition<_google_protobuf_GeneratedCodeInfo, _google_protobuf_GeneratedCodeInfo__Output>
      MessageOptions: MessageTypeDefinition<_google_protobuf_MessageOptions, _google_protobuf_MessageOptions__Output>
      MethodDescriptorProto: MessageTypeDefinition<_google_protobuf_MethodDescriptorProto, _google_protobuf_MethodDescriptorProto__Output>
      MethodOptions: MessageTypeDefinition<_google_protobuf_MethodOptions, _google_protobuf_MethodOptions__Output>
      OneofDescriptorProto: MessageTypeDefinition<_google_protobuf_OneofDescriptorProto, _google_protobuf_OneofDescriptorProto__Output>
      OneofOptions: MessageTypeDefinition<_google_protobuf_OneofOptions, _google_protobuf_OneofOptions__Output>
      ServiceDescriptorProto: MessageTypeDefinition<_google_protobuf_ServiceDescriptorProto, _google_protobuf_ServiceDescriptorProto__Output>
      ServiceOptions: MessageTypeDefinition<_google_protobuf_ServiceOptions, _google_protobuf_ServiceOptions__Output>
      SourceCodeInfo: MessageTypeDefinition<_google_protobuf_SourceCodeInfo, _google_protobuf_SourceCodeInfo__Output>
      SymbolVisibility: EnumTypeDefinition
      UninterpretedOption: MessageTypeDefinition<_google_protobuf_UninterpretedOption, _google_protobuf_UninterpretedOption__Output>
    }
  }
  tokenmesh: {
    v1: {
      AccessRule: MessageTypeDefinition<_tokenmesh_v1_AccessRule, _tokenmesh_v1_AccessRule__Output>
      Acknowledgement: MessageTypeDefinition<_tokenmesh_v1_Acknowledgement, _tokenmesh_v1_Acknowledgement__Output>
      AddRevocationRequest: MessageTypeDefinition<_tokenmesh_v1_AddRevocationRequest, _tokenmesh_v1_AddRevocationRequest__Output>
      AddRevocationResponse: MessageTypeDefinition<_tokenmesh_v1_AddRevocationResponse, _tokenmesh_v1_AddRevocationResponse__Output>
      /**
       * What operators do, by the CLI or the console: plain mesh clients with a token for token-exchange.
       */
      Admin: SubtypeConstructor<typeof grpc.Client, _tokenmesh_v1_AdminClient> & { service: _tokenmesh_v1_AdminDefinition }
      AuditEvent: MessageTypeDefinition<_tokenmesh_v1_AuditEvent, _tokenmesh_v1_AuditEvent__Output>
      BindingEvidence: MessageTypeDefinition<_tokenmesh_v1_BindingEvidence, _tokenmesh_v1_BindingEvidence__Output>
      Broadcast: EnumTypeDefinition
      ExchangeTokenRefusal: MessageTypeDefinition<_tokenmesh_v1_ExchangeTokenRefusal, _tokenmesh_v1_ExchangeTokenRefusal__Output>
      ExchangeTokenRequest: MessageTypeDefinition<_tokenmesh_v1_ExchangeTokenRequest, _tokenmesh_v1_ExchangeTokenRequest__Output>
      ExchangeTokenResponse: MessageTypeDefinition<_tokenmesh_v1_ExchangeTokenResponse, _tokenmesh_v1_ExchangeTokenResponse__Output>
      ExchangeTokenResult: MessageTypeDefinition<_tokenmesh_v1_ExchangeTokenResult, _tokenmesh_v1_ExchangeTokenResult__Output>
      ExchangeTokensRequest: MessageTypeDefinition<_tokenmesh_v1_ExchangeTokensRequest, _tokenmesh_v1_ExchangeTokensRequest__Output>
      ExchangeTokensResponse: MessageTypeDefinition<_tokenmesh_v1_ExchangeTokensResponse, _tokenmesh_v1_ExchangeTokensResponse__Output>
      GetJwksRequest: MessageTypeDefinition<_tokenmesh_v1_GetJwksRequest, _tokenmesh_v1_GetJwksRequest__Output>
      GetJwksResponse: MessageTypeDefinition<_tokenmesh_v1_GetJwksResponse, _tokenmesh_v1_GetJwksResponse__Output>
      GetMetadataRequest: MessageTypeDefinition<_tokenmesh_v1_GetMetadataRequest, _tokenmesh_v1_GetMetadataRequest__Output>
      GetMetadataResponse: MessageTypeDefinition<_tokenmesh_v1_GetMetadataResponse, _tokenmesh_v1_GetMetadataResponse__Output>
      IntrospectTokenRequest: MessageTypeDefinition<_tokenmesh_v1_IntrospectTokenRequest, _tokenmesh_v1_IntrospectTokenRequest__Output>
      IntrospectTokenResponse: MessageTypeDefinition<_tokenmesh_v1_IntrospectTokenResponse, _tokenmesh_v1_IntrospectTokenResponse__Output>
      Jwk: MessageTypeDefinition<_tokenmesh_v1_Jwk, _tokenmesh_v1_Jwk__Output>
      ListAccessRulesRequest: MessageTypeDefinition<_tokenmesh_v1_ListAccessRulesRequest, _tokenmesh_v1_ListAccessRulesRequest__Output>
      ListAccessRulesResponse: MessageTypeDefinition<_tokenmesh_v1_ListAccessRulesResponse, _tokenmesh_v1_ListAccessRulesResponse__Output>
      ListKeysRequest: MessageTypeDefinition<_tokenmesh_v1_ListKeysRequest, _tokenmesh_v1_ListKeysRequest__Output>
      ListKeysResponse: MessageTypeDefinition<_tokenmesh_v1_ListKeysResponse, _tokenmesh_v1_ListKeysResponse__Output>
      ListRevocationsRequest: MessageTypeDefinition<_tokenmesh_v1_ListRevocationsRequest, _tokenmesh_v1_ListRevocationsRequest__Output>
      ListRevocationsResponse: MessageTypeDefinition<_tokenmesh_v1_ListRevocationsResponse, _tokenmesh_v1_ListRevocationsResponse__Output>
      ListVerifiersRequest: MessageTypeDefinition<_tokenmesh_v1_ListVerifiersRequest, _tokenmesh_v1_ListVerifiersRequest__Output>
      ListVerifiersResponse: MessageTypeDefinition<_tokenmesh_v1_ListVerifiersResponse, _tokenmesh_v1_ListVerifiersResponse__Output>
      ListWorkloadsRequest: MessageTypeDefinition<_tokenmesh_v1_ListWorkloadsRequest, _tokenmesh_v1_ListWorkloadsRequest__Output>
      ListWorkloadsResponse: MessageTypeDefinition<_tokenmesh_v1_ListWorkloadsResponse, _tokenmesh_v1_ListWorkloadsResponse__Output>
      MethodClass: EnumTypeDefinition
      QueryEventsRequest: MessageTypeDefinition<_tokenmesh_v1_QueryEventsRequest, _tokenmesh_v1_QueryEventsRequest__Output>
      QueryEventsResponse: MessageTypeDefinition<_tokenmesh_v1_QueryEventsResponse, _tokenmesh_v1_QueryEventsResponse__Output>
      ReportedAccessRule: MessageTypeDefinition<_tokenmesh_v1_ReportedAccessRule, _tokenmesh_v1_ReportedAccessRule__Output>
      ResumeWorkloadRequest: MessageTypeDefinition<_tokenmesh_v1_ResumeWorkloadRequest, _tokenmesh_v1_ResumeWorkloadRequest__Output>
      ResumeWorkloadResponse: MessageTypeDefinition<_tokenmesh_v1_ResumeWorkloadResponse, _tokenmesh_v1_ResumeWorkloadResponse__Output>
      Revocation: MessageTypeDefinition<_tokenmesh_v1_Revocation, _tokenmesh_v1_Revocation__Output>
      RevocationTarget: MessageTypeDefinition<_tokenmesh_v1_RevocationTarget, _tokenmesh_v1_RevocationTarget__Output>
      RevokeTokenRequest: MessageTypeDefinition<_tokenmesh_v1_RevokeTokenRequest, _tokenmesh_v1_RevokeTokenRequest__Output>
      RevokeTokenResponse: MessageTypeDefinition<_tokenmesh_v1_RevokeTokenResponse, _tokenmesh_v1_RevokeTokenResponse__Output>
      RotateKeysRequest: MessageTypeDefinition<_tokenmesh_v1_RotateKeysRequest, _tokenmesh_v1_RotateKeysRequest__Output>
      RotateKeysResponse: MessageTypeDefinition<_tokenmesh_v1_RotateKeysResponse, _tokenmesh_v1_RotateKeysResponse__Output>
      SigningKey: MessageTypeDefinition<_tokenmesh_v1_SigningKey, _tokenmesh_v1_SigningKey__Output>
      SimulateRequest: MessageTypeDefinition<_tokenmesh_v1_SimulateRequest, _tokenmesh_v1_SimulateRequest__Output>
      SimulateResponse: MessageTypeDefinition<_tokenmesh_v1_SimulateResponse, _tokenmesh_v1_SimulateResponse__Output>
      SimulatedCall: MessageTypeDefinition<_tokenmesh_v1_SimulatedCall, _tokenmesh_v1_SimulatedCall__Output>
      SimulatedCheck: MessageTypeDefinition<_tokenmesh_v1_SimulatedCheck, _tokenmesh_v1_SimulatedCheck__Output>
      SimulatedSubject: MessageTypeDefinition<_tokenmesh_v1_SimulatedSubject, _tokenmesh_v1_SimulatedSubject__Output>
      SuspendWorkloadRequest: MessageTypeDefinition<_tokenmesh_v1_SuspendWorkloadRequest, _tokenmesh_v1_SuspendWorkloadRequest__Output>
      SuspendWorkloadResponse: MessageTypeDefinition<_tokenmesh_v1_SuspendWorkloadResponse, _tokenmesh_v1_SuspendWorkloadResponse__Output>
      /**
       * Security token service (RFC 8693) over gRPC. Fields are the RFCs' parameter names. The methods are `public` to the interceptor because
       * the client authenticates with parameters inside the message (RFC 6749 section 2.3, RFC 7521 section 4.2), as OAuth clients do.
       */
      TokenExchange: SubtypeConstructor<typeof grpc.Client, _tokenmesh_v1_TokenExchangeClient> & { service: _tokenmesh_v1_TokenExchangeDefinition }
      Verifier: MessageTypeDefinition<_tokenmesh_v1_Verifier, _tokenmesh_v1_Verifier__Output>
      WatchEventsRequest: MessageTypeDefinition<_tokenmesh_v1_WatchEventsRequest, _tokenmesh_v1_WatchEventsRequest__Output>
      WatchEventsResponse: MessageTypeDefinition<_tokenmesh_v1_WatchEventsResponse, _tokenmesh_v1_WatchEventsResponse__Output>
      WithdrawKeyRequest: MessageTypeDefinition<_tokenmesh_v1_WithdrawKeyRequest, _tokenmesh_v1_WithdrawKeyRequest__Output>
      WithdrawKeyResponse: MessageTypeDefinition<_tokenmesh_v1_WithdrawKeyResponse, _tokenmesh_v1_WithdrawKeyResponse__Output>
      Workload: MessageTypeDefinition<_tokenmesh_v1_Workload, _tokenmesh_v1_Workload__Output>
    }
  }
}

