//! Sessions as by the AuthAz web services of an Access Gateway.
//!
//! | below the service's path | is |
//! |---|---|
//! | `AuthRestService/login/{appId}/{resource}`, `blogin`, `logout`, `authz` | an operation: `rest` |
//! | `login/{appId}/{resource}`, `blogin`, `logout`, `authz` | the same, shorter |
//! | `auth` | all operations: `soap` |
//! | `auth?wsdl` | what these are, for clients that are made from it: `description` |

mod caller;
mod description;
mod fields;
mod operation;
mod operations;
mod reply;
mod rest;
mod soap;
mod xml;

use http::{HeaderMap, Method, Response, StatusCode};

use self::reply::{Format, Reply};
use self::rest::Rest;
use super::Answered;
use super::core::Core;
use super::respond::status;
use crate::access::Visit;
use crate::access::protection::covers;
use crate::config::services::Authaz;
use crate::http::body::{Body, RequestBody};

/// What is asked.
#[derive(Debug)]
pub enum Call {
    /// An operation of the REST interface.
    Rest(Rest),
    /// The SOAP interface.
    Soap,
    /// What the SOAP interface is.
    Description,
    /// There is nothing at this path.
    Unknown,
}

/// Whether a request is for this service.
pub fn route(service: &Authaz, visit: &Visit<'_>) -> Option<Call> {
    let target = visit.target;
    if !covers(&service.path, target.resource()) {
        return None;
    }
    let below = target.path().strip_prefix(service.path.as_str());
    let reads = *target.method() == Method::GET;
    Some(match below {
        Some("/auth") if reads && description::is_asked_for(target.query()) => Call::Description,
        Some("/auth") => Call::Soap,
        Some(below) => Rest::parse(below, target.query()).map_or(Call::Unknown, Call::Rest),
        None => Call::Unknown,
    })
}

/// The refusal of a request whose target cannot be read, if it was to be one for this service.
pub fn refuse(
    service: &Authaz,
    path: &str,
    headers: &HeaderMap,
    status: StatusCode,
) -> Option<Response<Body>> {
    if !covers(&service.path, path) {
        return None;
    }
    let below = path.strip_prefix(service.path.as_str())?;
    Some(match Rest::parse(below, None) {
        Some(call) => Reply::refused(call.operation, status).in_rest(Format::wanted(headers)),
        None if below == "/auth" => soap::refused(headers, status),
        None => self::status(status),
    })
}

/// Answers a call.
pub async fn answer(core: &Core<'_>, service: &Authaz, call: Call, body: RequestBody) -> Answered {
    let response = match call {
        Call::Rest(call) => rest::answer(core, service, call, body).await,
        Call::Soap => soap::answer(core, service, body).await,
        Call::Description => description::answer(core, service).await,
        Call::Unknown => status(StatusCode::NOT_FOUND),
    };
    response.into()
}
