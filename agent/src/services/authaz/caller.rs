//! Who may call the service at all.

use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use policy_protocol::AuthScheme;

use super::Core;
use crate::access::Denial;
use crate::config::services::Authaz;
use crate::http::client_origin::is_listed;
use crate::login::challenge::basic_challenge;
use crate::login::form::is_same_origin;

/// A call that is not taken, and headers for the answer.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
}

impl From<StatusCode> for Refused {
    fn from(status: StatusCode) -> Self {
        Self {
            status,
            headers: HeaderMap::new(),
        }
    }
}

/// Whether a call is taken, and headers for the answer. A 500 is one that cannot be decided on.
///
/// # Errors
/// If it is not.
pub(super) async fn admit(core: &Core<'_>, service: &Authaz) -> Result<HeaderMap, Refused> {
    if *core.visit.target.method() != Method::POST {
        return Err(Refused {
            status: StatusCode::METHOD_NOT_ALLOWED,
            headers: HeaderMap::from_iter([(header::ALLOW, HeaderValue::from_static("POST"))]),
        });
    }
    admit_to_read(core, service).await
}

/// The same for what is read and not called.
///
/// # Errors
/// If it is not taken.
pub(super) async fn admit_to_read(core: &Core<'_>, service: &Authaz) -> Result<HeaderMap, Refused> {
    let visit = core.visit;
    let mut headers = HeaderMap::new();
    if !service.callers.is_empty() && !is_listed(&service.callers, visit.origin.address) {
        return Err(StatusCode::FORBIDDEN.into());
    }
    let Some(name) = &service.require_session else {
        return Ok(headers);
    };
    // A page of another site must not call with its visitor's cookie.
    if !is_same_origin(visit) {
        return Err(StatusCode::FORBIDDEN.into());
    }
    let realm = core.realm(name).ok_or(StatusCode::INTERNAL_SERVER_ERROR)?;
    match core.admit(realm).await {
        Ok(cookie) => {
            headers.extend(cookie.map(|cookie| (header::SET_COOKIE, cookie)));
            Ok(headers)
        }
        Err(Denial::Challenge { .. }) => {
            if realm.scheme == AuthScheme::Basic {
                let challenge = basic_challenge(realm);
                headers.extend(challenge.map(|value| (header::WWW_AUTHENTICATE, value)));
            }
            Err(Refused {
                status: StatusCode::UNAUTHORIZED,
                headers,
            })
        }
        Err(Denial::Forbidden { .. } | Denial::Elsewhere { .. }) => {
            Err(StatusCode::FORBIDDEN.into())
        }
        Err(_) => Err(StatusCode::INTERNAL_SERVER_ERROR.into()),
    }
}
