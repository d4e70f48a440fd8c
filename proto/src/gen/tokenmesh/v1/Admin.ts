// Original file: tokenmesh/v1/admin.proto

import type * as grpc from '@grpc/grpc-js'
import type { MethodDefinition } from '@grpc/proto-loader'
import type { AddRevocationRequest as _tokenmesh_v1_AddRevocationRequest, AddRevocationRequest__Output as _tokenmesh_v1_AddRevocationRequest__Output } from '../../tokenmesh/v1/AddRevocationRequest.ts';
import type { AddRevocationResponse as _tokenmesh_v1_AddRevocationResponse, AddRevocationResponse__Output as _tokenmesh_v1_AddRevocationResponse__Output } from '../../tokenmesh/v1/AddRevocationResponse.ts';
import type { ListAccessRulesRequest as _tokenmesh_v1_ListAccessRulesRequest, ListAccessRulesRequest__Output as _tokenmesh_v1_ListAccessRulesRequest__Output } from '../../tokenmesh/v1/ListAccessRulesRequest.ts';
import type { ListAccessRulesResponse as _tokenmesh_v1_ListAccessRulesResponse, ListAccessRulesResponse__Output as _tokenmesh_v1_ListAccessRulesResponse__Output } from '../../tokenmesh/v1/ListAccessRulesResponse.ts';
import type { ListKeysRequest as _tokenmesh_v1_ListKeysRequest, ListKeysRequest__Output as _tokenmesh_v1_ListKeysRequest__Output } from '../../tokenmesh/v1/ListKeysRequest.ts';
import type { ListKeysResponse as _tokenmesh_v1_ListKeysResponse, ListKeysResponse__Output as _tokenmesh_v1_ListKeysResponse__Output } from '../../tokenmesh/v1/ListKeysResponse.ts';
import type { ListRevocationsRequest as _tokenmesh_v1_ListRevocationsRequest, ListRevocationsRequest__Output as _tokenmesh_v1_ListRevocationsRequest__Output } from '../../tokenmesh/v1/ListRevocationsRequest.ts';
import type { ListRevocationsResponse as _tokenmesh_v1_ListRevocationsResponse, ListRevocationsResponse__Output as _tokenmesh_v1_ListRevocationsResponse__Output } from '../../tokenmesh/v1/ListRevocationsResponse.ts';
import type { ListVerifiersRequest as _tokenmesh_v1_ListVerifiersRequest, ListVerifiersRequest__Output as _tokenmesh_v1_ListVerifiersRequest__Output } from '../../tokenmesh/v1/ListVerifiersRequest.ts';
import type { ListVerifiersResponse as _tokenmesh_v1_ListVerifiersResponse, ListVerifiersResponse__Output as _tokenmesh_v1_ListVerifiersResponse__Output } from '../../tokenmesh/v1/ListVerifiersResponse.ts';
import type { ListWorkloadsRequest as _tokenmesh_v1_ListWorkloadsRequest, ListWorkloadsRequest__Output as _tokenmesh_v1_ListWorkloadsRequest__Output } from '../../tokenmesh/v1/ListWorkloadsRequest.ts';
import type { ListWorkloadsResponse as _tokenmesh_v1_ListWorkloadsResponse, ListWorkloadsResponse__Output as _tokenmesh_v1_ListWorkloadsResponse__Output } from '../../tokenmesh/v1/ListWorkloadsResponse.ts';
import type { QueryEventsRequest as _tokenmesh_v1_QueryEventsRequest, QueryEventsRequest__Output as _tokenmesh_v1_QueryEventsRequest__Output } from '../../tokenmesh/v1/QueryEventsRequest.ts';
import type { QueryEventsResponse as _tokenmesh_v1_QueryEventsResponse, QueryEventsResponse__Output as _tokenmesh_v1_QueryEventsResponse__Output } from '../../tokenmesh/v1/QueryEventsResponse.ts';
import type { ResumeWorkloadRequest as _tokenmesh_v1_ResumeWorkloadRequest, ResumeWorkloadRequest__Output as _tokenmesh_v1_ResumeWorkloadRequest__Output } from '../../tokenmesh/v1/ResumeWorkloadRequest.ts';
import type { ResumeWorkloadResponse as _tokenmesh_v1_ResumeWorkloadResponse, ResumeWorkloadResponse__Output as _tokenmesh_v1_ResumeWorkloadResponse__Output } from '../../tokenmesh/v1/ResumeWorkloadResponse.ts';
import type { RotateKeysRequest as _tokenmesh_v1_RotateKeysRequest, RotateKeysRequest__Output as _tokenmesh_v1_RotateKeysRequest__Output } from '../../tokenmesh/v1/RotateKeysRequest.ts';
import type { RotateKeysResponse as _tokenmesh_v1_RotateKeysResponse, RotateKeysResponse__Output as _tokenmesh_v1_RotateKeysResponse__Output } from '../../tokenmesh/v1/RotateKeysResponse.ts';
import type { SimulateRequest as _tokenmesh_v1_SimulateRequest, SimulateRequest__Output as _tokenmesh_v1_SimulateRequest__Output } from '../../tokenmesh/v1/SimulateRequest.ts';
import type { SimulateResponse as _tokenmesh_v1_SimulateResponse, SimulateResponse__Output as _tokenmesh_v1_SimulateResponse__Output } from '../../tokenmesh/v1/SimulateResponse.ts';
import type { SuspendWorkloadRequest as _tokenmesh_v1_SuspendWorkloadRequest, SuspendWorkloadRequest__Output as _tokenmesh_v1_SuspendWorkloadRequest__Output } from '../../tokenmesh/v1/SuspendWorkloadRequest.ts';
import type { SuspendWorkloadResponse as _tokenmesh_v1_SuspendWorkloadResponse, SuspendWorkloadResponse__Output as _tokenmesh_v1_SuspendWorkloadResponse__Output } from '../../tokenmesh/v1/SuspendWorkloadResponse.ts';
import type { WatchEventsRequest as _tokenmesh_v1_WatchEventsRequest, WatchEventsRequest__Output as _tokenmesh_v1_WatchEventsRequest__Output } from '../../tokenmesh/v1/WatchEventsRequest.ts';
import type { WatchEventsResponse as _tokenmesh_v1_WatchEventsResponse, WatchEventsResponse__Output as _tokenmesh_v1_WatchEventsResponse__Output } from '../../tokenmesh/v1/WatchEventsResponse.ts';
import type { WithdrawKeyRequest as _tokenmesh_v1_WithdrawKeyRequest, WithdrawKeyRequest__Output as _tokenmesh_v1_WithdrawKeyRequest__Output } from '../../tokenmesh/v1/WithdrawKeyRequest.ts';
import type { WithdrawKeyResponse as _tokenmesh_v1_WithdrawKeyResponse, WithdrawKeyResponse__Output as _tokenmesh_v1_WithdrawKeyResponse__Output } from '../../tokenmesh/v1/WithdrawKeyResponse.ts';

