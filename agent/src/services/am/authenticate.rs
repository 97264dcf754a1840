//! `authenticate`: a name and a password, in headers or by callbacks, for a token.

pub(super) mod advices;
mod auth_id;
mod callbacks;
mod zero_page;

use http::{HeaderValue, Method};
use policy_protocol::message::Credentials;

use super::ask::Ask;
use super::caller::Live;
use super::cors;
use super::error::Refusal;
use super::json::{Json, object};
use super::respond::Reply;
use crate::login::direct::credentials;

/// Where a login leads: there is no console here.
const SUCCESS_URL: &str = "/";

pub(super) async fn answer(ask: &Ask<'_>) -> Result<Reply, Refusal> {
    if ask.method != Method::POST {
        return Err(Refusal::method());
    }
    // A page of another site must not log anybody in as somebody else.
    if !cors::is_meant(ask.service, ask.core.visit) {
        return Err(Refusal::forbidden());
    }
    check_level(ask)?;
    if ask.body.member("authId").is_some() {
        return from_callbacks(ask).await;
    }
    if let Some(reply) = upgrade(ask).await? {
        return Ok(reply);
    }
    match zero_page::read(ask.headers()) {
        Some((user_name, password)) => log_in(ask, credentials(&user_name, &password)).await,
        None => {
            let auth_id = auth_id::issue(ask).await?;
            Ok(callbacks::form(auth_id).into())
        }
    }
}

async fn from_callbacks(ask: &Ask<'_>) -> Result<Reply, Refusal> {
    let text = ask.body.text("authId").unwrap_or_default();
    // First, so that only forms that were filled in are used up.
    let Some((user_name, password)) = callbacks::read(&ask.body) else {
        return Err(Refusal::bad_request(
            "The callbacks are not the ones that were sent",
        ));
    };
    let redeemed = auth_id::redeem(ask, text).await?;
    let outcome = log_in(ask, credentials(user_name, password)).await;
    if let Err(refusal) = &outcome
        && refusal.status.is_server_error()
    {
        // Nothing came of it: it may be tried again.
        redeemed.give_back(ask);
    }
    outcome
}

/// All that is wrong with credentials is answered alike.
async fn log_in(ask: &Ask<'_>, credentials: Option<Credentials>) -> Result<Reply, Refusal> {
    let failed = || Refusal::new(http::StatusCode::UNAUTHORIZED, "Authentication Failed");
    let credentials = credentials.ok_or_else(failed)?;
    let core = ask.core;
    // First: a call that is refused must not leave a session behind.
    let no_session = ask.query.is_true("noSession")?;
    let begun = core
        .log_in(ask.realm, core.visit.target, credentials)
        .await?;
    let begun = begun.map_err(|_| failed())?;
    if no_session {
        core.end_begun(&begun).await?;
        let reply = object! {
            "message": "Authentication Successful",
            "successUrl": SUCCESS_URL,
        };
        return Ok(reply.into());
    }
    Ok(Reply {
        cookies: cookie(ask, &begun.token, false).into_iter().collect(),
        ..success(ask, &begun.token).into()
    })
}

/// Whoever shows a living session that is strong enough gets it back.
async fn upgrade(ask: &Ask<'_>) -> Result<Option<Reply>, Refusal> {
    let token = ask.query.one("sessionUpgradeSSOTokenId")?;
    let forced = ask.query.is_true("ForceAuth")?;
    let Some(token) = token.filter(|_| !forced) else {
        return Ok(None);
    };
    let Ok(live) = Live::of(ask.core, token.as_bytes()).await? else {
        return Err(Refusal::bad_request("Invalid session"));
    };
    let enough = live.session().protection_level >= ask.realm.level;
    Ok(enough.then(|| success(ask, token).into()))
}

/// A login here is no stronger than its realm: whoever was told to come back with a stronger session must learn that it is
/// not to be had here, or would be told so again.
fn check_level(ask: &Ask<'_>) -> Result<(), Refusal> {
    let value = ask.query.one("authIndexValue")?;
    let level = match ask.query.one("authIndexType")? {
        Some("level") => value.and_then(|value| value.parse().ok()),
        Some("composite_advice") => value.and_then(advices::level),
        _ => return Ok(()),
    };
    match level {
        Some(level) if level <= ask.realm.level.0 => Ok(()),
        _ => Err(Refusal::bad_request("No Configuration found")),
    }
}

fn success(ask: &Ask<'_>, token: &str) -> Json {
    object! {
        "tokenId": token,
        "successUrl": SUCCESS_URL,
        "realm": ask.realm_name.as_str(),
    }
}

/// The service's cookie; with `over`, one that the browser forgets at once.
pub(super) fn cookie(ask: &Ask<'_>, value: &str, over: bool) -> Option<HeaderValue> {
    let jar = &ask.core.visit.site.cookies;
    let cookie = jar.named(&ask.service.cookie_name, value.to_owned())?;
    if !over {
        return Some(cookie);
    }
    let text = format!(
        "{}; Expires=Thu, 01 Jan 1970 00:00:10 GMT; Max-Age=0",
        cookie.to_str().ok()?
    );
    HeaderValue::try_from(text).ok()
}
