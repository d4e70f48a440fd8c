export { type Examination, examine } from './doctor/examine.ts';
export type { IssuerExamination } from './doctor/examine-issuer.ts';
export type { NatsExamination } from './doctor/examine-nats.ts';
export type { Finding, FindingStatus } from './doctor/finding.ts';
