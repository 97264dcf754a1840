//! What goes wrong, in the one shape that the API has for it.

use std::borrow::Cow;

use http::StatusCode;

use super::json::{Json, object};
use crate::services::core::Unavailable;

/// The longest part of a request that is repeated in a message, in characters.
const MAX_REPEATED: usize = 200;

/// Why a call is not answered with what it asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    message: Cow<'static, str>,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            status,
            message: message.into(),
        }
    }

    pub(super) fn bad_request(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    /// There is no session that the call could be made by.
    pub(super) fn access_denied() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "Access Denied")
    }

    pub(super) fn forbidden() -> Self {
        Self::new(StatusCode::FORBIDDEN, "Forbidden")
    }

    pub(super) fn not_administrator() -> Self {
        Self::new(StatusCode::FORBIDDEN, "User is not an administrator.")
    }

    pub(super) fn no_resource(name: &str) -> Self {
        let message = format!("Resource '{}' not found", repeated(name));
        Self::new(StatusCode::NOT_FOUND, message)
    }

    /// A kind of request that the resource does not have.
    pub(super) fn no_operation() -> Self {
        Self::new(StatusCode::NOT_IMPLEMENTED, "Operation is not supported.")
    }

    pub(super) fn no_action(name: &str) -> Self {
        let message = format!(
            "Action {} not implemented for this resource",
            repeated(name)
        );
        Self::new(StatusCode::NOT_IMPLEMENTED, message)
    }

    pub(super) fn method() -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed")
    }

    pub(super) fn media_type() -> Self {
        let message = "The content of a request must be application/json";
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, message)
    }

    /// What is wrong, without its shape.
    pub(super) fn message(&self) -> &str {
        &self.message
    }

    /// The body.
    pub(super) fn body(&self) -> Json {
        object! {
            "code": self.status.as_u16(),
            "reason": reason(self.status),
            "message": self.message(),
        }
    }
}

/// Never a refusal by content: the policy server gave no answer.
impl From<Unavailable> for Refusal {
    fn from(_: Unavailable) -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "The policy server gave no answer",
        )
    }
}

/// A part of the request, such as it may stand in a message: short, and no markup.
pub(super) fn repeated(text: &str) -> String {
    let mut out = String::new();
    for character in text.chars().take(MAX_REPEATED) {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            control if control.is_control() => out.push(' '),
            other => out.push(other),
        }
    }
    out
}

/// The names that the API has for statuses; some differ from those of HTTP.
fn reason(status: StatusCode) -> &'static str {
    match status.as_u16() {
        408 => "Request Time-out",
        413 => "Request Entity Too Large",
        _ => status.canonical_reason().unwrap_or("Internal Server Error"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_body_has_code_reason_and_message_in_this_order() {
        for (refusal, expected) in [
            (
                Refusal::access_denied(),
                r#"{"code":401,"reason":"Unauthorized","message":"Access Denied"}"#,
            ),
            (
                Refusal::new(StatusCode::REQUEST_TIMEOUT, "Session has timed out"),
                r#"{"code":408,"reason":"Request Time-out","message":"Session has timed out"}"#,
            ),
            (
                Refusal::no_action("<b>"),
                r#"{"code":501,"reason":"Not Implemented","message":"Action &lt;b&gt; not implemented for this resource"}"#,
            ),
            (
                Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, ""),
                r#"{"code":413,"reason":"Request Entity Too Large","message":""}"#,
            ),
        ] {
            assert_eq!(serde_json::to_string(&refusal.body()).unwrap(), expected);
        }
        for (status, name) in [
            (400, "Bad Request"),
            (403, "Forbidden"),
            (404, "Not Found"),
            (405, "Method Not Allowed"),
            (406, "Not Acceptable"),
            (409, "Conflict"),
            (412, "Precondition Failed"),
            (415, "Unsupported Media Type"),
            (500, "Internal Server Error"),
            (503, "Service Unavailable"),
        ] {
            assert_eq!(reason(StatusCode::from_u16(status).unwrap()), name);
        }
    }
}
