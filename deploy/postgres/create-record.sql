-- Runs once, as superuser, on an empty server: the database of the record, which belongs to token-exchange's own role and to nobody else.
\set ON_ERROR_STOP on
\set password `cat /run/credentials/token-exchange.password`
CREATE ROLE token_exchange LOGIN PASSWORD :'password';
CREATE DATABASE tokenmesh OWNER token_exchange;
REVOKE ALL ON DATABASE tokenmesh FROM PUBLIC;
