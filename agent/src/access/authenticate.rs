//! From credentials to a live session: SMSESSION, session cache, Validate().

mod foreign;

use std::sync::Arc;

use http::HeaderValue;
use policy_protocol::Reason;
use policy_protocol::message::{SessionTicket, ValidateRequest};

use crate::access::{Denial, Visit, realm_context};
use crate::config::Realm;
use crate::http::cookies;
use crate::login::direct;
use crate::session::Sessions;
use crate::session::cache::{Alias, CachedSession, Known};
use crate::session::cookie::{KeysMissing, LOGGED_OFF, SessionClaims, names_unknown_key};
use crate::session::validate::{NotValidated, holds_anywhere};

/// Cookies of our name that are tried, over all zones. More are not sent by accident.
const MAX_COOKIES: usize = 4;

/// A live session that satisfies the realm.
#[derive(Debug)]
pub struct Admitted {
    /// The session.
    pub session: Arc<CachedSession>,
    /// A new SMSESSION, if one is due.
    pub set_cookie: Option<HeaderValue>,
}

/// Why a credential does not do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// It is not good, or not good enough.
    Refused(Reason),
    /// The policy server cannot be asked, and what is known does not suffice.
    Unavailable,
}

impl Unfit {
    /// What to say of two credentials of which neither does: that one might have done, else the first
    /// reason there is.
    const fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Unavailable, _) | (_, Self::Unavailable) => Self::Unavailable,
            (Self::Refused(Reason::NONE), other) => other,
            (first, Self::Refused(_)) => first,
        }
    }
}

impl Unfit {
    /// What is said to a request for `realm` that has no better credential.
    pub fn denial(self, realm: &Arc<Realm>) -> Denial {
        match self {
            Self::Unavailable => Denial::PolicyUnavailable,
            Self::Refused(reason) => Denial::Challenge {
                realm: Arc::clone(realm),
                reason,
            },
        }
    }
}

impl From<Reason> for Unfit {
    fn from(reason: Reason) -> Self {
        Self::Refused(reason)
    }
}

impl From<NotValidated> for Unfit {
    fn from(error: NotValidated) -> Self {
        match error {
            NotValidated::Refused(reason) => Self::Refused(reason),
            NotValidated::Unavailable => Self::Unavailable,
        }
    }
}

/// Finds the session of a request for a realm.
///
/// Order matters: bounds and seal first (garbage costs next to nothing), then the clock, then the cache,
/// and only then the network.
///
/// # Errors
/// [`Denial::Challenge`] with the reason why the first credential did not do, or
/// [`Denial::PolicyUnavailable`] if one might have done.
pub async fn authenticate(
    sessions: &Arc<Sessions>,
    visit: &Visit<'_>,
    realm: &Arc<Realm>,
) -> Result<Admitted, Denial> {
    let mut unfit = match by_cookies(sessions, visit, realm).await {
        Ok(admitted) => return Ok(admitted),
        Err(unfit) => unfit,
    };
    for token in foreign::tokens(visit).take(MAX_COOKIES) {
        match foreign::from_token(sessions, visit, realm, token).await {
            Ok(admitted) => return Ok(admitted),
            Err(other) => unfit = unfit.or(other),
        }
    }
    if let Some(presented) = direct::presented(sessions, visit, realm) {
        match by_credentials(sessions, visit, realm, presented).await {
            Ok(admitted) => return Ok(admitted),
            Err(other) => unfit = unfit.or(other),
        }
    }
    Err(unfit.denial(realm))
}

/// Credentials outlive the sessions that they make: one that is known and does not do any more, because the realm
/// or the policy server is another one by now, is given up for a new one.
async fn by_credentials(
    sessions: &Arc<Sessions>,
    visit: &Visit<'_>,
    realm: &Arc<Realm>,
    presented: direct::Presented,
) -> Result<Admitted, Unfit> {
    let known = presented.known(sessions, visit, realm);
    if let Some(alias) = &known {
        match admit(sessions, visit, realm, alias, Refresh::Cookie).await {
            Err(Unfit::Refused(_)) => {}
            outcome => return outcome,
        }
    }
    let given_up = known.as_ref().map(|alias| &*alias.session);
    let alias = presented.log_in(sessions, visit, realm, given_up).await?;
    admit(sessions, visit, realm, &alias, Refresh::Cookie).await
}

