// AM's agent for Node applications: it asks who has a session, and what they may do, in front of an application.

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';

const { AmClient, BasicAuthShield, CookieShield, PolicyAgent, PolicyShield } =
  createRequire(import.meta.url)('@forgerock/openam-agent');

const { DOORWARD_URL, DOORWARD_USER, DOORWARD_PASSWORD, DOORWARD_AGENT } = process.env;
const serverUrl = `${DOORWARD_URL}/am`;
// Without the address it sends no valid Host from Node 14 on.
const privateIP = '127.0.0.1';
const agent = new PolicyAgent({
  serverUrl, privateIP, appUrl: 'https://app.test', username: DOORWARD_AGENT, password: DOORWARD_PASSWORD, realm: '/',
  logLevel: 'none',
});

// It asks about paths. Policies of Doorward are for addresses, and so are those of AM that agents for web servers have.
class AddressShield extends PolicyShield {
  toDecisionParams(request, ssoToken) {
    const asked = super.toDecisionParams(request, ssoToken);
    return { ...asked, resources: asked.resources.map((path) => `https://app.test${path}`) };
  }
}

const layers = {
  '/app': [new CookieShield({ noRedirect: true }), new AddressShield()],
  '/staff': [new CookieShield({ noRedirect: true }), new AddressShield()],
  '/basic': [new BasicAuthShield({ realm: '/' })],
  '/elsewhere': [new CookieShield()],
};
const application = createServer(async (request, response) => {
  const shields = layers[new URL(request.url, 'http://x').pathname.replace(/(.)\/.*/, '$1')];
  const pass = async ([shield, ...others]) => {
    if (!shield) return response.end(JSON.stringify(request.session.data));
    return agent.shield(shield)(request, response, () => pass(others));
  };
  await pass(shields);
});
await new Promise((listens) => application.listen(0, '127.0.0.1', listens));
const visit = (path, headers = {}) =>
  fetch(`http://127.0.0.1:${application.address().port}${path}`, { headers, redirect: 'manual' });
const basic = (password) =>
  ({ Authorization: `Basic ${Buffer.from(`${DOORWARD_USER}:${password}`).toString('base64')}` });

const users = new AmClient(serverUrl, privateIP);
await assert.rejects(users.authenticate(DOORWARD_USER, 'wrong'), (error) => error.response.status === 401);
const { cookieName } = await users.getServerInfo();
const { tokenId } = await users.authenticate(DOORWARD_USER, DOORWARD_PASSWORD);
const holding = { Cookie: `${cookieName}=${tokenId}` };
assert.equal((await users.getProfile(DOORWARD_USER, '/', tokenId, cookieName)).username, DOORWARD_USER);

assert.equal((await visit('/app/page')).status, 401);
assert.equal((await visit('/app/page', { Cookie: `${cookieName}=AQIC5wM2LY4Sfc` })).status, 401);
const passed = await visit('/app/page', holding);
assert.equal(passed.status, 200, await passed.clone().text());
const seen = await passed.json();
assert.equal(seen.uid, DOORWARD_USER);
assert.equal(seen.policies[0].actions.GET, true);

// Who may not is told apart from who has no session.
const other = await users.authenticate(DOORWARD_AGENT, DOORWARD_PASSWORD);
assert.equal((await visit('/staff/page', holding)).status, 200);
assert.equal((await visit('/staff/page', { Cookie: `${cookieName}=${other.tokenId}` })).status, 403);

// A password with each request; no session is left.
assert.equal((await visit('/basic')).status, 401);
assert.equal((await visit('/basic', basic(DOORWARD_PASSWORD))).status, 200);
assert.notEqual((await visit('/basic', basic('wrong'))).status, 200);

// The agent's own session has ended: it begins another, and goes on. The request at which it learns of the end is lost,
// because it repeats that with the old one.
const before = await agent.getAgentSession();
await users.logout(before.tokenId, cookieName);
await visit('/app/page', holding);
assert.equal((await visit('/app/page', holding)).status, 200);
assert.notEqual((await agent.getAgentSession()).tokenId, before.tokenId);
console.log('ended', before.tokenId);

const login = await visit('/elsewhere/page');
console.log('beyond', 'the login page', login.status, login.headers.get('Location'));

await users.logout(other.tokenId, cookieName);
console.log('ended', other.tokenId);
console.log('open', tokenId);
process.exit(0);
