//! Sessions as by the AuthAz web services.

use http::StatusCode;

use super::Answered;
use super::core::Core;
use crate::access::Visit;
use crate::config::services::Authaz;
use crate::http::body::RequestBody;

/// What is asked.
#[derive(Debug)]
pub struct Call;

/// Whether a request is for this service.
pub fn route(service: &Authaz, visit: &Visit<'_>) -> Option<Call> {
    crate::access::protection::covers(&service.path, visit.target.resource()).then_some(Call)
}

/// Answers a call.
pub async fn answer(_: &Core<'_>, _: &Authaz, _: Call, _: RequestBody) -> Answered {
    super::core::status(StatusCode::NOT_FOUND).into()
}
