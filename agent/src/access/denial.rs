//! Every way a request can be refused, and the one table that turns a refusal into a response.

use std::sync::Arc;

use http::{HeaderValue, StatusCode};
use policy_protocol::Reason;

use crate::config::Realm;
use crate::session::cache::CachedSession;
use crate::session::cookie::KeysMissing;

/// Why a request is not forwarded. Closed: the compiler checks that every one has a response.
#[derive(Debug)]
pub enum Denial {
    /// The request has two readings, or none.
    BadRequest(&'static str),
    /// The Host is not the TLS server name of this connection.
    Misdirected,
    /// No realm covers this host and path.
    NotFound,
    /// The realm does not let this method pass.
    MethodNotAllowed,
    /// The request's body exceeds the limit.
    TooLarge,
    /// The request has more header fields than anybody needs.
    TooManyHeaders,
    /// There is no session that would do: log in.
    Challenge {
        /// Where.
        realm: Arc<Realm>,
        /// Why.
        reason: Reason,
    },
    /// The user is known and may not do this.
    Forbidden {
        /// Where.
        realm: Arc<Realm>,
        /// Who.
        session: Arc<CachedSession>,
        /// Where a policy leads the browser instead.
        redirect: Option<Arc<str>>,
    },
    /// The user is known and may do this, but a policy leads them elsewhere.
    Elsewhere {
        /// Where.
        realm: Arc<Realm>,
        /// Who.
        session: Arc<CachedSession>,
        /// Where to.
        location: Arc<str>,
        /// `Set-Cookie` values that go along.
        cookies: Vec<HeaderValue>,
    },
    /// The policy server cannot be asked, and nothing that is known suffices.
    PolicyUnavailable,
    /// No server of the upstream can be reached, or it broke off.
    UpstreamUnavailable,
    /// The upstream did not answer in time.
    UpstreamTimedOut,
    /// A fault of ours.
    Internal,
}

impl Denial {
    /// The one table from refusals to statuses.
    pub const fn status(&self) -> StatusCode {
        match self {
            Self::BadRequest(_) => StatusCode::BAD_REQUEST,
            Self::Misdirected => StatusCode::MISDIRECTED_REQUEST,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooManyHeaders => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::Challenge { .. } => StatusCode::UNAUTHORIZED,
            Self::Forbidden { .. } => StatusCode::FORBIDDEN,
            Self::Elsewhere { .. } => StatusCode::FOUND,
            Self::PolicyUnavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::UpstreamUnavailable => StatusCode::BAD_GATEWAY,
            Self::UpstreamTimedOut => StatusCode::GATEWAY_TIMEOUT,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl From<KeysMissing> for Denial {
    fn from(KeysMissing: KeysMissing) -> Self {
        Self::PolicyUnavailable
    }
}
