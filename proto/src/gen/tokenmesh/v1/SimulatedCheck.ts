// Original file: tokenmesh/v1/admin.proto


export interface SimulatedCheck {
  /**
   * `request`, `client`, `suspension`, `grant`, `may_act`, `actors`, `delegation`, `subject issuer`, `scope`; then, of the call, `binding`, `scopes`,
   * `any_scope`, `callers`, `max_act_depth`.
   */
  'name'?: (string);
  'passed'?: (boolean);
  /**
   * For people: what was compared with what.
   */
  'compared'?: (string);
}

export interface SimulatedCheck__Output {
  /**
   * `request`, `client`, `suspension`, `grant`, `may_act`, `actors`, `delegation`, `subject issuer`, `scope`; then, of the call, `binding`, `scopes`,
   * `any_scope`, `callers`, `max_act_depth`.
   */
  'name': (string);
  'passed': (boolean);
  /**
   * For people: what was compared with what.
   */
  'compared': (string);
}
