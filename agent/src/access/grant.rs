//! The proof that a request may pass.

use std::sync::Arc;

use http::{HeaderName, HeaderValue};

use crate::config::Realm;
use crate::session::cache::{CachedSession, RealmHeaders};

/// Permission to forward one request. [`Upstreams::forward`](crate::upstream::Upstreams::forward) needs
/// one, and only [`access`](crate::access) can make it, so a skipped check does not compile.
///
/// ```compile_fail
/// fn forge(realm: std::sync::Arc<agent::config::Realm>) -> agent::access::Grant {
///     agent::access::Grant { realm, identity: None }
/// }
/// ```
#[derive(Debug)]
pub struct Grant {
    realm: Arc<Realm>,
    identity: Option<GrantedIdentity>,
}

/// Who was let in, and what application and browser are told.
#[derive(Debug)]
pub struct GrantedIdentity {
    /// The session.
    pub session: Arc<CachedSession>,
    /// What is the same for every request of this session in this realm.
    pub ready: Arc<RealmHeaders>,
    /// Headers for the application from the policy server's decision.
    pub decision_headers: Option<Arc<[(HeaderName, HeaderValue)]>>,
    /// `Set-Cookie` values from the policy server's decision.
    pub decision_cookies: Option<Arc<[HeaderValue]>>,
}

impl Grant {
    /// An open realm, or an ignored resource: no session, no identity.
    pub(super) const fn anonymous(realm: Arc<Realm>) -> Self {
        Self {
            realm,
            identity: None,
        }
    }

    /// An authenticated and authorized user.
    pub(super) const fn user(realm: Arc<Realm>, identity: GrantedIdentity) -> Self {
        Self {
            realm,
            identity: Some(identity),
        }
    }

    /// Where the request may go.
    pub const fn realm(&self) -> &Arc<Realm> {
        &self.realm
    }

    /// Who was let in; nobody in particular for an open realm.
    pub const fn identity(&self) -> Option<&GrantedIdentity> {
        self.identity.as_ref()
    }
}
