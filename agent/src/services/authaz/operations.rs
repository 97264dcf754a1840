//! What the operations do, whatever a call is written in.

use std::sync::Arc;

use http::{Method, Uri};
use policy_protocol::{AuthScheme, Reason};

use super::Core;
use super::fields::Fields;
use super::operation::Operation;
use super::reply::Reply;
use crate::access::protection::Protection;
use crate::access::{Denial, Grant, identity};
use crate::config::Realm;
use crate::config::services::Authaz;
use crate::http::target::RequestTarget;
use crate::login::direct;
use crate::services::core::{Begun, NotBegun, Unavailable, Verdict};
use crate::session::cache::CachedSession;

/// Methods that one call asks about at most: each may be a call of the policy server.
const MAX_ACTIONS: usize = 16;
/// What clients have always been told beside what applications are.
const ZONE: &str = "SMSSOZONE";
const ACCEPT_REDIRECT: &str = "WebAgent-OnAccept-Redirect";
const REJECT_REDIRECT: &str = "WebAgent-OnReject-Redirect";

/// Does what is asked.
pub(super) async fn perform(
    core: &Core<'_>,
    service: &Authaz,
    operation: Operation,
    fields: Fields,
) -> Reply {
    let done = match operation {
        Operation::Login => login(core, service, fields).await,
        Operation::Blogin => blogin(core, service, fields).await,
        Operation::Logout => logout(core, fields).await,
        Operation::Authorize => authorize(core, service, fields).await,
    };
    done.unwrap_or_else(|Unavailable| Reply::unavailable(operation))
}

/// What a call is about: nothing, if the application is not known, or if the path has two readings or none.
fn target(service: &Authaz, fields: &Fields, method: &Method) -> Option<RequestTarget> {
    let host = service.apps.get(fields.app_id.as_deref()?)?;
    let resource = fields.resource.as_deref().unwrap_or("/");
    // The parser of addresses would drop what is behind it.
    if resource.contains('#') {
        return None;
    }
    let uri: Uri = if resource.starts_with('/') {
        resource.parse()
    } else {
        format!("/{resource}").parse()
    }
    .ok()?;
    RequestTarget::new(host.clone(), None, &uri, method).ok()
}

/// The methods that a call asks about: one or several, with commas between them. GET, if it names none.
fn actions(fields: &Fields) -> Option<Vec<Method>> {
    let list = fields.action.as_deref().unwrap_or("GET");
    let methods = list.split(',').take(MAX_ACTIONS + 1);
    let methods: Result<Vec<_>, _> = methods
        .map(|method| Method::from_bytes(method.trim().as_bytes()))
        .collect();
    methods.ok().filter(|methods| methods.len() <= MAX_ACTIONS)
}

/// Why a login made no session: never which part of the credentials is wrong, nor whether there is such a user.
const fn told(reason: Reason) -> Reason {
    match reason {
        // It is not about credentials.
        Reason::SET_PERSISTENT_SESSION_FAILED | Reason::UNSUPPORTED_SCHEME => reason,
        _ => Reason::NONE,
    }
}

/// What a login has come to: a session with the realm it is for, or an answer.
enum LoggedIn {
    Yes(Begun, Arc<Realm>),
    No(Reason),
    BadRequest,
}

async fn log_in(
    core: &Core<'_>,
    service: &Authaz,
    fields: &Fields,
) -> Result<LoggedIn, Unavailable> {
    // Of several methods one suffices to find the realm.
    let method = actions(fields).and_then(|methods| methods.into_iter().next());
    let target = method.and_then(|method| target(service, fields, &method));
    let Some(target) = target else {
        return Ok(LoggedIn::BadRequest);
    };
    // There is nothing to log in to where no session is needed.
    let Ok(Protection::Protected(realm)) = core.visit.site.realms.find(&target) else {
        return Ok(LoggedIn::BadRequest);
    };
    // A password must never make a session of a realm that asks for more than a password.
    if !matches!(realm.scheme, AuthScheme::Form | AuthScheme::Basic) {
        return Ok(LoggedIn::No(Reason::UNSUPPORTED_SCHEME));
    }
    let user_name = fields.user_name.as_deref().unwrap_or_default();
    let password = fields.password.as_ref();
    let password = password.map_or("", |password| password.expose().as_str());
    let Some(credentials) = direct::credentials(user_name, password) else {
        return Ok(LoggedIn::No(Reason::NONE));
    };
    Ok(match core.log_in(&realm, &target, credentials).await? {
        Ok(begun) => LoggedIn::Yes(begun, realm),
        Err(NotBegun {
            reason,
            must_change: true,
        }) => LoggedIn::No(reason),
        Err(NotBegun { reason, .. }) => LoggedIn::No(told(reason)),
    })
}

async fn login(core: &Core<'_>, service: &Authaz, fields: Fields) -> Result<Reply, Unavailable> {
    const LOGIN: Operation = Operation::Login;
    Ok(match log_in(core, service, &fields).await? {
        LoggedIn::Yes(begun, realm) => Reply {
            token: Some(begun.token),
            responses: attributes(core, &begun.session, &realm),
            ..Reply::new(LOGIN, "LOGIN_SUCCESS", "Authentication successful")
        }
        .because(Reason::NONE),
        LoggedIn::No(reason) => {
            Reply::new(LOGIN, "LOGIN_FAILED", "Authentication Failed").because(reason)
        }
        LoggedIn::BadRequest => Reply::bad_request(LOGIN),
    })
}

