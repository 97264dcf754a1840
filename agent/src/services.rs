//! Session services in the dialects of other systems: [`authaz`], [`am`] and [`vsphere`], over one [`core`].
//!
//! All sessions are one kind: what one dialect creates, every other accepts, and so does the gateway. The token is
//! the value of SMSESSION. Which services there are is a matter of the listener; they answer on every host.

pub mod am;
pub mod authaz;
pub mod core;
pub mod vsphere;

use std::sync::Arc;

use http::{HeaderMap, Response};

use self::core::Core;
use crate::access::Visit;
use crate::http::ConnectionInfo;
use crate::http::body::{Body, RequestBody};
use crate::session::Sessions;

/// Whether a cookie holds a token for a service of this listener, which is none of an application's business.
pub fn keeps_cookie(conn: &ConnectionInfo, name: &[u8]) -> bool {
    has_vsphere(conn) && name == vsphere::SESSION_ID.as_str().as_bytes()
}

/// Takes headers out that hold a token for a service of this listener.
pub fn strip(conn: &ConnectionInfo, headers: &mut HeaderMap) {
    if has_vsphere(conn) {
        headers.remove(&vsphere::SESSION_ID);
    }
}

fn has_vsphere(conn: &ConnectionInfo) -> bool {
    let services = conn.services.as_ref();
    services.is_some_and(|services| services.vsphere.is_some())
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
        && let Some(call) = vsphere::route(visit)
    {
        return Served::Answered(Box::pin(vsphere::answer(&core, service, call, body)).await);
    }
    Served::NotOurs(body)
}
