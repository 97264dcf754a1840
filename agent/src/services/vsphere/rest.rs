//! The two REST forms. They differ in statuses, in wrapping, and in the path of the cookie.

use cookie::{Cookie, SameSite};
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use policy_protocol::message::Credentials;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::operations::{self, Done, Fault, Operation};
use super::{SESSION_ID, in_json, messages, saml, single};
use crate::access::Visit;
use crate::config::services::Vsphere;
use crate::http::body::Body;
use crate::http::cookies;
use crate::login::direct;
use crate::login::form::is_same_origin;
use crate::services::core::Core;

/// Whoever sends this, with whatever value, keeps the id and wants no cookie.
static USE_HEADER: HeaderName = HeaderName::from_static("vmware-use-header-authn");

/// One of the REST forms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Below `/rest`: everything is a `value`.
    Old,
    /// Below `/api`.
    New,
}

/// A body that was read, or what is wrong with it.
pub(super) type Received = Result<Zeroizing<Vec<u8>>, Fault>;

/// Answers a call.
pub(super) async fn answer(
    core: &Core<'_>,
    service: &Vsphere,
    form: Form,
    operation: Result<Operation, Fault>,
    body: Received,
) -> Response<Body> {
    let outcome = perform(core, service, operation, body).await;
    match outcome {
        Ok(done) => form.done(core.visit, service, done),
        Err(fault) => form.fault(service, fault),
    }
}

async fn perform(
    core: &Core<'_>,
    service: &Vsphere,
    operation: Result<Operation, Fault>,
    body: Received,
) -> Result<Done, Fault> {
    let body = body?;
    match operation? {
        Operation::Create => {
            let credentials = presented(core, service, &body).await;
            operations::create(core, service, credentials).await
        }
        Operation::Get => {
            operations::get_or_delete(core, service, session_id(core.visit), false).await
        }
        Operation::Delete => {
            operations::get_or_delete(core, service, session_id(core.visit), true).await
        }
    }
}

/// A password or an assertion. Browsers repeat a password by themselves, for pages of other sites, too: those do
/// not count.
async fn presented(core: &Core<'_>, service: &Vsphere, body: &[u8]) -> Option<Credentials> {
    let visit = core.visit;
    let value = single(visit.headers, &header::AUTHORIZATION)?.as_bytes();
    match direct::basic(value) {
        Some(password) => is_same_origin(visit).then_some(password),
        None => saml::from_header(core, service.saml.as_ref(), value, body).await,
    }
}

/// The id in the header; without one, that in the cookie. Browsers send a cookie for pages of other sites,
/// too: that does not count.
fn session_id<'v>(visit: &Visit<'v>) -> Option<&'v [u8]> {
    if visit.headers.contains_key(&SESSION_ID) {
        return single(visit.headers, &SESSION_ID).map(HeaderValue::as_bytes);
    }
    is_same_origin(visit)
        .then(|| cookies::first(visit.headers, SESSION_ID.as_str()))
        .flatten()
}

impl Form {
    fn done(self, visit: &Visit<'_>, service: &Vsphere, done: Done) -> Response<Body> {
        let (status, content) = match (self, done) {
            (_, Done::Created(id)) => return self.created(visit, service, id),
            (_, Done::Info(info)) => (StatusCode::OK, Some(self.wrapped(info.fields()))),
            (Self::Old, Done::Deleted) => (StatusCode::OK, None),
            (Self::New, Done::Deleted) => (StatusCode::NO_CONTENT, None),
        };
        in_json(status, content.as_ref())
    }

    fn created(self, visit: &Visit<'_>, service: &Vsphere, id: String) -> Response<Body> {
        let status = match self {
            Self::Old => StatusCode::OK,
            Self::New => StatusCode::CREATED,
        };
        let mut response = in_json(status, Some(&self.wrapped(json!(id))));
        let keeps_id = visit.headers.get(&USE_HEADER);
        if keeps_id.is_none_or(HeaderValue::is_empty) {
            let cookie = self.set_cookie(service, id);
            response.headers_mut().extend(cookie);
        }
        response
    }

    fn set_cookie(self, service: &Vsphere, id: String) -> Option<(HeaderName, HeaderValue)> {
        let below = match self {
            Self::Old => "/rest",
            Self::New => "/api",
        };
        let cookie = Cookie::build((SESSION_ID.as_str(), id))
            .path(format!("{}{below}", service.path))
            .secure(true)
            .http_only(true)
            .same_site(SameSite::Lax)
            .build();
        let value = HeaderValue::try_from(cookie.to_string()).ok()?;
        Some((header::SET_COOKIE, value))
    }

    fn wrapped(self, value: Value) -> Value {
        match self {
            Self::Old => json!({ "value": value }),
            Self::New => value,
        }
    }

    pub(super) fn fault(self, service: &Vsphere, fault: Fault) -> Response<Body> {
        let (name, kind, messages) = messages(fault);
        let content = match self {
            Self::Old => json!({
                "type": format!("com.vmware.vapi.std.errors.{name}"),
                "value": { "messages": messages },
            }),
            Self::New if fault == Fault::Unauthenticated => json!({
                "error_type": kind,
                "messages": messages,
                "challenge": challenge(service),
            }),
            Self::New => json!({ "error_type": kind, "messages": messages }),
        };
        let status = match fault {
            Fault::Unauthenticated => StatusCode::UNAUTHORIZED,
            Fault::ServiceUnavailable => StatusCode::SERVICE_UNAVAILABLE,
            Fault::NoSuchOperation => StatusCode::NOT_FOUND,
            Fault::NoSuchMethod => StatusCode::METHOD_NOT_ALLOWED,
            Fault::InvalidRequest => StatusCode::BAD_REQUEST,
        };
        let mut response = in_json(status, Some(&content));
        let also = match fault {
            Fault::NoSuchMethod => Some((header::ALLOW, "GET, POST, DELETE")),
            Fault::ServiceUnavailable => Some((header::RETRY_AFTER, "5")),
            _ => None,
        };
        let also = also.map(|(name, value)| (name, HeaderValue::from_static(value)));
        response.headers_mut().extend(also);
        response
    }
}

/// How to log in, for programs that read it there. There is no `WWW-Authenticate`: it would make browsers ask
/// for a password that they then repeat by themselves.
fn challenge(service: &Vsphere) -> String {
    let mut challenge = "Basic realm=\"VAPI endpoint\"".to_owned();
    if let Some(saml) = &service.saml {
        challenge.push_str(",SIGN service=\"VAPI endpoint\"");
        if let Some(sts) = &saml.sts_url {
            challenge.push_str(&format!(",sts=\"{sts}\""));
        }
    }
    challenge
}
