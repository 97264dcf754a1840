//! What is asked of a session at every request, wherever its credential came from.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use policy_protocol::message::{SessionTicket, ValidateRequest};
use policy_protocol::{Reason, Timestamp};

use super::{Admitted, Unfit};
use crate::access::{Visit, realm_context};
use crate::config::Realm;
use crate::session::Sessions;
use crate::session::cache::Alias;
use crate::session::validate::NotValidated;

/// Whether the browser is kept up to date about a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refresh {
    /// With a new SMSESSION when one is due.
    Cookie,
    /// Not by us: it holds a cookie of another system.
    Nothing,
}

/// Everything that is asked of a session at every request.
pub(super) async fn admit(
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

pub(super) fn validate_request(
    visit: &Visit<'_>,
    realm: &Realm,
    session: SessionTicket,
    last_access: Timestamp,
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
fn grace_period(grace: Duration, idle_timeout: Duration) -> Duration {
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
    grace: Duration,
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