/// Finds the session of a request for a realm in its cookies alone: who brings them may ask for another, and then
/// what else is known of the connection proves nothing.
///
/// # Errors
/// Why the first cookie does not do, or that one might have done.
pub async fn by_cookies(
    sessions: &Arc<Sessions>,
    visit: &Visit<'_>,
    realm: &Arc<Realm>,
) -> Result<Admitted, Unfit> {
    let mut unfit = Unfit::Refused(Reason::NONE);
    for (zone, value) in session_cookies(visit).take(MAX_COOKIES) {
        match from_cookie(sessions, visit, realm, zone, value).await {
            Ok(admitted) => return Ok(admitted),
            Err(other) => unfit = unfit.or(other),
        }
    }
    Err(unfit)
}

/// The sessions that a request brings, for logout: as [`tickets`], and those that were begun in another system.
pub async fn all_tickets(
    sessions: &Arc<Sessions>,
    visit: &Visit<'_>,
) -> (Vec<SessionTicket>, Result<(), KeysMissing>) {
    let (mut all, complete) = tickets(sessions, visit).await;
    all.extend(foreign::tickets(visit).take(MAX_COOKIES));
    (all, complete)
}

/// The sessions of ours that a request brings, for logout and step-up: tickets as the policy server wants them, and
/// whether there may be more, which only newer agent keys open. Looks at the seal only, and at every cookie: one
/// that is left out would live on.
pub async fn tickets(
    sessions: &Arc<Sessions>,
    visit: &Visit<'_>,
) -> (Vec<SessionTicket>, Result<(), KeysMissing>) {
    let mut keys = match sessions.keys.load() {
        Ok(keys) => keys,
        Err(missing) => return (Vec::new(), Err(missing)),
    };
    let mut all = Ok(());
    let unknown = |(_, value): (&Arc<str>, &[u8])| names_unknown_key(value, &keys.ring);
    if session_cookies(visit).any(unknown) {
        // A sibling host can make a cookie name any key. That keeps no other from being opened.
        match sessions.newest_keys().await {
            Ok(newest) => keys = newest,
            Err(missing) => all = Err(missing),
        }
    }
    let opened = session_cookies(visit).filter_map(|(zone, value)| {
        let claims = SessionClaims::open(value, &keys.ring, zone).ok()?;
        Some(SessionTicket {
            session_id: claims.session_id,
            session_spec: claims.session_spec(),
        })
    });
    (opened.take(MAX_COOKIES).collect(), all)
}

/// Session cookies with the zone they claim to be of: the agent's own zone first.
fn session_cookies<'v>(visit: &Visit<'v>) -> impl Iterator<Item = (&'v Arc<str>, &'v [u8])> {
    let headers = visit.headers;
    visit.site.zones.iter().flat_map(move |zone| {
        cookies::all(headers)
            .filter(move |(name, value)| zone.owns(name) && *value != LOGGED_OFF.as_bytes())
            .map(move |(_, value)| (&zone.name, value))
    })
}

async fn from_cookie(
    sessions: &Arc<Sessions>,
    visit: &Visit<'_>,
    realm: &Arc<Realm>,
    zone: &Arc<str>,
    value: &[u8],
) -> Result<Admitted, Unfit> {
    let alias = match sessions.cache.get(value) {
        Some(Known::Live(alias)) if alias.zone == *zone => alias,
        Some(Known::Dead(reason)) => return Err(reason.into()),
        Some(Known::Live(_)) | None => open_cookie(sessions, visit, realm, zone, value).await?,
    };
    admit(sessions, visit, realm, &alias, Refresh::Cookie).await
}

/// The slow path: a cookie that was not seen before.
async fn open_cookie(
    sessions: &Arc<Sessions>,
    visit: &Visit<'_>,
    realm: &Arc<Realm>,
    zone: &Arc<str>,
    value: &[u8],
) -> Result<Arc<Alias>, Unfit> {
    let missing = |_: KeysMissing| Unfit::Unavailable;
    let mut keys = sessions.keys.load().map_err(missing)?;
    let mut opened = SessionClaims::open(value, &keys.ring, zone);
    if opened.is_err() && names_unknown_key(value, &keys.ring) {
        keys = sessions.newest_keys().await.map_err(missing)?;
        opened = SessionClaims::open(value, &keys.ring, zone);
    }
    let claims = opened?;
    claims.check_times(visit.now)?;
    let spec = claims.session_spec();
    let known = sessions.cache.find(claims.session_id);
    // An id is no proof: a session that is known counts only for a cookie that brings its very spec.
    let session = match known.filter(|session| session.owns_spec(&spec)) {
        Some(session) => session,
        None => {
            visit.metrics.session_cache_miss();
            let ticket = SessionTicket {
                session_id: claims.session_id,
                session_spec: spec,
            };
            let request = validate_request(visit, realm, ticket, claims.last_access);
            match sessions.open(visit.site, request, claims.started).await {
                Ok(session) => session,
                Err(NotValidated::Refused(reason)) => {
                    if holds_anywhere(visit.site, reason) {
                        sessions.cache.insert_dead(value, reason);
                    }
                    return Err(reason.into());
                }
                Err(NotValidated::Unavailable) => return Err(Unfit::Unavailable),
            }
        }
    };
    let alias = Alias {
        zone: Arc::clone(zone),
        last_access: claims.last_access,
        client_ip: claims.client_ip(),
        session,
    };
    Ok(sessions.remember(value, alias, &keys))
}

