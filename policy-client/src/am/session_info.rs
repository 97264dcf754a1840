//! What AM says of a session: the answers to `getSessionInfo`, `getSessionInfoAndResetIdleTime`, `refresh` and
//! `validate`, which differ by version.

use std::collections::BTreeMap;

use policy_protocol::{ProtectionLevel, Timestamp};
use serde::Deserialize;
use serde_json::Value;

use super::reply::{Reply, parse};
use crate::PolicyError;
use crate::foreign::moment;

/// A session, as far as AM tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SessionInfo {
    /// The login name.
    pub(super) user: String,
    /// Such as `id=alice,ou=user,dc=example,dc=com`; version 1 does not tell.
    pub(super) universal_id: Option<String>,
    /// Such as `/` or `/customers`.
    pub(super) realm: String,
    /// Up to a minute behind: AM writes it no more often.
    pub(super) latest_access: Option<Timestamp>,
    pub(super) idle_end: Option<Timestamp>,
    pub(super) end: Option<Timestamp>,
    /// The property `AuthLevel`, if it may be read.
    pub(super) level: Option<ProtectionLevel>,
}

/// What becomes of a question about a session.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// It is alive.
    Live(Box<SessionInfo>),
    /// It is over, or never was.
    Dead,
    /// The token itself was to prove who asks, and does not (401). With the token in the header this says that it
    /// is dead; some servers want it there.
    Unauthenticated,
    /// The server does not speak this version.
    UnknownVersion,
}

/// Every version at once; what is not foreseen is ignored.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Content {
    valid: Option<bool>,
    username: Option<String>,
    uid: Option<String>,
    universal_id: Option<String>,
    realm: Option<String>,
    latest_access_time: Option<Value>,
    max_idle_expiration_time: Option<Value>,
    max_session_expiration_time: Option<Value>,
    #[serde(default)]
    properties: BTreeMap<String, Value>,
}

/// The session property that holds the authentication level.
pub(super) const AUTH_LEVEL: &str = "AuthLevel";

/// Reads what AM says of one session.
///
/// # Errors
/// If it neither says that the session is alive, and whose it is, nor that it is not.
pub(super) fn read(reply: Reply) -> Result<Found, PolicyError> {
    let content: Content = match reply {
        Reply::Content(body) => parse(&body)?,
        Reply::Refused(refusal) if refusal.status == 401 => return Ok(Found::Unauthenticated),
        // Some servers say of an unknown version that there is no such resource.
        Reply::Refused(refusal) if matches!(refusal.status, 404 | 501) => {
            return Ok(Found::UnknownVersion);
        }
        Reply::Refused(refusal) => return Err(refusal.unforeseen("about a session")),
    };
    if content.valid == Some(false) {
        return Ok(Found::Dead);
    }
    let named = |name: Option<String>| name.filter(|name| !name.is_empty());
    let (Some(user), Some(realm)) = (
        named(content.username).or_else(|| named(content.uid)),
        named(content.realm),
    ) else {
        return Err(PolicyError::Protocol);
    };
    let time = |value: Option<Value>| moment(value?.as_str()?);
    Ok(Found::Live(Box::new(SessionInfo {
        level: content
            .properties
            .get(AUTH_LEVEL)
            .and_then(|value| level(value, &realm)),
        user,
        universal_id: named(content.universal_id),
        realm,
        latest_access: time(content.latest_access_time),
        idle_end: time(content.max_idle_expiration_time),
        end: time(content.max_session_expiration_time),
    })))
}

/// Reads the answer to `getSessionProperties` or `getProperty`: an object of properties. A refusal says that
/// `AuthLevel` may not be read.
///
/// # Errors
/// If it is neither.
pub(super) fn read_level(
    reply: Reply,
    realm: &str,
) -> Result<Option<ProtectionLevel>, PolicyError> {
    match reply {
        Reply::Content(body) => {
            let properties: BTreeMap<String, Value> = parse(&body)?;
            Ok(properties
                .get(AUTH_LEVEL)
                .and_then(|value| level(value, realm)))
        }
        Reply::Refused(refusal) if matches!(refusal.status, 403 | 404 | 501) => Ok(None),
        Reply::Refused(refusal) => Err(refusal.unforeseen("about a session's level")),
    }
}

/// Reads the answer to `logout`. `false` if the server does not speak this version.
///
/// # Errors
/// If it does not say that the session is over.
pub(super) fn read_logout(reply: Reply) -> Result<bool, PolicyError> {
    #[derive(Deserialize)]
    struct LoggedOut {
        #[serde(rename = "result")]
        _result: String,
    }
    match reply {
        Reply::Content(body) => parse::<LoggedOut>(&body).map(|_| true),
        // Of a session that is over AM says that nobody asked.
        Reply::Refused(refusal) if refusal.status == 401 => Ok(true),
        Reply::Refused(refusal) if matches!(refusal.status, 404 | 501) => Ok(false),
        Reply::Refused(refusal) => Err(refusal.unforeseen("to end a session")),
    }
}

/// A level is a number, or a text with one; where logins in several realms made the session, several of them with
/// their realms: `/:0|/customers:10`. Only what was reached in the session's own realm counts.
fn level(value: &Value, realm: &str) -> Option<ProtectionLevel> {
    let number = |text: &str| {
        let level: i64 = text.trim().parse().ok()?;
        let most = ProtectionLevel::MAX.0;
        Some(ProtectionLevel(
            u16::try_from(level.max(0)).unwrap_or(most).min(most),
        ))
    };
    let one = |text: &str| match text.rsplit_once(':') {
        Some((of, level)) if of.eq_ignore_ascii_case(realm) => number(level),
        Some(_) => None,
        None => number(text),
    };
    match value {
        Value::Number(level) => number(&level.to_string()),
        Value::String(text) => text.split('|').filter_map(one).max(),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
