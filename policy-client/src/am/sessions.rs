//! Questions about sessions, in the version that the servers speak.
//!
//! A session is asked about with its own token: that needs no rights. From version 3 on the token may stand in the
//! body alone, and the question leaves the idle time as it is; a token in the header is a use of the session.

use http::HeaderMap;
use policy_protocol::{ProtectionLevel, Secret};
use serde_json::json;

use super::rest::{Ask, Rest, nothing};
use super::session_info::{self, AUTH_LEVEL, Found, SessionInfo};
use super::version::{Learned, SessionsApi};
use crate::PolicyError;
use crate::retry::Repeat;

/// What a session is asked about for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// It is used: its idle time begins anew.
    Use,
    /// Only to know.
    Look,
}

/// Where the token stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Body,
    Header,
    Both,
}

/// Asks about sessions.
#[derive(Default)]
pub(super) struct Sessions {
    version: Learned,
}

impl Sessions {
    /// The session of a token; `None` if it is over or never was.
    ///
    /// # Errors
    /// If AM cannot tell.
    pub(super) async fn find(
        &self,
        rest: &Rest,
        token: &str,
        purpose: Purpose,
    ) -> Result<Option<SessionInfo>, PolicyError> {
        if let Some(api) = self.version.get() {
            match ask(rest, api, token, purpose).await? {
                Found::UnknownVersion => self.version.forget(api),
                found => return Ok(alive(found)),
            }
        }
        self.learn(rest, token).await
    }

    /// Asks in one version after the other. Only an answer that shows that the version is known teaches anything:
    /// a dead token is refused in any.
    async fn learn(&self, rest: &Rest, token: &str) -> Result<Option<SessionInfo>, PolicyError> {
        for api in SessionsApi::LADDER {
            match ask_first(rest, api, token).await? {
                Found::UnknownVersion => {}
                Found::Unauthenticated => return Ok(None),
                found @ (Found::Live(_) | Found::Dead) => {
                    self.version.set(api);
                    return Ok(alive(found));
                }
            }
        }
        tracing::error!("AM speaks no version of its sessions that is known here");
        Err(PolicyError::Failure)
    }

    /// The authentication level, where the answer about the session did not hold it.
    ///
    /// # Errors
    /// If AM cannot tell.
    pub(super) async fn level(
        &self,
        rest: &Rest,
        token: &str,
        realm: &str,
    ) -> Result<Option<ProtectionLevel>, PolicyError> {
        let (api, action, body) = match self.version.get() {
            Some(api @ SessionsApi::V1) => {
                let body = json!({ "properties": [AUTH_LEVEL] }).to_string();
                (api, "getProperty", Secret::new(body.into_bytes()))
            }
            Some(api @ SessionsApi::V2) => (api, "getSessionProperties", nothing()),
            // It stands among the properties, or may not be read.
            Some(SessionsApi::V3 | SessionsApi::V4 | SessionsApi::V5) | None => return Ok(None),
        };
        let reply = rest.send(call(api, action, Some(token), body)).await?;
        session_info::read_level(reply, realm)
    }

    /// Ends a session. One that was over already is over.
    ///
    /// # Errors
    /// If AM does not say that it is over.
    pub(super) async fn end(&self, rest: &Rest, token: &str) -> Result<(), PolicyError> {
        let known = self.version.get();
        for api in known.into_iter().chain(SessionsApi::LADDER) {
            let reply = rest
                .send(call(api, "logout", Some(token), nothing()))
                .await?;
            if session_info::read_logout(reply)? {
                return Ok(());
            }
        }
        Err(PolicyError::Failure)
    }
}

fn alive(found: Found) -> Option<SessionInfo> {
    match found {
        Found::Live(info) => Some(*info),
        Found::Dead | Found::Unauthenticated | Found::UnknownVersion => None,
    }
}

/// Asks in a version that is not known to be understood. The token stands in the header too, because some servers
/// look at the version only when they know who asks.
async fn ask_first(rest: &Rest, api: SessionsApi, token: &str) -> Result<Found, PolicyError> {
    let (action, place) = match api {
        SessionsApi::V1 => ("validate", Place::Header),
        SessionsApi::V2 => ("getSessionInfo", Place::Header),
        SessionsApi::V3 | SessionsApi::V4 | SessionsApi::V5 => ("getSessionInfo", Place::Both),
    };
    ask_once(rest, api, action, token, place).await
}

async fn ask(
    rest: &Rest,
    api: SessionsApi,
    token: &str,
    purpose: Purpose,
) -> Result<Found, PolicyError> {
    match (api, purpose) {
        // These two reset the idle time in any case, the second because the session itself asks.
        (SessionsApi::V1, _) => ask_once(rest, api, "validate", token, Place::Header).await,
        (SessionsApi::V2, _) => ask_once(rest, api, "getSessionInfo", token, Place::Header).await,
        (SessionsApi::V3, Purpose::Use) => {
            match ask_once(rest, api, "refresh", token, Place::Both).await {
                // Not allowed to everybody; asked from the header, the next one is a use as well.
                Ok(Found::Live(_)) | Err(PolicyError::Failure) => {
                    ask_once(rest, api, "getSessionInfo", token, Place::Both).await
                }
                over => over,
            }
        }
        (SessionsApi::V4 | SessionsApi::V5, Purpose::Use) => {
            let action = "getSessionInfoAndResetIdleTime";
            ask_once(rest, api, action, token, Place::Both).await
        }
        (SessionsApi::V3 | SessionsApi::V4 | SessionsApi::V5, Purpose::Look) => {
            match ask_once(rest, api, "getSessionInfo", token, Place::Body).await? {
                Found::Unauthenticated => {
                    ask_once(rest, api, "getSessionInfo", token, Place::Header).await
                }
                found => Ok(found),
            }
        }
    }
}

async fn ask_once(
    rest: &Rest,
    api: SessionsApi,
    action: &'static str,
    token: &str,
    place: Place,
) -> Result<Found, PolicyError> {
    let body = match place {
        Place::Header => nothing(),
        Place::Body | Place::Both => {
            Secret::new(json!({ "tokenId": token }).to_string().into_bytes())
        }
    };
    let in_header = (place != Place::Body).then_some(token);
    session_info::read(rest.send(call(api, action, in_header, body)).await?)
}

fn call<'a>(
    api: SessionsApi,
    action: &str,
    token: Option<&'a str>,
    body: Secret<Vec<u8>>,
) -> Ask<'a> {
    Ask {
        repeat: Repeat::Freely,
        path: &["sessions"],
        query: Some(format!("_action={action}")),
        version: api.accept(),
        token,
        headers: HeaderMap::new(),
        body: Some(body),
    }
}
