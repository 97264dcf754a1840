// The JavaScript SDK of AM, as a page of Doorward's own origin uses it: a journey with callbacks, and its end.
//
// What a browser does for it is done here: it keeps cookies, and says which page a request comes from.

import assert from 'node:assert/strict';
import { CallbackType, Config, FRAuth, SessionManager, StepType } from '@forgerock/javascript-sdk';

const { DOORWARD_URL, DOORWARD_USER, DOORWARD_PASSWORD } = process.env;
const cookies = new Map();
const browser = globalThis.fetch;

globalThis.fetch = async (address, init) => {
  const headers = new Headers(init.headers);
  headers.set('Origin', DOORWARD_URL);
  headers.set('Sec-Fetch-Site', 'same-origin');
  if (cookies.size > 0) {
    headers.set('Cookie', [...cookies].map(([name, value]) => `${name}=${value}`).join('; '));
  }
  const response = await browser(address, { ...init, headers });
  for (const line of response.headers.getSetCookie()) {
    const [, name, value] = /^([^=]+)=([^;]*)/.exec(line);
    const isOver = /;\s*max-age=0/i.test(line) || /;\s*expires=[^;]*1970/i.test(line);
    isOver ? cookies.delete(name) : cookies.set(name, value);
  }
  return response;
};

Config.set({ serverConfig: { baseUrl: `${DOORWARD_URL}/am/`, timeout: 10000 }, realmPath: 'root', tree: 'Login' });

async function login(password) {
  const step = await FRAuth.next();
  assert.equal(step.type, StepType.Step);
  const name = step.getCallbackOfType(CallbackType.NameCallback);
  const secret = step.getCallbackOfType(CallbackType.PasswordCallback);
  assert.ok(name.getPrompt() && secret.getPrompt());
  assert.deepEqual(step.callbacks.map((callback) => callback.getType()), ['NameCallback', 'PasswordCallback']);
  name.setName(DOORWARD_USER);
  secret.setPassword(password);
  return FRAuth.next(step);
}

const refused = await login('wrong');
assert.equal(refused.type, StepType.LoginFailure);
assert.equal(refused.getCode(), 401);
assert.equal(refused.getMessage(), 'Authentication Failed');
assert.equal(refused.getReason(), 'Unauthorized');
assert.equal(cookies.size, 0);

const ended = await login(DOORWARD_PASSWORD);
assert.equal(ended.type, StepType.LoginSuccess);
assert.equal(ended.getRealm(), '/');
assert.ok(ended.getSuccessUrl());
assert.ok(ended.getSessionToken());
assert.equal(cookies.get('iPlanetDirectoryPro'), ended.getSessionToken());
const logout = await SessionManager.logout();
assert.equal(logout.status, 200);
console.log('ended', ended.getSessionToken());
// With the cookie of what has ended, which nobody has taken away, it is content, and logs in again.
await SessionManager.logout();

const kept = await login(DOORWARD_PASSWORD);
assert.equal(kept.type, StepType.LoginSuccess);
console.log('open', kept.getSessionToken());