/**
 * What operators do, by the CLI or the console: plain mesh clients with a token for token-exchange.
 */
export interface AdminClient extends grpc.Client {
  /**
   * Revokes by any kind of target.
   */
  AddRevocation(argument: _tokenmesh_v1_AddRevocationRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_tokenmesh_v1_AddRevocationResponse__Output>): grpc.ClientUnaryCall;
  AddRevocation(argument: _tokenmesh_v1_AddRevocationRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_tokenmesh_v1_AddRevocationResponse__Output>): grpc.ClientUnaryCall;
  AddRevocation(argument: _tokenmesh_v1_AddRevocationRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_tokenmesh_v1_AddRevocationResponse__Output>): grpc.ClientUnaryCall;
  AddRevocation(argument: _tokenmesh_v1_AddRevocationRequest, callback: grpc.requestCallback<_tokenmesh_v1_AddRevocationResponse__Output>): grpc.ClientUnaryCall;
  /**
   * Revokes by any kind of target.
   */
  addRevocation(argument: _tokenmesh_v1_AddRevocationRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_tokenmesh_v1_AddRevocationResponse__Output>): grpc.ClientUnaryCall;
  addRevocation(argument: _tokenmesh_v1_AddRevocationRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_tokenmesh_v1_AddRevocationResponse__Output>): grpc.ClientUnaryCall;
  addRevocation(argument: _tokenmesh_v1_AddRevocationRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_tokenmesh_v1_AddRevocationResponse__Output>): grpc.ClientUnaryCall;
  addRevocation(argument: _tokenmesh_v1_AddRevocationRequest, callback: grpc.requestCallback<_tokenmesh_v1_AddRevocationResponse__Output>): grpc.ClientUnaryCall;

