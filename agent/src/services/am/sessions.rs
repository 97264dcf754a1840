//! `sessions`: who asks about which session, and whether they may.
//!
//! Every action is there in every version. What an answer looks like is the version's: [`v1`], [`v2`] and [`v3`],
//! which also serves 4 and 5.

mod action;
mod v1;
pub(super) mod v2;
mod v3;

use http::Method;

use self::action::Action;
use super::ask::Ask;
use super::caller::{self, Live, Token};
use super::error::Refusal;
use super::json::{Json, object};
use super::listing;
use super::respond::Reply;
use crate::login::logout::ToEnd;
use crate::services::core::Unavailable;

/// Who asks about which session.
struct Parties<'h> {
    /// The session that is asked about. None if it is over, or never was.
    target: Option<Live>,
    /// The session by whose right it is asked. None if that is the target's.
    caller: Option<Live>,
    /// The caller's token, if it did not come as the target's only.
    token: Option<Token<'h>>,
}

impl Parties<'_> {
    fn caller(&self) -> Option<&Live> {
        self.caller.as_ref().or(self.target.as_ref())
    }

    fn by_administrator(&self) -> bool {
        self.caller().is_some_and(|caller| caller.administrator)
    }

    /// Whether the caller asks about a session of their own.
    fn by_self(&self) -> bool {
        match (&self.caller, &self.target) {
            (Some(caller), Some(target)) => caller.is_of_same_user(target),
            // A dead session is nobody's; that it is dead may be known.
            _ => true,
        }
    }
}

/// Answers a call. `path_token` is what the path names.
pub(super) async fn answer(ask: &Ask<'_>, path_token: Option<&str>) -> Result<Reply, Refusal> {
    if ask.method == Method::GET {
        return match path_token {
            None => listing::answer(ask).await.map(Reply::from),
            Some(_) => Err(Refusal::no_operation()),
        };
    }
    let name = ask.action()?;
    let action = Action::named(name).ok_or_else(|| Refusal::no_action(name))?;
    let named = named_token(ask, path_token)?;
    let sent = caller::token(ask.headers(), ask.service);
    match action {
        Action::LogoutByHandle => return v2::logout_by_handle(ask).await.map(Reply::from),
        Action::LogoutByUser => return v3::logout_by_user(ask).await.map(Reply::from),
        Action::Validate => return validate(ask, sent, named).await.map(Reply::from),
        _ => {}
    }
    let refreshes = action == Action::IsActive && ask.query.is_true("refresh")?;
    if let (true, Some(token)) = (action.changes() || refreshes, &sent) {
        token.must_be_meant(ask)?;
    }
    let to_end = match action {
        Action::Logout => to_end(ask, sent, named).await,
        _ => None,
    };
    let answered = act(ask, action, sent, named).await;
    if let Some(to_end) = to_end {
        to_end.decided();
    }
    answered
}

/// The session that a logout is for, should the client not wait until it is known who asks: then that cannot be told,
/// as in [`end_anyway`].
async fn to_end(ask: &Ask<'_>, sent: Option<Token<'_>>, named: Option<&str>) -> Option<ToEnd> {
    if named.is_some() && sent.is_none() && !proves_itself(ask, Action::Logout) {
        return None;
    }
    let shown = ask.core.open_to_end(to_be_ended(sent, named)?).await;
    Some(ask.core.to_end(&shown.ok()?.ok()?))
}

/// The token of the session that a logout is for.
fn to_be_ended<'a>(sent: Option<Token<'a>>, named: Option<&'a str>) -> Option<&'a [u8]> {
    named
        .map(str::as_bytes)
        .or_else(|| sent.map(|token| token.text))
}

/// Does what an action does that is about one session.
async fn act(
    ask: &Ask<'_>,
    action: Action,
    sent: Option<Token<'_>>,
    named: Option<&str>,
) -> Result<Reply, Refusal> {
    let parties = match parties(ask, sent, named, action).await {
        Err(refusal) if action == Action::Logout => {
            let by_dead = refusal.status.is_client_error() && sent.is_some();
            end_anyway(ask, sent, named, by_dead).await;
            return Err(refusal);
        }
        parties => parties?,
    };
    let allowed = parties.by_administrator()
        || action.may_anybody()
        || action.may_self() && parties.by_self();
    if !allowed {
        return Err(Refusal::forbidden());
    }
    match action {
        Action::Logout => logout(ask, parties, named).await,
        Action::SessionInfo => v3::info(ask, parties.target, false).await.map(Reply::from),
        Action::SessionInfoAndResetIdleTime => {
            v3::info(ask, parties.target, true).await.map(Reply::from)
        }
        Action::Refresh => v2::refresh(ask, parties.target).await.map(Reply::from),
        Action::SessionProperties => v2::properties(ask, parties.target.as_ref()).map(Reply::from),
        Action::UpdateSessionProperties => {
            let updated = v2::update_properties(ask, parties.target.as_ref()).await;
            updated.map(Reply::from)
        }
        _ => v1::answer(ask, action, parties.target)
            .await
            .map(Reply::from),
    }
}

