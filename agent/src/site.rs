//! One configuration, made ready for requests: everything that can be computed before the first request
//! is computed here. A reload makes a new [`Site`] and swaps it in as a whole.

use std::sync::Arc;

use http::header::InvalidHeaderValue;
use http::{HeaderName, HeaderValue};
use policy_client::foreign::ForeignKind;
use policy_protocol::AuthScheme;

use crate::access::authorize::{self, DecisionKey, KeptDecision};
use crate::access::identity::IdentityHeaders;
use crate::access::protection::{RealmTable, covers};
use crate::config::{Config, ForeignSessions, Realm, ResponseKind};
use crate::http::headers::ManagedHeaders;
use crate::http::target::RequestTarget;
use crate::login::pages::{self, PageError, Pages};
use crate::login::targets::AllowedTargets;
use crate::services;
use crate::session::cache::BoundedMap;
use crate::session::reissue::CookieJar;
use crate::upstream::{UpstreamError, Upstreams};

/// Memory for decisions of the policy server, in bytes: some hundred thousand of ordinary size.
const MAX_DECISION_BYTES: u64 = 64 << 20;

/// A configuration in force.
#[derive(Debug)]
pub struct Site {
    /// The configuration itself.
    pub config: Config,
    /// What is protected.
    pub realms: RealmTable,
    /// Headers that no client may set.
    pub managed: Arc<ManagedHeaders>,
    /// What applications are told.
    pub identity: IdentityHeaders,
    /// The cookies we write.
    pub cookies: CookieJar,
    /// The cookies we accept, in order.
    pub zones: Vec<Zone>,
    /// Cookies of session services that hold tokens.
    service_cookies: Vec<String>,
    /// Headers that do.
    service_headers: Vec<HeaderName>,
    /// Decisions of the policy server.
    pub decisions: BoundedMap<DecisionKey, KeptDecision>,
    /// Login and error pages.
    pub pages: Pages,
    /// The content security policy of the pages.
    pub content_security_policy: HeaderValue,
    /// Where a login may lead.
    pub allowed_targets: AllowedTargets,
    /// The applications.
    pub upstreams: Upstreams,
}

/// An SSO zone whose cookies are accepted.
#[derive(Debug)]
pub struct Zone {
    /// Its name, the prefix of its cookies.
    pub name: Arc<str>,
    cookie_name: String,
}

impl Zone {
    fn new(name: &str) -> Self {
        Self {
            name: name.into(),
            cookie_name: format!("{name}SESSION"),
        }
    }

    /// The name of its session cookie.
    pub fn cookie_name(&self) -> &str {
        &self.cookie_name
    }

    /// Whether a cookie is this zone's session cookie.
    pub fn owns(&self, cookie_name: &[u8]) -> bool {
        cookie_name == self.cookie_name.as_bytes()
    }

    /// Whether a cookie remembers a user name in this zone.
    fn remembers_in(&self, cookie_name: &[u8]) -> bool {
        cookie_name.strip_suffix(b"USERNAME") == Some(self.name.as_bytes())
    }
}