  /**
   * What the methods of the mesh need of their callers, as the verifiers that reported lately say it.
   */
  ListAccessRules(argument: _tokenmesh_v1_ListAccessRulesRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_tokenmesh_v1_ListAccessRulesResponse__Output>): grpc.ClientUnaryCall;
  ListAccessRules(argument: _tokenmesh_v1_ListAccessRulesRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_tokenmesh_v1_ListAccessRulesResponse__Output>): grpc.ClientUnaryCall;
  ListAccessRules(argument: _tokenmesh_v1_ListAccessRulesRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_tokenmesh_v1_ListAccessRulesResponse__Output>): grpc.ClientUnaryCall;
  ListAccessRules(argument: _tokenmesh_v1_ListAccessRulesRequest, callback: grpc.requestCallback<_tokenmesh_v1_ListAccessRulesResponse__Output>): grpc.ClientUnaryCall;
  /**
   * What the methods of the mesh need of their callers, as the verifiers that reported lately say it.
   */
  listAccessRules(argument: _tokenmesh_v1_ListAccessRulesRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_tokenmesh_v1_ListAccessRulesResponse__Output>): grpc.ClientUnaryCall;
  listAccessRules(argument: _tokenmesh_v1_ListAccessRulesRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_tokenmesh_v1_ListAccessRulesResponse__Output>): grpc.ClientUnaryCall;
  listAccessRules(argument: _tokenmesh_v1_ListAccessRulesRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_tokenmesh_v1_ListAccessRulesResponse__Output>): grpc.ClientUnaryCall;
  listAccessRules(argument: _tokenmesh_v1_ListAccessRulesRequest, callback: grpc.requestCallback<_tokenmesh_v1_ListAccessRulesResponse__Output>): grpc.ClientUnaryCall;

  /**
   * The signing keys with their states; never their private halves.
   */
  ListKeys(argument: _tokenmesh_v1_ListKeysRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_tokenmesh_v1_ListKeysResponse__Output>): grpc.ClientUnaryCall;
  ListKeys(argument: _tokenmesh_v1_ListKeysRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_tokenmesh_v1_ListKeysResponse__Output>): grpc.ClientUnaryCall;
  ListKeys(argument: _tokenmesh_v1_ListKeysRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_tokenmesh_v1_ListKeysResponse__Output>): grpc.ClientUnaryCall;
  ListKeys(argument: _tokenmesh_v1_ListKeysRequest, callback: grpc.requestCallback<_tokenmesh_v1_ListKeysResponse__Output>): grpc.ClientUnaryCall;
  /**
   * The signing keys with their states; never their private halves.
   */
  listKeys(argument: _tokenmesh_v1_ListKeysRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_tokenmesh_v1_ListKeysResponse__Output>): grpc.ClientUnaryCall;
  listKeys(argument: _tokenmesh_v1_ListKeysRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_tokenmesh_v1_ListKeysResponse__Output>): grpc.ClientUnaryCall;
  listKeys(argument: _tokenmesh_v1_ListKeysRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_tokenmesh_v1_ListKeysResponse__Output>): grpc.ClientUnaryCall;
  listKeys(argument: _tokenmesh_v1_ListKeysRequest, callback: grpc.requestCallback<_tokenmesh_v1_ListKeysResponse__Output>): grpc.ClientUnaryCall;

  /**
   * Targets still in force, newest first.
   */
  ListRevocations(argument: _tokenmesh_v1_ListRevocationsRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_tokenmesh_v1_ListRevocationsResponse__Output>): grpc.ClientUnaryCall;
  ListRevocations(argument: _tokenmesh_v1_ListRevocationsRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_tokenmesh_v1_ListRevocationsResponse__Output>): grpc.ClientUnaryCall;
  ListRevocations(argument: _tokenmesh_v1_ListRevocationsRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_tokenmesh_v1_ListRevocationsResponse__Output>): grpc.ClientUnaryCall;
  ListRevocations(argument: _tokenmesh_v1_ListRevocationsRequest, callback: grpc.requestCallback<_tokenmesh_v1_ListRevocationsResponse__Output>): grpc.ClientUnaryCall;
  /**
   * Targets still in force, newest first.
   */
  listRevocations(argument: _tokenmesh_v1_ListRevocationsRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_tokenmesh_v1_ListRevocationsResponse__Output>): grpc.ClientUnaryCall;
  listRevocations(argument: _tokenmesh_v1_ListRevocationsRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_tokenmesh_v1_ListRevocationsResponse__Output>): grpc.ClientUnaryCall;
  listRevocations(argument: _tokenmesh_v1_ListRevocationsRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_tokenmesh_v1_ListRevocationsResponse__Output>): grpc.ClientUnaryCall;
  listRevocations(argument: _tokenmesh_v1_ListRevocationsRequest, callback: grpc.requestCallback<_tokenmesh_v1_ListRevocationsResponse__Output>): grpc.ClientUnaryCall;

