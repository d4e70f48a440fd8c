// Original file: tokenmesh/v1/admin.proto


export interface SimulatedCheck {
  'name'?: (string);
  'passed'?: (boolean);
  'compared'?: (string);
}

export interface SimulatedCheck__Output {
  'name': (string);
  'passed': (boolean);
  'compared': (string);
}
