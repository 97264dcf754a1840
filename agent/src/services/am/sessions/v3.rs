//! Version 3 and later: the token in the body, and properties with the session.

use http::HeaderValue;
use policy_protocol::session_service::SessionOperation;

use super::{invalid, realm_name, v2};
use crate::services::am::ask::Ask;
use crate::services::am::authenticate::cookie;
use crate::services::am::caller::Live;
use crate::services::am::error::Refusal;
use crate::services::am::json::{Json, object};
use crate::services::am::properties;
use crate::services::core::Unavailable;

/// All about a session, in the form of its version. With `resets` that is a use of it.
pub(super) async fn info(
    ask: &Ask<'_>,
    target: Option<Live>,
    resets: bool,
) -> Result<Json, Refusal> {
    let Some(mut live) = target else {
        return Ok(invalid());
    };
    if resets && !live.use_now(ask).await? {
        return Ok(invalid());
    }
    let limits = &live.details.limits;
    let latest_access = live.session().last_access.to_string();
    let idle_end = limits.idle_end.unwrap_or(limits.max_end).to_string();
    let max_end = limits.max_end.to_string();
    let properties = properties::readable(ask.service, &live);
    let properties: Json = properties
        .iter()
        .map(|(name, value)| (name, value.as_str()))
        .collect();
    if ask.version.0 <= 2 {
        // Some servers of this version have a handle here and others the properties: clients of either are served.
        return Ok(object! {
            "latestAccessTime": latest_access,
            "maxIdleExpirationTime": idle_end,
            "maxSessionExpirationTime": max_end,
            "properties": properties,
            "realm": realm_name(ask, &live),
            "sessionHandle": v2::handle(live.session().id),
            "universalId": live.universal_id(),
            "username": live.user_name(),
        });
    }
    Ok(object! {
        "username": live.user_name(),
        "universalId": live.universal_id(),
        "realm": realm_name(ask, &live),
        "latestAccessTime": latest_access,
        "maxIdleExpirationTime": idle_end,
        "maxSessionExpirationTime": max_end,
        "properties": properties,
    })
}

/// Ends the sessions that a user has in the realm: for administrators, and for the user themself. The policy server looks at
/// that, too.
pub(super) async fn logout_by_user(ask: &Ask<'_>) -> Result<Json, Refusal> {
    let caller = v2::meant_caller(ask).await?;
    let user = ask
        .body
        .text("username")
        .filter(|name| !name.is_empty())
        .ok_or_else(|| {
            Refusal::bad_request(
                "The \"username\" field is not defined in the request or it's not a string",
            )
        })?;
    let own = user == caller.user_name() || user == caller.universal_id();
    if !own && !caller.administrator {
        return Err(Refusal::not_administrator());
    }
    // Without a realm it would be everybody of this name.
    let (realm, except_realms) = ask
        .service
        .sessions_of(&ask.realm_name)
        .ok_or(Unavailable)?;
    let operation = SessionOperation::EndUser {
        user: user.to_owned(),
        realm,
        except_realms,
    };
    v2::administer(ask, &caller, operation).await?;
    Ok(object! { "result": true })
}

/// Makes the browser forget the token.
pub(super) fn forget_cookie(ask: &Ask<'_>) -> Option<HeaderValue> {
    cookie(ask, "LOGOUT", true)
}
