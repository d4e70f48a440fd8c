// Original file: shop/v1/orders.proto


export interface UploadResponse {
  'created'?: (number);
}

export interface UploadResponse__Output {
  'created': (number);
}
