// What frodo-lib does about sessions: an administrator's login, and who has which session.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';

// Its form for `import` does not load in Node.
const { frodo } = createRequire(import.meta.url)('@rockcarver/frodo-lib');

const { DOORWARD_URL, DOORWARD_USER, DOORWARD_PASSWORD } = process.env;

// No file of ours in the home directory, and no timer that logs in again.
const as = (password) => frodo.createInstance({
  host: `${DOORWARD_URL}/am`, username: DOORWARD_USER, password, realm: '/', useTokenCache: false,
});

await assert.rejects(as('wrong').login.getTokens(true, false), (error) => {
  let told = error;
  while (told.originalErrors?.length) [told] = told.originalErrors;
  assert.equal(told.response?.status ?? told.httpStatus, 401);
  return true;
});

const known = as(DOORWARD_PASSWORD);
const tokens = await known.login.getTokens(true, false);
assert.ok(tokens.userSessionToken.tokenId);
assert.ok(tokens.userSessionToken.expires > 0);
assert.equal(tokens.bearerToken, undefined);
assert.equal(known.state.getDeploymentType(), 'classic');
assert.equal(known.state.getCookieName(), 'iPlanetDirectoryPro');
assert.match(known.state.getAmVersion(), /^\d+\.\d+\.\d+/);

const session = await known.session.getSessionInfo(tokens.userSessionToken.tokenId);
assert.equal(session.username, DOORWARD_USER);
assert.equal(session.realm, '/');
assert.equal(Date.parse(session.maxIdleExpirationTime), tokens.userSessionToken.expires);

const info = await known.info.getInfo();
assert.equal(info.sessionToken, tokens.userSessionToken.tokenId);
assert.equal(info.deploymentType, 'classic');
assert.ok(info.authenticatedSubject.includes(DOORWARD_USER));

// It has no logout: its sessions end by themselves.
console.log('open', tokens.userSessionToken.tokenId);

// What is no matter of sessions is not there, and says so.
for (const [name, call] of Object.entries({
  journeys: () => known.authn.journey.readJourneys(),
  realms: () => known.realm.readRealms(),
  'OAuth2 clients': () => known.oauth2oidc.client.readOAuth2Clients(),
  'policy sets': () => known.authz.policySet.readPolicySets(),
})) {
  const status = await call().then(() => 'something', (error) => {
    let told = error;
    while (told.originalErrors?.length) [told] = told.originalErrors;
    return told.response?.status ?? told.httpStatus ?? told.message;
  });
  console.log('beyond', name, status);
}
process.exit(0);
