//! What AM answers at its REST interface.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use policy_protocol::Timestamp;
use serde_json::{Value, json};

use super::{AGENT, AmRequest, AmSession, Dialect, IDLE, LIFE, State, now};
use crate::gateway::PASSWORD;
use crate::policy_host::AGENT_SECRET;

impl State {
    pub(super) fn begin(&self, user: &str) -> String {
        let mut sessions = self.sessions.lock().unwrap();
        let number = self.begun.fetch_add(1, Ordering::Relaxed);
        let token = format!("AQIC5wFakeToken{number}-{user}.*AAJTSQACMDE*");
        let session = AmSession {
            user: user.to_owned(),
            realm: String::from("/"),
            latest: now(),
            end: now() + LIFE,
            level: None,
            uses: 0,
        };
        sessions.insert(token.clone(), session);
        token
    }

    pub(super) fn respond(&self, request: &AmRequest) -> (u16, String) {
        let script = self.script.lock().unwrap();
        if let Some((status, body)) = script.instead {
            return (status, body.to_owned());
        }
        let fits = |one: &&(&str, u16, &str)| request.target.contains(one.0);
        if let Some((_, status, body)) = script.instead_of.iter().find(fits) {
            return (*status, (*body).to_owned());
        }
        let (path, query) = request
            .target
            .split_once('?')
            .unwrap_or((&request.target, ""));
        match path {
            "/authenticate" => self.authenticate(request, script.callbacks),
            "/sessions" => self.about_session(request, query, script.dialect),
            "/policies" => self.policies(request, &script.decision),
            _ => match path.strip_prefix("/users/") {
                Some(user) => self.user(request, user, script.users_readable),
                None => refusal(404, "Not Found", "Resource not found"),
            },
        }
    }

    fn authenticate(&self, request: &AmRequest, callbacks: bool) -> (u16, String) {
        let body: Value = serde_json::from_str(&request.body).unwrap_or_default();
        let header = |name: &str| {
            let value = request
                .headers
                .get(name)
                .and_then(|value| value.to_str().ok());
            value.unwrap_or_default().to_owned()
        };
        let (user, password) = if body["authId"].is_string() {
            let value = |at: usize| body["callbacks"][at]["input"][0]["value"].as_str();
            (
                value(0).unwrap_or_default().to_owned(),
                value(1).unwrap_or_default().to_owned(),
            )
        } else if callbacks {
            let asks = json!({
                "authId": "eyJ0eXAi.test.test", "template": "", "stage": "DataStore1",
                "callbacks": [
                    {"type": "NameCallback", "input": [{"name": "IDToken1", "value": ""}]},
                    {"type": "PasswordCallback", "input": [{"name": "IDToken2", "value": ""}]},
                ],
            });
            return (200, asks.to_string());
        } else {
            (header("x-openam-username"), header("x-openam-password"))
        };
        let agent = request
            .target
            .contains("authIndexType=module&authIndexValue=Application");
        let expected = if agent { AGENT_SECRET } else { PASSWORD };
        let known = (user == AGENT) == agent;
        if !known || password != expected {
            return refusal(401, "Unauthorized", "Authentication Failed");
        }
        let token = self.begin(&user);
        let body = json!({"tokenId": token, "successUrl": "/am/console", "realm": "/"});
        (200, body.to_string())
    }

    /// The user of a live session; `used` if it is one more use of it.
    pub(super) fn alive(&self, token: Option<&str>, used: bool) -> Option<AmSession> {
        let mut sessions = self.sessions.lock().unwrap();
        let session = sessions.get_mut(token?)?;
        if session.end <= now() || session.latest + IDLE <= now() {
            return None;
        }
        if used {
            session.latest = now();
            session.uses += 1;
        }
        Some(session.clone())
    }