/// Whether the browser is kept up to date about a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refresh {
    /// With a new SMSESSION when one is due.
    Cookie,
    /// Not by us: it holds a cookie of another system.
    Nothing,
}

/// Everything that is asked of a session at every request.
async fn admit(
    sessions: &Arc<Sessions>,
    visit: &Visit<'_>,
    realm: &Arc<Realm>,
    alias: &Alias,
    refresh: Refresh,
) -> Result<Admitted, Unfit> {
    let session = &alias.session;
    let settings = &visit.site.config.session;
    session.check_alive()?;
    session.check_times(realm, alias.last_access, visit.now)?;
    if settings.check_client_address && alias.client_ip != Some(visit.origin.address) {
        return Err(Reason::INVALID_SESSION_IP.into());
    }
    let validated = keep_valid(sessions, visit, realm, alias).await?;
    if session.state().protection_level < realm.level {
        return Err(Reason::AUTH_LEVEL_TOO_LOW.into());
    }
    let mut set_cookie = None;
    if !visit.site.overlooks(visit.target) {
        session.touch(visit.now);
        let grace = grace_period(settings.grace_period, session.state().idle_timeout);
        let stale = validated || visit.now.since(alias.last_access) >= grace;
        if stale && refresh == Refresh::Cookie {
            set_cookie = cookie_due(sessions, visit, alias, grace);
        }
    }
    Ok(Admitted {
        session: Arc::clone(session),
        set_cookie,
    })
}

/// Asks Validate() if the last answer is too old. Returns whether it was asked.
async fn keep_valid(
    sessions: &Arc<Sessions>,
    visit: &Visit<'_>,
    realm: &Arc<Realm>,
    alias: &Alias,
) -> Result<bool, Unfit> {
    let session = &alias.session;
    let (validated_at, generation) = session.validated();
    let age = visit.now.since(validated_at);
    let period = sessions
        .trust
        .period(generation, realm.validation_period, visit.arrived);
    if age < period {
        visit.metrics.session_cache_hit();
        return Ok(false);
    }
    visit.metrics.session_cache_miss();
    let ticket = session.ticket();
    let last_access = session.last_access().max(alias.last_access);
    match sessions
        .validate(
            visit.site,
            validate_request(visit, realm, ticket, last_access),
            None,
        )
        .await
    {
        Ok(_) => {
            // Its end may have been heard of between the answer and now.
            session.check_alive()?;
            session.check_times(realm, alias.last_access, visit.now)?;
            Ok(true)
        }
        // The only thing an outage may stretch is how long ago the policy server said yes; after a gap in
        // its events there is nothing to stretch.
        Err(NotValidated::Unavailable)
            if generation == sessions.trust.generation()
                && age < realm.validation_period + visit.site.config.policy_server.outage_grace =>
        {
            session.check_alive()?;
            Ok(false)
        }
        Err(error) => Err(error.into()),
    }
}

fn validate_request(
    visit: &Visit<'_>,
    realm: &Realm,
    session: SessionTicket,
    last_access: policy_protocol::Timestamp,
) -> ValidateRequest {
    ValidateRequest {
        session,
        resource: visit.resource_context(),
        realm: realm_context(realm),
        client_address: visit.bound_address(),
        last_access,
        overlooked: visit.site.overlooks(visit.target),
        transaction_id: visit.transaction_id.as_str().to_owned(),
    }
}

/// A cookie must be renewed well before its idle timeout, however long the grace period.
fn grace_period(
    grace: std::time::Duration,
    idle_timeout: std::time::Duration,
) -> std::time::Duration {
    if idle_timeout.is_zero() {
        grace
    } else {
        grace.min(idle_timeout / 4)
    }
}

fn cookie_due(
    sessions: &Sessions,
    visit: &Visit<'_>,
    alias: &Alias,
    grace: std::time::Duration,
) -> Option<HeaderValue> {
    if let Some(recent) = alias.session.recent_cookie(visit.now, grace) {
        return Some(recent);
    }
    let keys = sessions.keys.load().ok()?;
    let started = alias.session.state().started;
    if !keys.may_seal(started, sessions.now()) {
        return None;
    }
    let writer = visit.cookie_writer(&keys.ring, alias.client_ip);
    sessions.issue_cookie(&alias.session, visit.now, writer)
}
