//! Session services in the dialects of other systems: [`authaz`], [`am`] and [`vsphere`], over one [`core`].
//!
//! All sessions are one kind: what one dialect creates, every other accepts, and so does the gateway. The token is
//! the value of SMSESSION. Which services there are is a matter of the listener; they answer on every host.

pub mod am;
pub mod authaz;
pub mod core;
mod respond;
pub mod vsphere;

use std::sync::Arc;

use http::Response;
use http::request::Parts;

use self::core::Core;
use crate::access::protection::covers;
use crate::access::{Denial, Visit};
use crate::config::Listener;
use crate::http::ConnectionInfo;
use crate::http::body::{Body, RequestBody};
use crate::http::target::resource_of;
use crate::session::Sessions;

/// The names of the cookies and headers that hold tokens for the services of any listener: browsers send cookies to every
/// port of a host.
pub fn token_names(listeners: &[Listener]) -> Vec<String> {
    let services = || listeners.iter().map(|listener| &listener.services);
    let am = services().filter_map(|services| Some(services.am.as_ref()?.cookie_name.clone()));
    let has_vsphere = services().any(|services| services.vsphere.is_some());
    am.chain(has_vsphere.then(|| vsphere::SESSION_ID.as_str().to_owned()))
        .collect()
}

/// What the log shows of a path below an AM service of any listener that may have a token in it, before anything else is known
/// of the request. A path without one reading (`//am/json/…`) will be refused, and its sender may have meant the service.
pub fn without_token(listeners: &[Listener], path: &str) -> Option<String> {
    let services = listeners
        .iter()
        .filter_map(|listener| listener.services.am.as_ref());
    let mut services = services.peekable();
    services.peek()?;
    let resource = resource_of(path);
    let path = resource.as_deref().unwrap_or(path);
    services.find_map(|am| {
        let claimed = am.claimed();
        let at = match resource {
            Some(_) => covers(claimed, path).then_some(0),
            None => path.find(claimed),
        }?;
        let below = at + claimed.len();
        let (before, after) = path[below..].split_once("/sessions/")?;
        (!after.is_empty()).then(|| format!("{}{before}/sessions/-", &path[..below]))
    })
}

/// The longest body of a call, in bytes: a SAML assertion is the largest thing that anybody sends.
pub const MAX_BODY: usize = 256 * 1024;

/// What the services make of a request.
#[derive(Debug)]
pub enum Served {
    /// Nothing: the request goes on.
    NotOurs(RequestBody),
    /// An answer, in the shape of its dialect.
    Answered(Answered),
}

/// The answer of a service.
#[derive(Debug)]
pub struct Answered {
    /// The answer.
    pub response: Response<Body>,
    /// What the access log is to show instead of the path, where that holds a token.
    pub logged_path: Option<String>,
}

impl From<Response<Body>> for Answered {
    fn from(response: Response<Body>) -> Self {
        Self {
            response,
            logged_path: None,
        }
    }
}

/// The refusal of a request that was to be a service's and whose target or origin cannot be read, in the service's own shape. What a
/// service is asked it answers itself: nothing else that is refused is at its paths.
pub fn refuse(conn: &ConnectionInfo, parts: &Parts, denial: &Denial) -> Option<Response<Body>> {
    let services = conn.services.as_ref()?;
    let (path, status) = (parts.uri.path(), denial.status());
    let authaz = services.authaz.as_ref();
    let am = services.am.as_ref();
    let vsphere = services.vsphere.as_ref();
    authaz
        .and_then(|service| authaz::refuse(service, path, &parts.headers, status))
        .or_else(|| am::refuse(am?, parts, status))
        .or_else(|| vsphere::refuse(vsphere?, parts, status))
}

/// Answers what is a service's. Whatever goes wrong is an answer in the service's own shape, too.
pub async fn answer(sessions: &Arc<Sessions>, visit: &Visit<'_>, body: RequestBody) -> Served {
    let Some(services) = &visit.conn.services else {
        return Served::NotOurs(body);
    };
    let core = Core::new(sessions, visit);
    // Boxed, so that requests to applications do not carry the room for these.
    if let Some(service) = &services.authaz
        && let Some(call) = authaz::route(service, visit)
    {
        return Served::Answered(Box::pin(authaz::answer(&core, service, call, body)).await);
    }
    if let Some(service) = &services.am
        && let Some(call) = am::route(service, visit)
    {
        return Served::Answered(Box::pin(am::answer(&core, service, call, body)).await);
    }
    if let Some(service) = &services.vsphere
        && let Some(call) = vsphere::route(service, visit)
    {
        return Served::Answered(Box::pin(vsphere::answer(&core, service, call, body)).await);
    }
    Served::NotOurs(body)
}
