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
import type { CheckpointRequest as _tokenmesh_v1_CheckpointRequest, CheckpointRequest__Output as _tokenmesh_v1_CheckpointRequest__Output } from './tokenmesh/v1/CheckpointRequest.ts';
import type { CheckpointResponse as _tokenmesh_v1_CheckpointResponse, CheckpointResponse__Output as _tokenmesh_v1_CheckpointResponse__Output } from './tokenmesh/v1/CheckpointResponse.ts';
import type { FeedKey as _tokenmesh_v1_FeedKey, FeedKey__Output as _tokenmesh_v1_FeedKey__Output } from './tokenmesh/v1/FeedKey.ts';
import type { GetFeedKeysRequest as _tokenmesh_v1_GetFeedKeysRequest, GetFeedKeysRequest__Output as _tokenmesh_v1_GetFeedKeysRequest__Output } from './tokenmesh/v1/GetFeedKeysRequest.ts';
import type { GetFeedKeysResponse as _tokenmesh_v1_GetFeedKeysResponse, GetFeedKeysResponse__Output as _tokenmesh_v1_GetFeedKeysResponse__Output } from './tokenmesh/v1/GetFeedKeysResponse.ts';
import type { GetSnapshotRequest as _tokenmesh_v1_GetSnapshotRequest, GetSnapshotRequest__Output as _tokenmesh_v1_GetSnapshotRequest__Output } from './tokenmesh/v1/GetSnapshotRequest.ts';
import type { GetSnapshotResponse as _tokenmesh_v1_GetSnapshotResponse, GetSnapshotResponse__Output as _tokenmesh_v1_GetSnapshotResponse__Output } from './tokenmesh/v1/GetSnapshotResponse.ts';
import type { ListEventsRequest as _tokenmesh_v1_ListEventsRequest, ListEventsRequest__Output as _tokenmesh_v1_ListEventsRequest__Output } from './tokenmesh/v1/ListEventsRequest.ts';
import type { ListEventsResponse as _tokenmesh_v1_ListEventsResponse, ListEventsResponse__Output as _tokenmesh_v1_ListEventsResponse__Output } from './tokenmesh/v1/ListEventsResponse.ts';
import type { RevocationFeedClient as _tokenmesh_v1_RevocationFeedClient, RevocationFeedDefinition as _tokenmesh_v1_RevocationFeedDefinition } from './tokenmesh/v1/RevocationFeed.ts';
import type { ServedMethod as _tokenmesh_v1_ServedMethod, ServedMethod__Output as _tokenmesh_v1_ServedMethod__Output } from './tokenmesh/v1/ServedMethod.ts';
import type { ServedMethods as _tokenmesh_v1_ServedMethods, ServedMethods__Output as _tokenmesh_v1_ServedMethods__Output } from './tokenmesh/v1/ServedMethods.ts';
import type { SyncRequest as _tokenmesh_v1_SyncRequest, SyncRequest__Output as _tokenmesh_v1_SyncRequest__Output } from './tokenmesh/v1/SyncRequest.ts';
import type { SyncResponse as _tokenmesh_v1_SyncResponse, SyncResponse__Output as _tokenmesh_v1_SyncResponse__Output } from './tokenmesh/v1/SyncResponse.ts';
import type { SyncStart as _tokenmesh_v1_SyncStart, SyncStart__Output as _tokenmesh_v1_SyncStart__Output } from './tokenmesh/v1/SyncStart.ts';
import type { VerifierReport as _tokenmesh_v1_VerifierReport, VerifierReport__Output as _tokenmesh_v1_VerifierReport__Output } from './tokenmesh/v1/VerifierReport.ts';

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
      CheckpointRequest: MessageTypeDefinition<_tokenmesh_v1_CheckpointRequest, _tokenmesh_v1_CheckpointRequest__Output>
      CheckpointResponse: MessageTypeDefinition<_tokenmesh_v1_CheckpointResponse, _tokenmesh_v1_CheckpointResponse__Output>
      FeedKey: MessageTypeDefinition<_tokenmesh_v1_FeedKey, _tokenmesh_v1_FeedKey__Output>
      GetFeedKeysRequest: MessageTypeDefinition<_tokenmesh_v1_GetFeedKeysRequest, _tokenmesh_v1_GetFeedKeysRequest__Output>
      GetFeedKeysResponse: MessageTypeDefinition<_tokenmesh_v1_GetFeedKeysResponse, _tokenmesh_v1_GetFeedKeysResponse__Output>
      GetSnapshotRequest: MessageTypeDefinition<_tokenmesh_v1_GetSnapshotRequest, _tokenmesh_v1_GetSnapshotRequest__Output>
      GetSnapshotResponse: MessageTypeDefinition<_tokenmesh_v1_GetSnapshotResponse, _tokenmesh_v1_GetSnapshotResponse__Output>
      ListEventsRequest: MessageTypeDefinition<_tokenmesh_v1_ListEventsRequest, _tokenmesh_v1_ListEventsRequest__Output>
      ListEventsResponse: MessageTypeDefinition<_tokenmesh_v1_ListEventsResponse, _tokenmesh_v1_ListEventsResponse__Output>
      MethodClass: EnumTypeDefinition
      /**
       * The revocation record as verifiers read it. Events and checkpoints travel as signed JWS (`secevent+jwt`, `checkpoint+jwt`), the same bytes on
       * every path; nothing about completeness rests on the path.
       */
      RevocationFeed: SubtypeConstructor<typeof grpc.Client, _tokenmesh_v1_RevocationFeedClient> & { service: _tokenmesh_v1_RevocationFeedDefinition }
      ServedMethod: MessageTypeDefinition<_tokenmesh_v1_ServedMethod, _tokenmesh_v1_ServedMethod__Output>
      ServedMethods: MessageTypeDefinition<_tokenmesh_v1_ServedMethods, _tokenmesh_v1_ServedMethods__Output>
      SyncRequest: MessageTypeDefinition<_tokenmesh_v1_SyncRequest, _tokenmesh_v1_SyncRequest__Output>
      SyncResponse: MessageTypeDefinition<_tokenmesh_v1_SyncResponse, _tokenmesh_v1_SyncResponse__Output>
      SyncStart: MessageTypeDefinition<_tokenmesh_v1_SyncStart, _tokenmesh_v1_SyncStart__Output>
      VerifierReport: MessageTypeDefinition<_tokenmesh_v1_VerifierReport, _tokenmesh_v1_VerifierReport__Output>
    }
  }
}

