//! Refusals in JSON (RFC 9457), saying no more than their status.

use ::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use policy_client::PolicyError;

/// The call was refused before anything of it was looked at. It may be made again, here or elsewhere.
pub(super) const NOT_PROCESSED: &str = "urn:doorward:problem:not-processed";
/// The store takes no writes. Any other policy server would say the same.
pub(super) const NO_ROOM: &str = "urn:doorward:problem:no-room";
/// What the status says.
pub(super) const NO_MORE: &str = "about:blank";

/// A refusal.
pub(super) struct Problem {
    status: StatusCode,
    kind: &'static str,
}

impl Problem {
    pub(super) const BAD_REQUEST: Self = Self::new(StatusCode::BAD_REQUEST);
    pub(super) const NOT_FOUND: Self = Self::new(StatusCode::NOT_FOUND);
    pub(super) const NOT_PROCESSED: Self = Self {
        status: StatusCode::SERVICE_UNAVAILABLE,
        kind: NOT_PROCESSED,
    };

    pub(super) const fn new(status: StatusCode) -> Self {
        Self {
            status,
            kind: NO_MORE,
        }
    }
}

impl From<PolicyError> for Problem {
    /// What a policy server leans on, a store or a directory, did not answer: another policy server may do
    /// better, and so may this one soon. The log says more.
    fn from(error: PolicyError) -> Self {
        Self {
            status: StatusCode::SERVICE_UNAVAILABLE,
            kind: match error {
                PolicyError::NoRoom => NO_ROOM,
                _ => NO_MORE,
            },
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let Self { status, kind } = self;
        let title = status.canonical_reason().unwrap_or_default();
        let body = format!(
            "{{\"type\":\"{kind}\",\"title\":\"{title}\",\"status\":{}}}",
            status.as_u16()
        );
        let mut headers = HeaderMap::new();
        let media_type = HeaderValue::from_static("application/problem+json");
        headers.insert(header::CONTENT_TYPE, media_type);
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        (status, headers, body).into_response()
    }
}