  /**
   * The verifiers that reported lately.
   */
  ListVerifiers(argument: _tokenmesh_v1_ListVerifiersRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_tokenmesh_v1_ListVerifiersResponse__Output>): grpc.ClientUnaryCall;
  ListVerifiers(argument: _tokenmesh_v1_ListVerifiersRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_tokenmesh_v1_ListVerifiersResponse__Output>): grpc.ClientUnaryCall;
  ListVerifiers(argument: _tokenmesh_v1_ListVerifiersRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_tokenmesh_v1_ListVerifiersResponse__Output>): grpc.ClientUnaryCall;
  ListVerifiers(argument: _tokenmesh_v1_ListVerifiersRequest, callback: grpc.requestCallback<_tokenmesh_v1_ListVerifiersResponse__Output>): grpc.ClientUnaryCall;
  /**
   * The verifiers that reported lately.
   */
  listVerifiers(argument: _tokenmesh_v1_ListVerifiersRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_tokenmesh_v1_ListVerifiersResponse__Output>): grpc.ClientUnaryCall;
  listVerifiers(argument: _tokenmesh_v1_ListVerifiersRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_tokenmesh_v1_ListVerifiersResponse__Output>): grpc.ClientUnaryCall;
  listVerifiers(argument: _tokenmesh_v1_ListVerifiersRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_tokenmesh_v1_ListVerifiersResponse__Output>): grpc.ClientUnaryCall;
  listVerifiers(argument: _tokenmesh_v1_ListVerifiersRequest, callback: grpc.requestCallback<_tokenmesh_v1_ListVerifiersResponse__Output>): grpc.ClientUnaryCall;

  /**
   * The registered workloads.
   */
  ListWorkloads(argument: _tokenmesh_v1_ListWorkloadsRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_tokenmesh_v1_ListWorkloadsResponse__Output>): grpc.ClientUnaryCall;
  ListWorkloads(argument: _tokenmesh_v1_ListWorkloadsRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_tokenmesh_v1_ListWorkloadsResponse__Output>): grpc.ClientUnaryCall;
  ListWorkloads(argument: _tokenmesh_v1_ListWorkloadsRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_tokenmesh_v1_ListWorkloadsResponse__Output>): grpc.ClientUnaryCall;
  ListWorkloads(argument: _tokenmesh_v1_ListWorkloadsRequest, callback: grpc.requestCallback<_tokenmesh_v1_ListWorkloadsResponse__Output>): grpc.ClientUnaryCall;
  /**
   * The registered workloads.
   */
  listWorkloads(argument: _tokenmesh_v1_ListWorkloadsRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_tokenmesh_v1_ListWorkloadsResponse__Output>): grpc.ClientUnaryCall;
  listWorkloads(argument: _tokenmesh_v1_ListWorkloadsRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_tokenmesh_v1_ListWorkloadsResponse__Output>): grpc.ClientUnaryCall;
  listWorkloads(argument: _tokenmesh_v1_ListWorkloadsRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_tokenmesh_v1_ListWorkloadsResponse__Output>): grpc.ClientUnaryCall;
  listWorkloads(argument: _tokenmesh_v1_ListWorkloadsRequest, callback: grpc.requestCallback<_tokenmesh_v1_ListWorkloadsResponse__Output>): grpc.ClientUnaryCall;

  /**
   * The audit, newest first.
   */
  QueryEvents(argument: _tokenmesh_v1_QueryEventsRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_tokenmesh_v1_QueryEventsResponse__Output>): grpc.ClientUnaryCall;
  QueryEvents(argument: _tokenmesh_v1_QueryEventsRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_tokenmesh_v1_QueryEventsResponse__Output>): grpc.ClientUnaryCall;
  QueryEvents(argument: _tokenmesh_v1_QueryEventsRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_tokenmesh_v1_QueryEventsResponse__Output>): grpc.ClientUnaryCall;
  QueryEvents(argument: _tokenmesh_v1_QueryEventsRequest, callback: grpc.requestCallback<_tokenmesh_v1_QueryEventsResponse__Output>): grpc.ClientUnaryCall;
  /**
   * The audit, newest first.
   */
  queryEvents(argument: _tokenmesh_v1_QueryEventsRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_tokenmesh_v1_QueryEventsResponse__Output>): grpc.ClientUnaryCall;
  queryEvents(argument: _tokenmesh_v1_QueryEventsRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_tokenmesh_v1_QueryEventsResponse__Output>): grpc.ClientUnaryCall;
  queryEvents(argument: _tokenmesh_v1_QueryEventsRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_tokenmesh_v1_QueryEventsResponse__Output>): grpc.ClientUnaryCall;
  queryEvents(argument: _tokenmesh_v1_QueryEventsRequest, callback: grpc.requestCallback<_tokenmesh_v1_QueryEventsResponse__Output>): grpc.ClientUnaryCall;

