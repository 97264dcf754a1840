//! What a request must show before it may pass.
//!
//! [`protection`] finds the realm, [`authenticate`] the session, [`authorize`] decides, and only then is
//! there a [`Grant`]. Everything else is a [`Denial`].

pub mod assertion;
pub mod authenticate;
pub mod authorize;
pub mod denial;
pub mod grant;
pub mod identity;
pub mod protection;
pub mod redirect;
#[cfg(test)]
pub(crate) mod sample_visit;

use std::sync::Arc;
use std::time::Instant;

use http::HeaderMap;
use policy_protocol::{AgentKeyRing, RealmContext, ResourceContext, Timestamp};

use authenticate::Admitted;
pub use denial::Denial;
pub use grant::Grant;

use crate::config::Realm;
use crate::http::ConnectionInfo;
use crate::http::client_origin::ClientOrigin;
use crate::http::target::RequestTarget;
use crate::http::transaction::TransactionId;
use crate::login::Resumed;
use crate::session::Sessions;
use crate::session::reissue::Writer;
use crate::session::validate::ends_session;
use crate::site::Site;
use crate::telemetry::metrics::WorkerMetrics;

/// Authentication, then authorization: whose request it is, and the grant.
///
/// # Errors
/// Why it may not pass: see [`authenticate::authenticate`] and [`authorize::authorize`].
pub async fn admit(
    sessions: &Arc<Sessions>,
    visit: &Visit<'_>,
    realm: &Arc<Realm>,
) -> Result<(Admitted, Grant), Denial> {
    let admitted = authenticate::authenticate(sessions, visit, realm).await?;
    match authorize::authorize(sessions, visit, realm, &admitted).await {
        // It is over, and that is known by now. What else the request brings may do, or begin another.
        Err(Denial::Challenge { reason, .. }) if ends_session(reason) => {}
        outcome => return outcome.map(|grant| (admitted, grant)),
    }
    let admitted = authenticate::authenticate(sessions, visit, realm).await?;
    let grant = authorize::authorize(sessions, visit, realm, &admitted).await?;
    Ok((admitted, grant))
}

/// What is known of a request apart from its headers.
#[derive(Clone, Debug)]
pub struct Facts<'r> {
    /// The configuration in force.
    pub site: &'r Site,
    /// How the client is connected.
    pub conn: &'r ConnectionInfo,
    /// What it wants.
    pub target: &'r RequestTarget,
    /// Where it is.
    pub origin: &'r ClientOrigin,
    /// When.
    pub now: Timestamp,
    /// The same by a clock that nobody sets.
    pub arrived: Instant,
    /// Joins the records of this request across systems.
    pub transaction_id: TransactionId,
    /// The counters of the worker that serves it.
    pub metrics: &'r WorkerMetrics,
    /// Whether a script asks, which can do nothing with a page.
    pub from_script: bool,
    /// The request that waited for a login, if this is one.
    pub resumed: Option<&'r Resumed>,
}

/// One request, as far as decisions about it are concerned.
#[derive(Clone, Copy, Debug)]
pub struct Visit<'r> {
    /// Everything but the headers.
    facts: &'r Facts<'r>,
    /// What the client sent, without managed headers.
    pub headers: &'r HeaderMap,
}

impl<'r> std::ops::Deref for Visit<'r> {
    type Target = Facts<'r>;

    fn deref(&self) -> &Facts<'r> {
        self.facts
    }
}

impl<'r> Visit<'r> {
    /// Everything but the headers.
    pub const fn facts(&self) -> &'r Facts<'r> {
        self.facts
    }
}

impl<'r> Facts<'r> {
    /// The same with the headers.
    pub const fn with(&'r self, headers: &'r HeaderMap) -> Visit<'r> {
        Visit {
            facts: self,
            headers,
        }
    }

    /// From now on, what is known of a request that waited for a login.
    pub fn resume(&mut self, resumed: &'r Resumed) {
        self.target = resumed.target();
        self.resumed = Some(resumed);
    }

    /// The resource as the policy server wants it.
    pub fn resource_context(&self) -> ResourceContext {
        self.resource_context_of(self.target)
    }

    /// Another resource than the one that is asked for.
    pub fn resource_context_of(&self, target: &RequestTarget) -> ResourceContext {
        ResourceContext {
            agent: self.site.config.agent_name.clone(),
            server: target.host().to_owned(),
            resource: target.resource().to_owned(),
            action: target.method().as_str().to_owned(),
        }
    }

    /// What writes session cookies: `ring` seals, and `client_ip` is the address they are bound to.
    pub fn cookie_writer<'w>(
        &'w self,
        ring: &'w AgentKeyRing,
        client_ip: Option<std::net::IpAddr>,
    ) -> Writer<'w> {
        Writer {
            jar: &self.site.cookies,
            ring,
            agent_name: &self.site.config.agent_name,
            client_ip,
        }
    }

    /// The client's address, if sessions are bound to it.
    pub fn bound_address(&self) -> Option<std::net::IpAddr> {
        self.site
            .config
            .session
            .check_client_address
            .then_some(self.origin.address)
    }
}

/// A realm as the policy server wants it.
pub fn realm_context(realm: &Realm) -> RealmContext {
    RealmContext {
        name: realm.name.clone(),
        protection_level: realm.level,
        auth_scheme: realm.scheme,
        idle_timeout: realm.idle_timeout,
        max_timeout: realm.max_timeout,
        persistent: realm.persistent,
    }
}
