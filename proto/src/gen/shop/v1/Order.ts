// Original file: shop/v1/orders.proto


export interface Order {
  'order_id'?: (string);
  'item'?: (string);
  'quantity'?: (number);
  'charge_id'?: (string);
}

export interface Order__Output {
  'order_id': (string);
  'item': (string);
  'quantity': (number);
  'charge_id': (string);
}
