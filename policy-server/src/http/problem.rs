//! Refusals in JSON (RFC 9457), saying no more than their status.

use ::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use policy_client::PolicyError;

/// A refusal.
pub(super) struct Problem(pub(super) StatusCode);

impl From<PolicyError> for Problem {
    /// Whatever failed, failed: the log says more.
    fn from(_: PolicyError) -> Self {
        Self(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let Self(status) = self;
        let title = status.canonical_reason().unwrap_or_default();
        let body = format!(
            "{{\"type\":\"about:blank\",\"title\":\"{title}\",\"status\":{}}}",
            status.as_u16()
        );
        let media_type = HeaderValue::from_static("application/problem+json");
        (status, [(header::CONTENT_TYPE, media_type)], body).into_response()
    }
}