  /**
   * Lets a suspended workload obtain tokens again. What was revoked stays revoked.
   */
  ResumeWorkload(argument: _tokenmesh_v1_ResumeWorkloadRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_tokenmesh_v1_ResumeWorkloadResponse__Output>): grpc.ClientUnaryCall;
  ResumeWorkload(argument: _tokenmesh_v1_ResumeWorkloadRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_tokenmesh_v1_ResumeWorkloadResponse__Output>): grpc.ClientUnaryCall;
  ResumeWorkload(argument: _tokenmesh_v1_ResumeWorkloadRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_tokenmesh_v1_ResumeWorkloadResponse__Output>): grpc.ClientUnaryCall;
  ResumeWorkload(argument: _tokenmesh_v1_ResumeWorkloadRequest, callback: grpc.requestCallback<_tokenmesh_v1_ResumeWorkloadResponse__Output>): grpc.ClientUnaryCall;
  /**
   * Lets a suspended workload obtain tokens again. What was revoked stays revoked.
   */
  resumeWorkload(argument: _tokenmesh_v1_ResumeWorkloadRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_tokenmesh_v1_ResumeWorkloadResponse__Output>): grpc.ClientUnaryCall;
  resumeWorkload(argument: _tokenmesh_v1_ResumeWorkloadRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_tokenmesh_v1_ResumeWorkloadResponse__Output>): grpc.ClientUnaryCall;
  resumeWorkload(argument: _tokenmesh_v1_ResumeWorkloadRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_tokenmesh_v1_ResumeWorkloadResponse__Output>): grpc.ClientUnaryCall;
  resumeWorkload(argument: _tokenmesh_v1_ResumeWorkloadRequest, callback: grpc.requestCallback<_tokenmesh_v1_ResumeWorkloadResponse__Output>): grpc.ClientUnaryCall;

  /**
   * Asks for the rotation now rather than at its time. The successor signs as soon as every live verifier knows it. Repeated while that is
   * awaited, it changes nothing.
   */
  RotateKeys(argument: _tokenmesh_v1_RotateKeysRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_tokenmesh_v1_RotateKeysResponse__Output>): grpc.ClientUnaryCall;
  RotateKeys(argument: _tokenmesh_v1_RotateKeysRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_tokenmesh_v1_RotateKeysResponse__Output>): grpc.ClientUnaryCall;
  RotateKeys(argument: _tokenmesh_v1_RotateKeysRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_tokenmesh_v1_RotateKeysResponse__Output>): grpc.ClientUnaryCall;
  RotateKeys(argument: _tokenmesh_v1_RotateKeysRequest, callback: grpc.requestCallback<_tokenmesh_v1_RotateKeysResponse__Output>): grpc.ClientUnaryCall;
  /**
   * Asks for the rotation now rather than at its time. The successor signs as soon as every live verifier knows it. Repeated while that is
   * awaited, it changes nothing.
   */
  rotateKeys(argument: _tokenmesh_v1_RotateKeysRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_tokenmesh_v1_RotateKeysResponse__Output>): grpc.ClientUnaryCall;
  rotateKeys(argument: _tokenmesh_v1_RotateKeysRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_tokenmesh_v1_RotateKeysResponse__Output>): grpc.ClientUnaryCall;
  rotateKeys(argument: _tokenmesh_v1_RotateKeysRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_tokenmesh_v1_RotateKeysResponse__Output>): grpc.ClientUnaryCall;
  rotateKeys(argument: _tokenmesh_v1_RotateKeysRequest, callback: grpc.requestCallback<_tokenmesh_v1_RotateKeysResponse__Output>): grpc.ClientUnaryCall;

