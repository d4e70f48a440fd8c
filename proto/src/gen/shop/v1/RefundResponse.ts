// Original file: shop/v1/payments.proto


export interface RefundResponse {
}

export interface RefundResponse__Output {
}