    fn about_session(&self, request: &AmRequest, query: &str, dialect: Dialect) -> (u16, String) {
        let caller = request.token.as_deref();
        let in_header = self.alive(caller, caller.is_some());
        let action = query.strip_prefix("_action=").unwrap_or_default();
        let body: Value = serde_json::from_str(&request.body).unwrap_or_default();
        let major = request
            .version
            .strip_prefix("resource=")
            .unwrap_or_default();
        let major = major.split('.').next().unwrap_or_default();
        let self_proving = dialect == Dialect::PingAm && body["tokenId"].is_string();
        let validates = dialect != Dialect::PingAm && major == "1" && action == "validate";
        if in_header.is_none() && !self_proving && !validates {
            return denied();
        }
        let knows: &[&str] = match dialect {
            Dialect::PingAm => &["1", "2", "3", "4", "5"],
            Dialect::OpenAm => &["1", "2"],
            Dialect::Old => &["1"],
        };
        if !knows.contains(&major) {
            return match dialect {
                Dialect::OpenAm => refusal(404, "Not Found", "Resource &#39;&#39; not found"),
                _ => refusal(
                    404,
                    "Not Found",
                    "Accept-API-Version: Requested version \"4.0\" does not match any routes.",
                ),
            };
        }
        let target = body["tokenId"].as_str().or(caller).unwrap_or_default();
        let resets = matches!(action, "validate" | "getSessionInfoAndResetIdleTime");
        if action == "logout" {
            self.sessions.lock().unwrap().remove(target);
            return (
                200,
                json!({"result": "Successfully logged out"}).to_string(),
            );
        }
        let Some(session) = self.alive(Some(target), resets) else {
            return (200, json!({"valid": false}).to_string());
        };
        let levels = session
            .level
            .iter()
            .map(|level| ("AuthLevel", level.as_str()));
        let levels: BTreeMap<&str, &str> = levels.collect();
        let text = |seconds| Timestamp(seconds).to_string();
        let answer = match (major, action) {
            ("1", "validate") => {
                json!({"valid": true, "uid": session.user, "realm": session.realm})
            }
            ("1", "getProperty") | ("2", "getSessionProperties") => json!(levels),
            ("2" | "3" | "4" | "5", "getSessionInfo")
            | ("4" | "5", "getSessionInfoAndResetIdleTime") => json!({
                "username": session.user,
                "universalId": format!("id={},ou=user,dc=am", session.user),
                "realm": session.realm,
                "latestAccessTime": text(session.latest),
                "maxIdleExpirationTime": text(session.latest + IDLE),
                "maxSessionExpirationTime": text(session.end),
                "properties": levels,
            }),
            _ => {
                return refusal(
                    501,
                    "Not Implemented",
                    "Action not implemented for this resource",
                );
            }
        };
        (200, answer.to_string())
    }

    fn user(&self, request: &AmRequest, user: &str, readable: bool) -> (u16, String) {
        match self.alive(request.token.as_deref(), true) {
            None => denied(),
            Some(session) if session.user != user || !readable => {
                refusal(403, "Forbidden", "Forbidden")
            }
            Some(_) => {
                let user = json!({
                    "_id": user, "username": user, "realm": "/", "uid": [user],
                    "mail": [format!("{user}@example.com")],
                    "dn": [format!("uid={user},ou=people,dc=am")],
                    "isMemberOf": ["cn=staff,ou=groups,dc=am"],
                });
                (200, user.to_string())
            }
        }
    }

    fn policies(&self, request: &AmRequest, decision: &Value) -> (u16, String) {
        match self.alive(request.token.as_deref(), true) {
            None => return denied(),
            Some(session) if session.user != AGENT => {
                return refusal(403, "Forbidden", "The user has insufficient privileges");
            }
            Some(_) => {}
        }
        let body: Value = serde_json::from_str(&request.body).unwrap_or_default();
        if self
            .alive(body["subject"]["ssoToken"].as_str(), false)
            .is_none()
        {
            return refusal(400, "Bad Request", "Invalid value subject");
        }
        let mut decision = decision.clone();
        decision["resource"] = body["resources"][0].clone();
        decision["attributes"] = json!({});
        (200, json!([decision]).to_string())
    }
}

fn refusal(status: u16, reason: &str, message: &str) -> (u16, String) {
    let body = json!({"code": status, "reason": reason, "message": message});
    (status, body.to_string())
}

fn denied() -> (u16, String) {
    refusal(401, "Unauthorized", "Access Denied")
}
