import { describe, expect, it } from 'vitest';
import { checkPostgresUrl } from './postgres-url.ts';

describe('the URL of a PostgreSQL', () => {
  it.each([
    'postgres://u:p@localhost/record',
    'postgresql://127.0.0.1:5433/record',
    'postgres://u@[::1]/record',
    'postgres://u@localhost/record?host=/run/postgresql',
    'postgres://u:p@db.example.test/record?sslmode=verify-full&sslrootcert=/etc/ca.crt',
    'postgres://u:p@db.example.test/record?sslmode=disable',
  ])('may be %s', (url) => {
    checkPostgresUrl(url);
  });

  it.each([
    ['the-password', 'not a URL'],
    ['mysql://u:the-password@localhost/record', 'not the URL of a PostgreSQL'],
    ['postgres://u:the-password@localhost', 'no database'],
    ['postgres://u:the-password@localhost/', 'no database'],
    ['postgres://u:the-password@db.example.test/record', 'says nothing of TLS'],
    ['postgres://u:the-password@localhost/record?host=db.example.test', 'says nothing of TLS'],
  ])('may not be %s', (url, problem) => {
    expect(() => checkPostgresUrl(url)).toThrow(problem);
    expect(() => checkPostgresUrl(url)).not.toThrow('the-password');
  });
});
