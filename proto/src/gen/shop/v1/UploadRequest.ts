// Original file: shop/v1/orders.proto


export interface UploadRequest {
  'item'?: (string);
  'quantity'?: (number);
}

export interface UploadRequest__Output {
  'item': (string);
  'quantity': (number);
}
