//! Sessions as by the REST API of AM.

use http::StatusCode;

use super::Answered;
use super::core::Core;
use crate::access::Visit;
use crate::config::services::Am;
use crate::http::body::RequestBody;

/// What is asked.
#[derive(Debug)]
pub struct Call;

/// Whether a request is for this service.
pub fn route(service: &Am, visit: &Visit<'_>) -> Option<Call> {
    crate::access::protection::covers(&service.path, visit.target.resource()).then_some(Call)
}

/// Answers a call.
pub async fn answer(_: &Core<'_>, _: &Am, _: Call, _: RequestBody) -> Answered {
    super::core::status(StatusCode::NOT_FOUND).into()
}
