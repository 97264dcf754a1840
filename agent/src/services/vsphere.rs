//! The Session service of the vSphere Automation API (`com.vmware.cis.session`): create, get and delete.
//!
//! | form | request | module |
//! |---|---|---|
//! | old REST | `/rest/com/vmware/cis/session`, also `/rest/session`; `?~action=get` | `rest` |
//! | new REST | `/api/session` | `rest` |
//! | JSON-RPC | `POST /api` with `vapi-service: com.vmware.cis.session` | `rpc` |
//!
//! All are below the path of the service, if it has one. What they do is in `operations`, whatever the form. `POST /api` without that header is left to applications:
//! the path alone tells nothing.

mod operations;
mod rest;
mod rpc;
#[cfg(feature = "saml")]
pub mod saml;
#[cfg(not(feature = "saml"))]
#[path = "vsphere/without_saml.rs"]
mod saml;

use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};
use serde_json::{Value, json};
use url::form_urlencoded;

use self::operations::{Fault, Operation};
use self::rest::Form;
use super::core::Core;
use super::{Answered, MAX_BODY, respond};
use crate::access::Visit;
use crate::config::services::Vsphere;
use crate::http::body::{Body, RequestBody};

/// Header and cookie that hold the id of a session: our token.
pub static SESSION_ID: HeaderName = HeaderName::from_static("vmware-api-session-id");
/// The service that a JSON-RPC request is for.
static SERVICE_HEADER: HeaderName = HeaderName::from_static("vapi-service");
/// The name of the only service that there is.
const SERVICE: &str = "com.vmware.cis.session";

const OLD_PATH: &str = "/rest/com/vmware/cis/session";
/// What the Python SDK makes of the address of a server of the old form.
const SHORT_PATH: &str = "/rest/session";
const NEW_PATH: &str = "/api/session";
const RPC_PATH: &str = "/api";

/// All of them.
pub fn paths(service: &Vsphere) -> Vec<String> {
    let all = [OLD_PATH, SHORT_PATH, NEW_PATH, RPC_PATH];
    all.map(|path| format!("{}{path}", service.path)).into()
}

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// By method, path and query; the operation, or what is wrong.
    Rest(Form, Result<Operation, Fault>),
    /// In a JSON-RPC message.
    Rpc,
}

/// Whether a request is for this service.
pub fn route(service: &Vsphere, visit: &Visit<'_>) -> Option<Call> {
    let target = visit.target;
    find(
        target.method(),
        target.resource().strip_prefix(service.path.as_str())?,
        target.query(),
        visit.headers,
    )
}

/// The refusal of a request whose target cannot be read, if it was to be one for this service.
pub fn refuse(service: &Vsphere, parts: &Parts, status: StatusCode) -> Option<Response<Body>> {
    let uri = &parts.uri;
    let below = uri.path().strip_prefix(service.path.as_str())?;
    let call = find(&parts.method, below, uri.query(), &parts.headers)?;
    Some(match call {
        Call::Rest(form, _) => {
            let fault = match status {
                StatusCode::METHOD_NOT_ALLOWED => Fault::NoSuchMethod,
                _ => Fault::InvalidRequest,
            };
            let mut response = form.fault(service, fault);
            *response.status_mut() = status;
            response
        }
        Call::Rpc => rpc::no_request(),
    })
}

/// What is asked of a path below the service's.
fn find(method: &Method, path: &str, query: Option<&str>, headers: &HeaderMap) -> Option<Call> {
    let form = match path {
        OLD_PATH | SHORT_PATH => Form::Old,
        NEW_PATH => Form::New,
        RPC_PATH if method == Method::POST => {
            let service = single(headers, &SERVICE_HEADER)?;
            return (service.as_bytes() == SERVICE.as_bytes()).then_some(Call::Rpc);
        }
        _ => return None,
    };
    Some(Call::Rest(form, operation(form, method, query)))
}

/// The old form has `get` as an action; some clients of it send a plain GET.
fn operation(form: Form, method: &Method, query: Option<&str>) -> Result<Operation, Fault> {
    let actions: Vec<_> = form_urlencoded::parse(query.unwrap_or_default().as_bytes())
        .filter(|(name, _)| name == "~action")
        .map(|(_, action)| action)
        .collect();
    match (method, actions.as_slice()) {
        (&Method::POST, []) => Ok(Operation::Create),
        (&Method::GET, []) => Ok(Operation::Get),
        (&Method::DELETE, []) => Ok(Operation::Delete),
        (&Method::POST | &Method::GET, [action]) if form == Form::Old && action == "get" => {
            Ok(Operation::Get)
        }
        (&Method::POST | &Method::GET | &Method::DELETE, _) => Err(Fault::NoSuchOperation),
        _ => Err(Fault::NoSuchMethod),
    }
}

/// A header that is there once: of two, nobody knows which one counts.
fn single<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h HeaderValue> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?;
    values.next().is_none().then_some(value)
}

/// Answers a call. The body is read whatever the call is: what is left of it would be taken for the next
/// request of the connection, or cost the client the connection.
pub async fn answer(core: &Core<'_>, service: &Vsphere, call: Call, body: RequestBody) -> Answered {
    let body = body.read(MAX_BODY).await;
    let body = body.map_err(|_| Fault::InvalidRequest);
    let response = match call {
        Call::Rest(form, operation) => rest::answer(core, service, form, operation, body).await,
        Call::Rpc => rpc::answer(core, service, body).await,
    };
    response.into()
}

/// Every answer: JSON, or nothing.
fn in_json(status: StatusCode, content: Option<&Value>) -> Response<Body> {
    match content {
        Some(content) => respond::content(status, "application/json", content.to_string()),
        None => respond::empty(status),
    }
}

/// The name of a standard error in lower and upper case, and its messages. Those of 401 and 404 are as known
/// from other servers; the others have ids of our own.
fn messages(fault: Fault) -> (&'static str, &'static str, [Value; 1]) {
    let (name, kind, id, text) = match fault {
        Fault::Unauthenticated => (
            "unauthenticated",
            "UNAUTHENTICATED",
            "com.vmware.vapi.endpoint.method.authentication.required",
            "Authentication required.",
        ),
        Fault::ServiceUnavailable => (
            "service_unavailable",
            "SERVICE_UNAVAILABLE",
            "doorward.service_unavailable",
            "The service is unavailable.",
        ),
        Fault::NoSuchOperation => (
            "operation_not_found",
            "OPERATION_NOT_FOUND",
            "com.vmware.vapi.rest.httpNotFound",
            "Not found.",
        ),
        Fault::NoSuchMethod => (
            "operation_not_found",
            "OPERATION_NOT_FOUND",
            "doorward.method_not_allowed",
            "Method not allowed.",
        ),
        Fault::InvalidRequest => (
            "invalid_request",
            "INVALID_REQUEST",
            "doorward.invalid_request",
            "The request cannot be read.",
        ),
    };
    let message = json!({ "id": id, "default_message": text, "args": [] });
    (name, kind, [message])
}

#[cfg(test)]
mod tests;
