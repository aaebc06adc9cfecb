// A certified provider with one client: node server.js ISSUER REDIRECT_URI
import { Provider } from 'oidc-provider';

const [issuer, redirect] = process.argv.slice(2);
const provider = new Provider(issuer, {
  clients: [{ client_id: 'casting', token_endpoint_auth_method: 'none', redirect_uris: [redirect], grant_types: ['authorization_code'], response_types: ['code'] }],
  pkce: { required: () => true, methods: ['S256'] },
  claims: { openid: ['sub'], profile: ['name', 'roles', 'groups'] },
  conformIdTokenClaims: false,
  findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, name: 'Ann Example', roles: ['auditor'], groups: ['Staff'] }) }),
  features: { devInteractions: { enabled: true } },
  cookies: { keys: ['for tests only'] },
});
provider.listen(new URL(issuer).port, '127.0.0.1', () => console.log('listening'));