/// A login whose session ends at once. If it cannot be ended there is no answer.
async fn blogin(core: &Core<'_>, service: &Authaz, fields: Fields) -> Result<Reply, Unavailable> {
    const BLOGIN: Operation = Operation::Blogin;
    Ok(match log_in(core, service, &fields).await? {
        LoggedIn::Yes(begun, _) => {
            core.end_begun(&begun).await?;
            Reply::new(BLOGIN, "LOGIN_SUCCESS", "yes")
        }
        LoggedIn::No(reason) => Reply::new(BLOGIN, "LOGIN_FAILED", "no").because(reason),
        LoggedIn::BadRequest => Reply::bad_request(BLOGIN),
    })
}

/// Success means that the token is dead everywhere. One that was dead before is asked about as well: this agent may
/// know of an end that the policy server could not be told of.
async fn logout(core: &Core<'_>, fields: Fields) -> Result<Reply, Unavailable> {
    const LOGOUT: Operation = Operation::Logout;
    let Some(token) = fields.session_token else {
        return Ok(Reply::bad_request(LOGOUT));
    };
    match core.open_to_end(token.expose().as_bytes()).await? {
        Ok(shown) => {
            core.end(shown).await?;
            Ok(Reply::new(LOGOUT, "LOGOUT_SUCCESS", "Logout successful"))
        }
        Err(reason) => Ok(Reply::new(LOGOUT, "LOGOUT_FAILURE", "Logout failed").because(reason)),
    }
}

/// All methods must be allowed.
async fn authorize(
    core: &Core<'_>,
    service: &Authaz,
    fields: Fields,
) -> Result<Reply, Unavailable> {
    const AUTHORIZE: Operation = Operation::Authorize;
    let known = |app: &String| service.apps.contains_key(app);
    let methods = match actions(&fields) {
        Some(methods) if fields.app_id.as_ref().is_some_and(known) => methods,
        _ => return Ok(Reply::bad_request(AUTHORIZE)),
    };
    let shown = fields.session_token.as_ref();
    let shown = shown.map_or("", |token| token.expose().as_str());
    let mut allowed: Option<Reply> = None;
    for method in methods {
        let Some(target) = target(service, &fields, &method) else {
            return Ok(not_authorized(&Denial::BadRequest("two readings or none")));
        };
        match core.decide(shown.as_bytes(), &target).await? {
            Verdict::NotProtected => {}
            Verdict::Granted {
                session,
                grant,
                renewed,
            } => {
                let before = allowed.take();
                let (token, known) =
                    before.map_or((None, Vec::new()), |it| (it.token, it.responses));
                let mut responses = known;
                for response in granted(core, &session, &grant) {
                    if !responses.iter().any(|(name, _)| *name == response.0) {
                        responses.push(response);
                    }
                }
                allowed = Some(Reply {
                    token: renewed.or(token),
                    responses,
                    ..Reply::new(AUTHORIZE, "AUTHORIZED", "Authorization successful")
                });
            }
            Verdict::Denied(denial) => {
                let denial = of_the_session(core, shown.as_bytes(), denial).await?;
                return Ok(not_authorized(&denial));
            }
        }
    }
    Ok(match allowed {
        Some(reply) => Reply {
            token: reply.token.or_else(|| Some(shown.to_owned())),
            ..reply
        }
        .because(Reason::NONE),
        None => Reply::new(AUTHORIZE, "NOT_PROTECTED", "The resource is not protected"),
    })
}

/// That a session is too old is told only if its own time is over, not where a realm has a shorter one: who hears of an
/// expired session ends it for all realms.
async fn of_the_session(
    core: &Core<'_>,
    token: &[u8],
    denial: Denial,
) -> Result<Denial, Unavailable> {
    match denial {
        Denial::Challenge {
            realm,
            reason: Reason::EXPIRED_SESSION,
        } => {
            let reason = match core.open(token).await? {
                Err(Reason::EXPIRED_SESSION) => Reason::EXPIRED_SESSION,
                _ => Reason::INVALID_SESSION,
            };
            Ok(Denial::Challenge { realm, reason })
        }
        denial => Ok(denial),
    }
}

/// Without a token: who may not do this learns nothing of the session but why, and where a policy leads them.
fn not_authorized(denial: &Denial) -> Reply {
    let reply = Reply::new(
        Operation::Authorize,
        "NOTAUTHORIZED",
        "Authorization failed",
    );
    let (reason, redirect) = match denial {
        Denial::Challenge { reason, .. } => (*reason, None),
        Denial::Forbidden {
            redirect: Some(location),
            ..
        } => (Reason::NONE, Some((REJECT_REDIRECT, location))),
        Denial::Elsewhere { location, .. } => (Reason::NONE, Some((ACCEPT_REDIRECT, location))),
        _ => (Reason::NONE, None),
    };
    let responses =
        redirect.map(|(name, location)| (name.to_owned(), location.as_ref().to_owned()));
    Reply {
        responses: responses.into_iter().collect(),
        ..reply
    }
    .because(reason)
}

/// What is told of a session that is good for a realm.
fn attributes(core: &Core<'_>, session: &CachedSession, realm: &Realm) -> Vec<(String, String)> {
    let zone = core.visit.site.cookies.zone();
    let mut attributes = identity::told(core.visit, session, realm);
    attributes.push((ZONE.to_owned(), zone.as_ref().to_owned()));
    attributes
}

/// The same with what the policy server's decision adds.
fn granted(core: &Core<'_>, session: &CachedSession, grant: &Grant) -> Vec<(String, String)> {
    let mut attributes = attributes(core, session, grant.realm());
    let decided = grant
        .identity()
        .and_then(|identity| identity.decision_headers.as_ref());
    for (name, value) in decided.into_iter().flat_map(|headers| headers.iter()) {
        attributes.push((
            name.as_str().to_owned(),
            String::from_utf8_lossy(value.as_bytes()).into_owned(),
        ));
    }
    attributes
}

#[cfg(test)]
mod tests;
