// Original file: tokenmesh/v1/token_exchange.proto


export interface BindingEvidence {
  'x5t_s256'?: (string);
  'jkt'?: (string);
}

export interface BindingEvidence__Output {
  'x5t_s256': (string);
  'jkt': (string);
}
