// The peer: oidc-provider over TLS, all in memory, issuing ES256 JWT access tokens for one resource by client_credentials.
// Arguments: a JSON file with { cert, key, clientJwks, clientSecret, audience }. Prints one JSON line with its port when it listens.
import { generateKeyPairSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { Provider } from 'oidc-provider';

const { cert, key, clientJwks, clientSecret, audience } = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const signing = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' });
const common = { grant_types: ['client_credentials'], redirect_uris: [], response_types: [], id_token_signed_response_alg: 'ES256' };

// the issuer is only a name: the port is not known yet, and assertions name the issuer as their audience
const provider = new Provider('https://localhost', {
  jwks: { keys: [{ ...signing, alg: 'ES256', use: 'sig', kid: 'peer' }] },
  clients: [
    {
      ...common,
      client_id: 'by-key',
      token_endpoint_auth_method: 'private_key_jwt',
      token_endpoint_auth_signing_alg: 'ES256',
      jwks: clientJwks,
    },
    { ...common, client_id: 'by-secret', token_endpoint_auth_method: 'client_secret_basic', client_secret: clientSecret },
  ],
  clientAuthMethods: ['private_key_jwt', 'client_secret_basic'],
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => audience,
      getResourceServerInfo: () => ({
        scope: 'orders.read',
        audience,
        accessTokenFormat: 'jwt',
        accessTokenTTL: 300,
        jwt: { sign: { alg: 'ES256' } },
      }),
    },
  },
});

const server = createServer({ cert, key }, provider.callback());
server.listen(0, '127.0.0.1', () => console.log(JSON.stringify({ event: 'listening', port: server.address().port })));
process.stdin.on('end', () => process.exit()).resume();
