//! Every way a request can be refused, and the one table that turns a refusal into a response.

use std::sync::Arc;

use policy_protocol::Reason;

use crate::config::Realm;

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
    /// There is no session that would do: log in.
    Challenge {
        /// Where.
        realm: Arc<Realm>,
        /// Why.
        reason: Reason,
    },
    /// The user is known and may not do this.
    Forbidden,
    /// The policy server cannot be asked, and nothing that is known suffices.
    PolicyUnavailable,
    /// Too much at once.
    Overloaded,
    /// No server of the upstream can be reached, or it broke off.
    UpstreamUnavailable,
    /// The upstream did not answer in time.
    UpstreamTimedOut,
    /// A fault of ours.
    Internal,
}
