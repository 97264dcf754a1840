//! The Session service of the vSphere Automation API.

use http::StatusCode;

use super::Answered;
use super::core::Core;
use crate::access::Visit;
use crate::config::services::Vsphere;
use crate::http::body::RequestBody;

/// What is asked.
#[derive(Debug)]
pub struct Call;

/// Whether a request is for this service.
pub fn route(_: &Visit<'_>) -> Option<Call> {
    None
}

/// Answers a call.
pub async fn answer(_: &Core<'_>, _: &Vsphere, _: Call, _: RequestBody) -> Answered {
    super::core::status(StatusCode::NOT_FOUND).into()
}