/// The token that a call is about, where it names one: in the query, else in the body, else in the path.
fn named_token<'a>(
    ask: &'a Ask<'_>,
    path_token: Option<&'a str>,
) -> Result<Option<&'a str>, Refusal> {
    let in_query = ask.query.one("tokenId")?;
    let in_body = match ask.body.member("tokenId") {
        None => None,
        Some(token) => {
            let text = token.as_str();
            Some(text.ok_or_else(|| Refusal::bad_request("\"tokenId\" is not a string"))?)
        }
    };
    Ok(in_query.or(in_body).or(path_token))
}

async fn parties<'a>(
    ask: &Ask<'_>,
    sent: Option<Token<'a>>,
    named: Option<&str>,
    action: Action,
) -> Result<Parties<'a>, Refusal> {
    let target = match named {
        Some(text) => Some(Live::of(ask.core, text.as_bytes()).await?.ok()),
        None => None,
    };
    let Some(token) = sent else {
        return match target {
            Some(target)
                if proves_itself(ask, action) && (target.is_some() || action != Action::Logout) =>
            {
                Ok(Parties {
                    target,
                    caller: None,
                    token: None,
                })
            }
            _ => Err(Refusal::access_denied()),
        };
    };
    let caller = Live::of(ask.core, token.text).await?;
    let caller = caller.map_err(|_| Refusal::access_denied())?;
    let token = Some(token);
    Ok(match target {
        None => Parties {
            target: Some(caller),
            caller: None,
            token,
        },
        Some(target) => Parties {
            target,
            caller: Some(caller),
            token,
        },
    })
}

/// A token that comes alone proves itself. Before version 3 a logout wanted another proof.
fn proves_itself(ask: &Ask<'_>, action: Action) -> bool {
    action != Action::Logout || ask.version.0 >= 3
}

/// `validate` needs no session but the one that it is about. It counts as a use, unless the client says no.
async fn validate(
    ask: &Ask<'_>,
    sent: Option<Token<'_>>,
    named: Option<&str>,
) -> Result<Json, Refusal> {
    let text = match (named, &sent) {
        (Some(text), _) => text.as_bytes(),
        (None, Some(token)) => token.text,
        (None, None) if ask.version.0 == 1 => {
            return Err(Refusal::bad_request(
                "iPlanetDirectoryCookie not set on request",
            ));
        }
        (None, None) => return Err(Refusal::access_denied()),
    };
    let refresh = ask.query.one("refresh")?;
    let resets = refresh.is_none_or(|value| !value.eq_ignore_ascii_case("false"));
    let Ok(mut live) = Live::of(ask.core, text).await? else {
        return Ok(invalid());
    };
    // A browser that was made to ask by another site's page keeps nobody logged in.
    let meant = named.is_some() || sent.is_none_or(|token| token.must_be_meant(ask).is_ok());
    if resets && meant && !live.use_now(ask).await? {
        return Ok(invalid());
    }
    Ok(match ask.version.0 {
        1 | 2 => object! {
            "valid": true,
            "uid": live.user_name(),
            "realm": realm_name(ask, &live),
        },
        _ => object! {
            "valid": true,
            "sessionUid": live.session().id.to_string(),
            "uid": live.user_name(),
            "realm": realm_name(ask, &live),
        },
    })
}

/// Ends the session, here and everywhere.
async fn logout(
    ask: &Ask<'_>,
    parties: Parties<'_>,
    named: Option<&str>,
) -> Result<Reply, Refusal> {
    let by_cookie = parties.token.is_some_and(|token| token.is_cookie());
    let Some(target) = parties.target else {
        end_text(ask, named.unwrap_or_default().as_bytes()).await?;
        return Ok(object! { "result": "Token has expired" }.into());
    };
    let own = parties
        .caller
        .is_none_or(|caller| caller.session().id == target.session().id);
    ask.core.end(target.shown).await?;
    let reply = Reply::from(object! { "result": "Successfully logged out" });
    let forget = by_cookie && own && ask.version.0 >= 3;
    Ok(Reply {
        cookies: forget
            .then(|| v3::forget_cookie(ask))
            .flatten()
            .into_iter()
            .collect(),
        ..reply
    })
}

/// Ends a session that the call is refused for: one that is told dead, or that nothing can be asked about now. Nothing that was to end
/// lives on; it is over here at once, and elsewhere when the policy server can be told.
async fn end_anyway(ask: &Ask<'_>, sent: Option<Token<'_>>, named: Option<&str>, by_dead: bool) {
    // A dead session proves no more than none.
    if named.is_some() && (sent.is_none() || by_dead) && !proves_itself(ask, Action::Logout) {
        return;
    }
    if let Some(text) = to_be_ended(sent, named) {
        // That the policy server was not told is what the call is answered with anyway.
        let _ = end_text(ask, text).await;
    }
}

/// Ends the session of a token, if it is one of ours: whatever is told of it.
async fn end_text(ask: &Ask<'_>, text: &[u8]) -> Result<(), Unavailable> {
    if let Ok(shown) = ask.core.open_to_end(text).await? {
        ask.core.end(shown).await?;
    }
    Ok(())
}

/// What is said of a session that is over.
fn invalid() -> Json {
    object! { "valid": false }
}

/// What the realm of a session is called in the API.
fn realm_name<'a>(ask: &'a Ask<'_>, live: &Live) -> &'a str {
    ask.service.realm_name(&live.session().realm)
}