  /**
   * What would become of a request for a token, and of a call with that token: decided by the policy in force, check by check. Nothing is issued,
   * used up or changed, and the client is taken to be authenticated.
   */
  Simulate(argument: _tokenmesh_v1_SimulateRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_tokenmesh_v1_SimulateResponse__Output>): grpc.ClientUnaryCall;
  Simulate(argument: _tokenmesh_v1_SimulateRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_tokenmesh_v1_SimulateResponse__Output>): grpc.ClientUnaryCall;
  Simulate(argument: _tokenmesh_v1_SimulateRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_tokenmesh_v1_SimulateResponse__Output>): grpc.ClientUnaryCall;
  Simulate(argument: _tokenmesh_v1_SimulateRequest, callback: grpc.requestCallback<_tokenmesh_v1_SimulateResponse__Output>): grpc.ClientUnaryCall;
  /**
   * What would become of a request for a token, and of a call with that token: decided by the policy in force, check by check. Nothing is issued,
   * used up or changed, and the client is taken to be authenticated.
   */
  simulate(argument: _tokenmesh_v1_SimulateRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_tokenmesh_v1_SimulateResponse__Output>): grpc.ClientUnaryCall;
  simulate(argument: _tokenmesh_v1_SimulateRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_tokenmesh_v1_SimulateResponse__Output>): grpc.ClientUnaryCall;
  simulate(argument: _tokenmesh_v1_SimulateRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_tokenmesh_v1_SimulateResponse__Output>): grpc.ClientUnaryCall;
  simulate(argument: _tokenmesh_v1_SimulateRequest, callback: grpc.requestCallback<_tokenmesh_v1_SimulateResponse__Output>): grpc.ClientUnaryCall;

  /**
   * Revokes everything that a workload holds and issues nothing to it until it is resumed.
   */
  SuspendWorkload(argument: _tokenmesh_v1_SuspendWorkloadRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_tokenmesh_v1_SuspendWorkloadResponse__Output>): grpc.ClientUnaryCall;
  SuspendWorkload(argument: _tokenmesh_v1_SuspendWorkloadRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_tokenmesh_v1_SuspendWorkloadResponse__Output>): grpc.ClientUnaryCall;
  SuspendWorkload(argument: _tokenmesh_v1_SuspendWorkloadRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_tokenmesh_v1_SuspendWorkloadResponse__Output>): grpc.ClientUnaryCall;
  SuspendWorkload(argument: _tokenmesh_v1_SuspendWorkloadRequest, callback: grpc.requestCallback<_tokenmesh_v1_SuspendWorkloadResponse__Output>): grpc.ClientUnaryCall;
  /**
   * Revokes everything that a workload holds and issues nothing to it until it is resumed.
   */
  suspendWorkload(argument: _tokenmesh_v1_SuspendWorkloadRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_tokenmesh_v1_SuspendWorkloadResponse__Output>): grpc.ClientUnaryCall;
  suspendWorkload(argument: _tokenmesh_v1_SuspendWorkloadRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_tokenmesh_v1_SuspendWorkloadResponse__Output>): grpc.ClientUnaryCall;
  suspendWorkload(argument: _tokenmesh_v1_SuspendWorkloadRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_tokenmesh_v1_SuspendWorkloadResponse__Output>): grpc.ClientUnaryCall;
  suspendWorkload(argument: _tokenmesh_v1_SuspendWorkloadRequest, callback: grpc.requestCallback<_tokenmesh_v1_SuspendWorkloadResponse__Output>): grpc.ClientUnaryCall;

