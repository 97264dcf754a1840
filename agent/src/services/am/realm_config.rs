//! `realm-config/services/session`: how long sessions of a realm last.

use std::time::Duration;

use http::Method;

use super::ask::Ask;
use super::caller;
use super::error::Refusal;
use super::json::object;
use super::respond::Reply;

/// There is no quota of this service's: the policy server has one.
const NO_QUOTA: u64 = i32::MAX as u64;

pub(super) async fn answer(ask: &Ask<'_>) -> Result<Reply, Refusal> {
    if ask.method != Method::GET {
        return Err(ask.unsupported());
    }
    if !caller::caller(ask).await?.administrator {
        return Err(Refusal::not_administrator());
    }
    let realm = ask.realm;
    let idle = if realm.idle_timeout.is_zero() {
        realm.max_timeout
    } else {
        realm.idle_timeout
    };
    let members = object! {
        "dynamic": object! {
            "maxIdleTime": minutes(idle),
            "maxSessionTime": minutes(realm.max_timeout),
            "quotaLimit": NO_QUOTA,
            "maxCachingTime": minutes(realm.validation_period),
        },
        "_type": object! { "_id": "session", "name": "Session", "collection": false },
    };
    Ok(Reply::resource("", members, &ask.fields()?))
}

const fn minutes(time: Duration) -> u64 {
    time.as_secs().div_ceil(60)
}
