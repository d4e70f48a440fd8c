// Original file: shop/v1/payments.proto


export interface WatchChargesRequest {
}

export interface WatchChargesRequest__Output {
}