  /**
   * The audit as it is written, from the moment of the response's initial metadata on, by whichever replica. A reader that is too slow is
   * ended with RESOURCE_EXHAUSTED.
   */
  WatchEvents(argument: _tokenmesh_v1_WatchEventsRequest, metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientReadableStream<_tokenmesh_v1_WatchEventsResponse__Output>;
  WatchEvents(argument: _tokenmesh_v1_WatchEventsRequest, options?: grpc.CallOptions): grpc.ClientReadableStream<_tokenmesh_v1_WatchEventsResponse__Output>;
  /**
   * The audit as it is written, from the moment of the response's initial metadata on, by whichever replica. A reader that is too slow is
   * ended with RESOURCE_EXHAUSTED.
   */
  watchEvents(argument: _tokenmesh_v1_WatchEventsRequest, metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientReadableStream<_tokenmesh_v1_WatchEventsResponse__Output>;
  watchEvents(argument: _tokenmesh_v1_WatchEventsRequest, options?: grpc.CallOptions): grpc.ClientReadableStream<_tokenmesh_v1_WatchEventsResponse__Output>;

  /**
   * Emergency: the key leaves the JWKS, everything that it signed is revoked, and its successor signs at once.
   */
  WithdrawKey(argument: _tokenmesh_v1_WithdrawKeyRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_tokenmesh_v1_WithdrawKeyResponse__Output>): grpc.ClientUnaryCall;
  WithdrawKey(argument: _tokenmesh_v1_WithdrawKeyRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_tokenmesh_v1_WithdrawKeyResponse__Output>): grpc.ClientUnaryCall;
  WithdrawKey(argument: _tokenmesh_v1_WithdrawKeyRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_tokenmesh_v1_WithdrawKeyResponse__Output>): grpc.ClientUnaryCall;
  WithdrawKey(argument: _tokenmesh_v1_WithdrawKeyRequest, callback: grpc.requestCallback<_tokenmesh_v1_WithdrawKeyResponse__Output>): grpc.ClientUnaryCall;
  /**
   * Emergency: the key leaves the JWKS, everything that it signed is revoked, and its successor signs at once.
   */
  withdrawKey(argument: _tokenmesh_v1_WithdrawKeyRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_tokenmesh_v1_WithdrawKeyResponse__Output>): grpc.ClientUnaryCall;
  withdrawKey(argument: _tokenmesh_v1_WithdrawKeyRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_tokenmesh_v1_WithdrawKeyResponse__Output>): grpc.ClientUnaryCall;
  withdrawKey(argument: _tokenmesh_v1_WithdrawKeyRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_tokenmesh_v1_WithdrawKeyResponse__Output>): grpc.ClientUnaryCall;
  withdrawKey(argument: _tokenmesh_v1_WithdrawKeyRequest, callback: grpc.requestCallback<_tokenmesh_v1_WithdrawKeyResponse__Output>): grpc.ClientUnaryCall;

}

/**
 * What operators do, by the CLI or the console: plain mesh clients with a token for token-exchange.
 */
export interface AdminHandlers extends grpc.UntypedServiceImplementation {
  /**
   * Revokes by any kind of target.
   */
  AddRevocation: grpc.handleUnaryCall<_tokenmesh_v1_AddRevocationRequest__Output, _tokenmesh_v1_AddRevocationResponse>;

  /**
   * What the methods of the mesh need of their callers, as the verifiers that reported lately say it.
   */
  ListAccessRules: grpc.handleUnaryCall<_tokenmesh_v1_ListAccessRulesRequest__Output, _tokenmesh_v1_ListAccessRulesResponse>;

  /**
   * The signing keys with their states; never their private halves.
   */
  ListKeys: grpc.handleUnaryCall<_tokenmesh_v1_ListKeysRequest__Output, _tokenmesh_v1_ListKeysResponse>;

  /**
   * Targets still in force, newest first.
   */
  ListRevocations: grpc.handleUnaryCall<_tokenmesh_v1_ListRevocationsRequest__Output, _tokenmesh_v1_ListRevocationsResponse>;

  /**
   * The verifiers that reported lately.
   */
  ListVerifiers: grpc.handleUnaryCall<_tokenmesh_v1_ListVerifiersRequest__Output, _tokenmesh_v1_ListVerifiersResponse>;

  /**
   * The registered workloads.
   */
  ListWorkloads: grpc.handleUnaryCall<_tokenmesh_v1_ListWorkloadsRequest__Output, _tokenmesh_v1_ListWorkloadsResponse>;

  /**
   * The audit, newest first.
   */
  QueryEvents: grpc.handleUnaryCall<_tokenmesh_v1_QueryEventsRequest__Output, _tokenmesh_v1_QueryEventsResponse>;

  /**
   * Lets a suspended workload obtain tokens again. What was revoked stays revoked.
   */
  ResumeWorkload: grpc.handleUnaryCall<_tokenmesh_v1_ResumeWorkloadRequest__Output, _tokenmesh_v1_ResumeWorkloadResponse>;

  /**
   * Asks for the rotation now rather than at its time. The successor signs as soon as every live verifier knows it. Repeated while that is
   * awaited, it changes nothing.
   */
  RotateKeys: grpc.handleUnaryCall<_tokenmesh_v1_RotateKeysRequest__Output, _tokenmesh_v1_RotateKeysResponse>;

  /**
   * What would become of a request for a token, and of a call with that token: decided by the policy in force, check by check. Nothing is issued,
   * used up or changed, and the client is taken to be authenticated.
   */
  Simulate: grpc.handleUnaryCall<_tokenmesh_v1_SimulateRequest__Output, _tokenmesh_v1_SimulateResponse>;

  /**
   * Revokes everything that a workload holds and issues nothing to it until it is resumed.
   */
  SuspendWorkload: grpc.handleUnaryCall<_tokenmesh_v1_SuspendWorkloadRequest__Output, _tokenmesh_v1_SuspendWorkloadResponse>;

  /**
   * The audit as it is written, from the moment of the response's initial metadata on, by whichever replica. A reader that is too slow is
   * ended with RESOURCE_EXHAUSTED.
   */
  WatchEvents: grpc.handleServerStreamingCall<_tokenmesh_v1_WatchEventsRequest__Output, _tokenmesh_v1_WatchEventsResponse>;

  /**
   * Emergency: the key leaves the JWKS, everything that it signed is revoked, and its successor signs at once.
   */
  WithdrawKey: grpc.handleUnaryCall<_tokenmesh_v1_WithdrawKeyRequest__Output, _tokenmesh_v1_WithdrawKeyResponse>;

}

export interface AdminDefinition extends grpc.ServiceDefinition {
  AddRevocation: MethodDefinition<_tokenmesh_v1_AddRevocationRequest, _tokenmesh_v1_AddRevocationResponse, _tokenmesh_v1_AddRevocationRequest__Output, _tokenmesh_v1_AddRevocationResponse__Output>
  ListAccessRules: MethodDefinition<_tokenmesh_v1_ListAccessRulesRequest, _tokenmesh_v1_ListAccessRulesResponse, _tokenmesh_v1_ListAccessRulesRequest__Output, _tokenmesh_v1_ListAccessRulesResponse__Output>
  ListKeys: MethodDefinition<_tokenmesh_v1_ListKeysRequest, _tokenmesh_v1_ListKeysResponse, _tokenmesh_v1_ListKeysRequest__Output, _tokenmesh_v1_ListKeysResponse__Output>
  ListRevocations: MethodDefinition<_tokenmesh_v1_ListRevocationsRequest, _tokenmesh_v1_ListRevocationsResponse, _tokenmesh_v1_ListRevocationsRequest__Output, _tokenmesh_v1_ListRevocationsResponse__Output>
  ListVerifiers: MethodDefinition<_tokenmesh_v1_ListVerifiersRequest, _tokenmesh_v1_ListVerifiersResponse, _tokenmesh_v1_ListVerifiersRequest__Output, _tokenmesh_v1_ListVerifiersResponse__Output>
  ListWorkloads: MethodDefinition<_tokenmesh_v1_ListWorkloadsRequest, _tokenmesh_v1_ListWorkloadsResponse, _tokenmesh_v1_ListWorkloadsRequest__Output, _tokenmesh_v1_ListWorkloadsResponse__Output>
  QueryEvents: MethodDefinition<_tokenmesh_v1_QueryEventsRequest, _tokenmesh_v1_QueryEventsResponse, _tokenmesh_v1_QueryEventsRequest__Output, _tokenmesh_v1_QueryEventsResponse__Output>
  ResumeWorkload: MethodDefinition<_tokenmesh_v1_ResumeWorkloadRequest, _tokenmesh_v1_ResumeWorkloadResponse, _tokenmesh_v1_ResumeWorkloadRequest__Output, _tokenmesh_v1_ResumeWorkloadResponse__Output>
  RotateKeys: MethodDefinition<_tokenmesh_v1_RotateKeysRequest, _tokenmesh_v1_RotateKeysResponse, _tokenmesh_v1_RotateKeysRequest__Output, _tokenmesh_v1_RotateKeysResponse__Output>
  Simulate: MethodDefinition<_tokenmesh_v1_SimulateRequest, _tokenmesh_v1_SimulateResponse, _tokenmesh_v1_SimulateRequest__Output, _tokenmesh_v1_SimulateResponse__Output>
  SuspendWorkload: MethodDefinition<_tokenmesh_v1_SuspendWorkloadRequest, _tokenmesh_v1_SuspendWorkloadResponse, _tokenmesh_v1_SuspendWorkloadRequest__Output, _tokenmesh_v1_SuspendWorkloadResponse__Output>
  WatchEvents: MethodDefinition<_tokenmesh_v1_WatchEventsRequest, _tokenmesh_v1_WatchEventsResponse, _tokenmesh_v1_WatchEventsRequest__Output, _tokenmesh_v1_WatchEventsResponse__Output>
  WithdrawKey: MethodDefinition<_tokenmesh_v1_WithdrawKeyRequest, _tokenmesh_v1_WithdrawKeyResponse, _tokenmesh_v1_WithdrawKeyRequest__Output, _tokenmesh_v1_WithdrawKeyResponse__Output>
}
