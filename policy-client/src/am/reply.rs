//! What AM answers, before it is known what it was asked: content, or a refusal in AM's own form.
//!
//! Anything else (a page of HTML, a gateway's 401, a body that is cut off) is nobody's answer.

use policy_protocol::Secret;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::PolicyError;
use crate::foreign::for_log;

/// An answer that is AM's own.
#[derive(Debug)]
pub(super) enum Reply {
    /// It did what it was asked to.
    Content(Secret<Vec<u8>>),
    /// It did not.
    Refused(Refusal),
}

/// Why it did not.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: u16,
    /// For the log.
    pub(super) message: String,
}

/// `{"code":401,"reason":"Unauthorized","message":"Access Denied"}`, or `{"errorMessage":"..."}` in the first
/// version of authenticate.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ErrorBody {
    code: Option<u16>,
    message: Option<String>,
    error_message: Option<String>,
}

impl Reply {
    /// Reads an answer.
    ///
    /// # Errors
    /// If it is not AM's, or says that the server failed.
    pub(super) fn read(status: u16, body: Secret<Vec<u8>>) -> Result<Self, PolicyError> {
        match status {
            200..=299 => Ok(Self::Content(body)),
            400..=499 | 501 => {
                let error: ErrorBody =
                    serde_json::from_slice(body.expose()).map_err(|_| PolicyError::Protocol)?;
                if error.code != Some(status) && error.error_message.is_none() {
                    return Err(PolicyError::Protocol);
                }
                let message = error.message.or(error.error_message).unwrap_or_default();
                Ok(Self::Refused(Refusal { status, message }))
            }
            _ => Err(PolicyError::Failure),
        }
    }
}

impl Refusal {
    /// Says in the log what AM said, and that nothing follows from it.
    pub(super) fn unforeseen(&self, asked: &'static str) -> PolicyError {
        let Self { status, message } = self;
        let message = for_log(message);
        tracing::warn!(asked, status, message, "refused by AM");
        PolicyError::Failure
    }
}

/// Reads JSON.
///
/// # Errors
/// [`PolicyError::Protocol`], if it is something else.
pub(super) fn parse<T: DeserializeOwned>(body: &Secret<Vec<u8>>) -> Result<T, PolicyError> {
    serde_json::from_slice(body.expose()).map_err(|_| PolicyError::Protocol)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// An answer as AM gives it.
    pub(in crate::am) fn reply(status: u16, body: &str) -> Result<Reply, PolicyError> {
        Reply::read(status, Secret::new(body.as_bytes().to_vec()))
    }

    #[test]
    fn only_a_refusal_in_the_servers_own_form_is_one() {
        let denied = r#"{"code":401,"reason":"Unauthorized","message":"Access Denied"}"#;
        let Ok(Reply::Refused(refusal)) = reply(401, denied) else {
            panic!("a refusal")
        };
        assert_eq!(
            (refusal.status, refusal.message.as_str()),
            (401, "Access Denied")
        );
        let old = reply(401, r#"{"errorMessage":"Invalid Password!!"}"#);
        assert!(matches!(old, Ok(Reply::Refused(_))));
        for (status, body) in [
            (401, "<html><body>401 Authorization Required</body></html>"),
            (401, ""),
            (401, "{}"),
            (401, r#"{"code":403,"reason":"Forbidden"}"#),
            (403, "[]"),
            (404, "Not Found"),
            (404, r#"{"code":"#),
        ] {
            assert_eq!(
                reply(status, body).err(),
                Some(PolicyError::Protocol),
                "{status} {body}"
            );
        }
        for status in [100, 302, 304, 500, 502, 503] {
            assert_eq!(
                reply(status, denied).err(),
                Some(PolicyError::Failure),
                "{status}"
            );
        }
    }
}
