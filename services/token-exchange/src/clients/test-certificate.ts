export { createTestAuthority, createTestCertificate, type TestCertificate } from '@tokenmesh/token/test-certificate';
