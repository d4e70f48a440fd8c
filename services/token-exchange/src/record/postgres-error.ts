/** The record in PostgreSQL cannot be used; the text is for the operator and never holds the password. */
export class PostgresError extends Error {
  override readonly name = 'PostgresError';
}