/// Why a valid configuration cannot be put in force.
#[derive(Debug, thiserror::Error)]
pub enum SiteError {
    /// A page template does not work.
    #[error(transparent)]
    Pages(#[from] PageError),
    /// An upstream cannot be set up.
    #[error(transparent)]
    Upstream(#[from] UpstreamError),
    /// An allowed target cannot stand in a header.
    #[error("login.allowed_targets: {0}")]
    AllowedTarget(#[from] InvalidHeaderValue),
}

impl Site {
    /// Makes a configuration ready. Upstreams that `previous` has too keep their connections and health.
    ///
    /// # Errors
    /// If a file that the configuration names is not what it should be.
    pub fn build(config: Config, previous: Option<&Self>) -> Result<Self, SiteError> {
        let identity = IdentityHeaders::new(&config.identity);
        let responses = config.realms.iter().flat_map(|realm| &realm.responses);
        let response_names = responses.filter_map(|response| match &response.kind {
            ResponseKind::Header(name) => Some(name),
            ResponseKind::Cookie(_) => None,
        });
        let configured = response_names
            .chain(&config.identity.managed)
            .chain(identity.configured_name());
        let managed = Arc::new(ManagedHeaders::new(configured));
        let zones = [&config.session.zone]
            .into_iter()
            .chain(&config.session.trusted_zones);
        let previous = previous.map(|site| &site.upstreams);
        let upstreams = Upstreams::build(
            &config.upstreams,
            Arc::clone(&managed),
            config.workers.get(),
            previous,
        )?;
        let service_cookies = services::token_names(&config.listeners);
        Ok(Self {
            realms: RealmTable::new(&config.realms),
            managed,
            identity,
            cookies: CookieJar::new(&config.session),
            zones: zones.map(|zone| Zone::new(zone)).collect(),
            service_headers: service_cookies
                .iter()
                .filter_map(|name| name.parse().ok())
                .collect(),
            service_cookies,
            decisions: BoundedMap::new(MAX_DECISION_BYTES, authorize::weight),
            pages: Pages::load(&config.login.pages, &config.login.path)?,
            content_security_policy: pages::content_security_policy(&config.login.allowed_targets)?,
            allowed_targets: AllowedTargets::new(&config.login),
            upstreams,
            config,
        })
    }

    /// Whether a request does not keep a session alive. Where credentials come with each request, it may begin one.
    pub fn overlooks(&self, target: &RequestTarget) -> bool {
        self.config.session.overlook.iter().any(|rule| {
            (rule.methods.is_empty() || rule.methods.contains(target.method()))
                && covers(&rule.resource, target.resource())
        })
    }

    /// Whether a cookie's name is one of ours.
    pub fn owns_cookie(&self, name: &[u8]) -> bool {
        self.is_of_login(name)
            || self.zones.iter().any(|zone| zone.owns(name))
            || self
                .service_cookies
                .iter()
                .any(|own| own.as_bytes() == name)
    }

    /// Whether a cookie is of the login page alone.
    fn is_of_login(&self, name: &[u8]) -> bool {
        name == self.cookies.login_name().as_bytes()
            || self.zones.iter().any(|zone| zone.remembers_in(name))
    }

    /// Whether a cookie is kept from applications: all of ours and those of the sessions of another system, unless
    /// they are to see session cookies.
    pub fn keeps_cookie(&self, name: &[u8]) -> bool {
        let is_foreign = self
            .foreign()
            .is_some_and(|foreign| foreign.owns_cookie(name));
        (self.owns_cookie(name) || is_foreign)
            && (!self.config.session.pass_cookie || self.is_of_login(name))
    }

    /// The headers that are kept from applications: with tokens for services, and with a session of another system,
    /// unless they are to see session cookies.
    pub fn kept_headers(&self) -> impl Iterator<Item = &HeaderName> {
        let foreign = self
            .foreign()
            .filter(|_| !self.config.session.pass_cookie)
            .and_then(|foreign| foreign.header_name.as_ref());
        self.service_headers.iter().chain(foreign)
    }

    /// What brings sessions that were begun in another system.
    pub const fn foreign(&self) -> Option<&ForeignSessions> {
        self.config.policy_server.foreign.as_ref()
    }

    /// Whether a session is asked about together with what it is used for, so that the answer is about both.
    pub fn validates_resources(&self) -> bool {
        self.foreign()
            .is_some_and(|foreign| foreign.kind == ForeignKind::AuthAz)
    }

    /// The first realm on a host that a login form leads into, for a visitor who named none: one that asks
    /// for no code, if there is one.
    pub fn any_form_realm(&self, host: &str) -> Option<&Arc<Realm>> {
        let on_host =
            |realm: &&Arc<Realm>| realm.hosts.iter().any(|name| name == host || name == "*");
        let with = |scheme| {
            let realms = self.config.realms.iter().filter(on_host);
            realms.into_iter().find(|realm| realm.scheme == scheme)
        };
        with(AuthScheme::Form).or_else(|| with(AuthScheme::Totp))
    }
}

#[cfg(test)]
pub(crate) mod tests;
