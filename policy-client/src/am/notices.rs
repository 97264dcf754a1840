//! What AM tells over its WebSocket.
//!
//! `{"topic":"/agent/session","timestamp":"…","body":{"tokenId":"…","eventType":"LOGOUT"}}`: tokens of live
//! sessions are among it, so nothing of it is ever logged.

use policy_protocol::Secret;
use serde::Deserialize;

use crate::PolicyError;

/// The subprotocol.
pub(super) const SUBPROTOCOL: &str = "v1.notifications.forgerock.org";
/// What is subscribed to.
pub(super) const TOPICS: [&str; 2] = ["/agent/session", "/agent/policy"];

/// What AM says when a subscription is in force.
const SUBSCRIBED: &str = "subscription registered";

/// One message.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Notice {
    /// A subscription is in force.
    Subscribed(usize),
    /// A session is over.
    Ended(Secret<String>),
    /// Policies are others than before.
    PoliciesChanged,
    /// Something that changes nothing here.
    Nothing,
    /// Something that may change anything.
    Unknown,
}

/// Asks for one topic, by its place in [`TOPICS`].
pub(super) fn subscription(topic: usize) -> String {
    let topic = TOPICS[topic];
    format!(r#"{{"action":"subscribe","topic":"{topic}"}}"#)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Message {
    topic: Option<String>,
    message: Option<String>,
    error: Option<String>,
    body: Option<Body>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    token_id: Option<Secret<String>>,
    event_type: Option<String>,
}

/// Reads one message.
///
/// # Errors
/// If it is none, or says that the server did not do as it was asked.
pub(super) fn read(text: &str) -> Result<Notice, PolicyError> {
    let message: Message = serde_json::from_str(text).map_err(|_| PolicyError::Protocol)?;
    if message.error.is_some() {
        return Err(PolicyError::Failure);
    }
    let topic = message.topic.ok_or(PolicyError::Protocol)?;
    let topic = TOPICS.iter().position(|known| *known == topic);
    let Some(body) = message.body else {
        return match (topic, message.message.as_deref()) {
            (Some(topic), Some(SUBSCRIBED)) => Ok(Notice::Subscribed(topic)),
            _ => Err(PolicyError::Protocol),
        };
    };
    let kind = body.event_type.ok_or(PolicyError::Protocol)?;
    match (topic, kind.as_str()) {
        (Some(0), "LOGOUT" | "DESTROY" | "IDLE_TIMEOUT" | "MAX_TIMEOUT") => body
            .token_id
            .map(Notice::Ended)
            .ok_or(PolicyError::Protocol),
        (Some(0), "SESSION_CREATION" | "PROPERTY_CHANGED") => Ok(Notice::Nothing),
        (Some(1), _) => Ok(Notice::PoliciesChanged),
        _ => Ok(Notice::Unknown),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(kind: &str) -> Result<Notice, PolicyError> {
        read(&format!(
            r#"{{"topic":"/agent/session","timestamp":"2026-11-22T03:00:00.000Z","body":{{"tokenId":"AQIC5test.*","eventType":"{kind}"}}}}"#
        ))
    }

    #[test]
    fn every_end_of_a_session_is_one() {
        for kind in ["LOGOUT", "DESTROY", "IDLE_TIMEOUT", "MAX_TIMEOUT"] {
            let token = Secret::new(String::from("AQIC5test.*"));
            assert_eq!(session(kind), Ok(Notice::Ended(token)), "{kind}");
        }
        for kind in ["SESSION_CREATION", "PROPERTY_CHANGED"] {
            assert_eq!(session(kind), Ok(Notice::Nothing), "{kind}");
        }
        assert_eq!(session("MOON_RISES"), Ok(Notice::Unknown));
    }

    #[test]
    fn subscriptions_and_changes_of_policies_are_read() {
        for (number, topic) in TOPICS.into_iter().enumerate() {
            let said =
                format!(r#"{{"topic":"{topic}","message":"subscription registered","id":"1"}}"#);
            assert_eq!(read(&said), Ok(Notice::Subscribed(number)));
            let asked: serde_json::Value = serde_json::from_str(&subscription(number)).unwrap();
            assert_eq!(
                (&asked["action"], &asked["topic"]),
                (&"subscribe".into(), &topic.into())
            );
        }
        let policy = r#"{"topic":"/agent/policy","timestamp":"x","body":{"realm":"/","policy":"p","policySet":"s","eventType":"UPDATE"}}"#;
        assert_eq!(read(policy), Ok(Notice::PoliciesChanged));
        let other = r#"{"topic":"/agent/config","body":{"eventType":"UPDATE"}}"#;
        assert_eq!(read(other), Ok(Notice::Unknown));
    }

    #[test]
    fn whatever_is_no_notice_loses_the_link() {
        for (text, expected) in [
            ("", PolicyError::Protocol),
            ("[]", PolicyError::Protocol),
            ("{}", PolicyError::Protocol),
            (r#"{"topic":"/agent/session"}"#, PolicyError::Protocol),
            (
                r#"{"topic":"/agent/other","message":"subscription registered"}"#,
                PolicyError::Protocol,
            ),
            (
                r#"{"topic":"/agent/session","message":"unsubscribed"}"#,
                PolicyError::Protocol,
            ),
            (
                r#"{"topic":"/agent/session","body":{"tokenId":"x"}}"#,
                PolicyError::Protocol,
            ),
            (
                r#"{"topic":"/agent/session","body":{"eventType":"LOGOUT"}}"#,
                PolicyError::Protocol,
            ),
            (
                r#"{"error":"unknown action \"x\"","id":"1"}"#,
                PolicyError::Failure,
            ),
        ] {
            assert_eq!(read(text), Err(expected), "{text}");
        }
    }

    #[test]
    fn a_token_is_not_in_debug_output() {
        assert!(!format!("{:?}", session("LOGOUT")).contains("AQIC5"));
    }
}
