//! Version 1: one figure or property at a time, and -1 for sessions that are over.

use std::time::Duration;

use super::action::Action;
use crate::services::am::ask::Ask;
use crate::services::am::caller::Live;
use crate::services::am::error::Refusal;
use crate::services::am::json::{Json, object};
use crate::services::am::properties;

/// What is said of a figure of a session that is over.
const NONE: i64 = -1;

pub(super) async fn answer(
    ask: &Ask<'_>,
    action: Action,
    target: Option<Live>,
) -> Result<Json, Refusal> {
    let now = ask.core.visit.now;
    let figure = |of: &dyn Fn(&Live) -> u64| {
        let known = target.as_ref().map(of);
        known.map_or_else(|| Json::from(NONE), Json::from)
    };
    Ok(match action {
        Action::IsActive => object! { "active": is_active(ask, target).await? },
        Action::TimeLeft => object! { "maxtime": figure(&|live| time_left(live, now)) },
        Action::Idle => object! { "idletime": figure(&|live| idle(live, now)) },
        Action::MaxIdle => object! { "maxidletime": figure(&max_idle) },
        Action::MaxSessionTime => object! { "maxsessiontime": figure(&max_session) },
        _ => return property(ask, action, &target.ok_or_else(no_session)?).await,
    })
}

async fn property(ask: &Ask<'_>, action: Action, live: &Live) -> Result<Json, Refusal> {
    let changes = match action {
        Action::PropertyNames => {
            let names = properties::readable(ask.service, live).into_keys();
            return Ok(object! { "properties": names.collect::<Vec<_>>() });
        }
        Action::Property => {
            let properties = properties::named(ask, live)?;
            return Ok(properties
                .iter()
                .map(|(name, value)| (name, value.as_str()))
                .collect());
        }
        Action::DeleteProperty => {
            let names = properties::names(ask)?.into_iter();
            names
                .map(|name| (name.to_owned(), Some(String::new())))
                .collect()
        }
        _ => properties::changes(ask)?,
    };
    let changed = properties::change(ask, live, changes).await?;
    changed.ok_or_else(no_session)?;
    Ok(object! { "success": true })
}

async fn is_active(ask: &Ask<'_>, target: Option<Live>) -> Result<bool, Refusal> {
    match target {
        Some(mut live) if ask.query.is_true("refresh")? => live.use_now(ask).await,
        target => Ok(target.is_some()),
    }
}

/// Properties of a session that is over.
pub(super) fn no_session() -> Refusal {
    Refusal::bad_request("Invalid session")
}

/// Seconds until it ends however much it is used.
pub(super) const fn time_left(live: &Live, now: policy_protocol::Timestamp) -> u64 {
    live.details.limits.max_end.since(now).as_secs()
}

/// Seconds since it was last used.
pub(super) const fn idle(live: &Live, now: policy_protocol::Timestamp) -> u64 {
    now.since(live.details.session.last_access).as_secs()
}

/// Minutes without use after which it ends. One that never does so ends when its time is over.
pub(super) fn max_idle(live: &Live) -> u64 {
    let limits = &live.details.limits;
    if limits.idle_timeout.is_zero() {
        minutes(limits.max_timeout)
    } else {
        minutes(limits.idle_timeout)
    }
}

/// Minutes after its start at which it ends.
pub(super) fn max_session(live: &Live) -> u64 {
    minutes(live.details.limits.max_timeout)
}

const fn minutes(time: Duration) -> u64 {
    time.as_secs().div_ceil(60)
}
