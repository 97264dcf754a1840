//! Refusals as responses.

use http::{HeaderValue, Response, StatusCode, header};
use policy_protocol::Reason;

use super::pages;
use crate::access::{Denial, Visit};
use crate::http::body::Body;
use crate::record::Record;
use crate::site::Site;
use crate::telemetry::Outcome;

/// Seconds after which it is worth asking again.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("5");

/// A refusal as a response. It says what kind of refusal it is and which request to name in a complaint,
/// and nothing else.
pub fn refuse(site: &Site, record: &Record<'_>, denial: &Denial) -> Response<Body> {
    let transaction_id = record.transaction_id.as_str();
    let status = denial.status();
    let outcome = Outcome::from(denial);
    let mut response = if record.from_script {
        problem_response(status, outcome.name(), None, transaction_id)
    } else {
        let html = site.pages.error(outcome, status.as_u16(), transaction_id);
        let mut response = Response::new(Body::text(html));
        *response.status_mut() = status;
        response.headers_mut().extend(pages::PAGE_HEADERS);
        response.headers_mut().insert(
            header::CONTENT_SECURITY_POLICY,
            site.content_security_policy.clone(),
        );
        response
    };
    say_when_to_retry(&mut response);
    response
}

/// A service that is unavailable says for how long.
pub(super) fn say_when_to_retry(response: &mut Response<Body>) {
    if response.status() == StatusCode::SERVICE_UNAVAILABLE {
        response
            .headers_mut()
            .insert(header::RETRY_AFTER, RETRY_AFTER);
    }
}

/// A refusal for programs (RFC 9457).
pub(super) fn problem(
    visit: &Visit<'_>,
    status: StatusCode,
    code: &str,
    reason: Option<Reason>,
) -> Response<Body> {
    problem_response(status, code, reason, visit.transaction_id.as_str())
}

fn problem_response(
    status: StatusCode,
    code: &str,
    reason: Option<Reason>,
    transaction_id: &str,
) -> Response<Body> {
    let mut problem = serde_json::json!({
        "type": "about:blank",
        "title": status.canonical_reason(),
        "status": status.as_u16(),
        "code": code,
        "transaction_id": transaction_id,
    });
    if let Some(reason) = reason {
        problem["sm_auth_reason"] = reason.0.into();
    }
    let mut response = Response::new(Body::text(problem.to_string()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/problem+json"),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
