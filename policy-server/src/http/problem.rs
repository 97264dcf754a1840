//! Refusals in JSON (RFC 9457), saying no more than their status.

use ::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use policy_client::PolicyError;

/// A refusal.
pub(super) struct Problem(pub(super) StatusCode);

impl Problem {
    pub(super) const BAD_REQUEST: Self = Self(StatusCode::BAD_REQUEST);
    pub(super) const NOT_FOUND: Self = Self(StatusCode::NOT_FOUND);
}

impl From<PolicyError> for Problem {
    /// What a policy server leans on, a store or a directory, did not answer: another policy server may do
    /// better, and so may this one soon. The log says more.
    fn from(_: PolicyError) -> Self {
        Self(StatusCode::SERVICE_UNAVAILABLE)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        respond(self.0, "about:blank")
    }
}

/// The call was refused before anything of it was looked at. It may be made again, here or elsewhere.
pub(super) fn not_processed() -> Response {
    respond(
        StatusCode::SERVICE_UNAVAILABLE,
        "urn:doorward:problem:not-processed",
    )
}

fn respond(status: StatusCode, kind: &str) -> Response {
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
