// Original file: tokenmesh/v1/access.proto

import type { MethodClass as _tokenmesh_v1_MethodClass, MethodClass__Output as _tokenmesh_v1_MethodClass__Output } from '../../tokenmesh/v1/MethodClass.ts';

export interface AccessRule {
  'scopes'?: (string)[];
  'any_scope'?: (string)[];
  'public'?: (boolean);
  'callers'?: (string)[];
  'max_act_depth'?: (number);
  'require_binding'?: (boolean);
  'class'?: (_tokenmesh_v1_MethodClass);
  'max_stale_ms'?: (number);
  'any_caller'?: (boolean);
  '_max_act_depth'?: "max_act_depth";
  '_max_stale_ms'?: "max_stale_ms";
}

export interface AccessRule__Output {
  'scopes': (string)[];
  'any_scope': (string)[];
  'public': (boolean);
  'callers': (string)[];
  'max_act_depth'?: (number);
  'require_binding': (boolean);
  'class': (_tokenmesh_v1_MethodClass__Output);
  'max_stale_ms'?: (number);
  'any_caller': (boolean);
  '_max_act_depth'?: "max_act_depth";
  '_max_stale_ms'?: "max_stale_ms";
}
