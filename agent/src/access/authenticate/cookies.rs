//! SMSESSION: sessions of ours, by the cookies that a request brings.

use std::sync::Arc;

use policy_protocol::message::SessionTicket;
use policy_protocol::{Reason, TokenType, seal};

use super::admit::{Refresh, admit, validate_request};
use super::{Admitted, MAX_COOKIES, Unfit};
use crate::access::Visit;
use crate::config::Realm;
use crate::http::cookies;
use crate::session::Sessions;
use crate::session::cache::{Alias, Known};
use crate::session::cookie::{KeysMissing, LOGGED_OFF, SessionClaims, names_unknown_key};
use crate::session::keys::LoadedKeys;
use crate::session::validate::{NotValidated, holds_anywhere};

/// Sealed cookies that are tried at a logout or step-up, over all zones. A sibling host can plant some before the real
/// one, so these are many more than anybody has; but a request has room for hundreds, and every one costs a decryption.
const MAX_TRIED: usize = 64;

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

/// The sessions of ours that a request brings, for logout and step-up: tickets as the policy server wants them, and
/// whether there may be more, which only newer agent keys open. Looks at the seal only, and at cookies behind those
/// that do not do, too: one that is left out would live on. What is returned does not need the request any more, and
/// opens only what the keys at hand do not.
pub fn tickets(
    sessions: &Arc<Sessions>,
    visit: &Visit<'_>,
) -> impl Future<Output = (Vec<SessionTicket>, Result<(), KeysMissing>)> + use<> {
    let found = Found::in_cookies(sessions, visit);
    let sessions = Arc::clone(sessions);
    async move {
        let Found {
            mut opened,
            unknown,
        } = match found {
            Ok(found) => found,
            Err(missing) => return (Vec::new(), Err(missing)),
        };
        let mut all = Ok(());
        if !unknown.is_empty() {
            // A sibling host can make a cookie name any key. That keeps no other from being opened.
            match sessions.newest_keys().await {
                Ok(keys) => opened.extend(
                    unknown
                        .iter()
                        .filter_map(|(zone, value)| open(value, &keys, zone)),
                ),
                Err(missing) => all = Err(missing),
            }
        }
        opened.truncate(MAX_COOKIES);
        (opened, all)
    }
}

/// What the session cookies of a request are.
struct Found {
    opened: Vec<SessionTicket>,
    /// Those that name a key which is not here, with their zones.
    unknown: Vec<(Arc<str>, Box<[u8]>)>,
}

impl Found {
    fn in_cookies(sessions: &Sessions, visit: &Visit<'_>) -> Result<Self, KeysMissing> {
        let keys = sessions.keys.load()?;
        let (mut opened, mut unknown) = (Vec::new(), Vec::new());
        // What names no key at all is told at a glance.
        let sealed = session_cookies(visit)
            .filter(|(_, value)| seal::key_id(value, TokenType::Session).is_some());
        for (zone, value) in sealed.take(MAX_TRIED) {
            if names_unknown_key(value, &keys.ring) {
                unknown.push((Arc::clone(zone), value.into()));
            } else {
                opened.extend(open(value, &keys, zone));
            }
        }
        Ok(Self { opened, unknown })
    }
}

fn open(value: &[u8], keys: &LoadedKeys, zone: &str) -> Option<SessionTicket> {
    let claims = SessionClaims::open(value, &keys.ring, zone).ok()?;
    Some(claims.ticket())
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
    let keys = sessions.keys_for(value).await;
    let keys = keys.map_err(|_| Unfit::Unavailable)?;
    let claims = SessionClaims::open(value, &keys.ring, zone)?;
    claims.check_times(visit.now)?;
    let ticket = claims.ticket();
    let known = sessions.cache.find(claims.session_id);
    // An id is no proof: a session that is known counts only for a cookie that brings its very spec.
    let session = match known.filter(|session| session.owns_spec(&ticket.session_spec)) {
        Some(session) => session,
        None => {
            visit.metrics.session_cache_miss();
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
    if let Some(realm) = claims.made_for.clone() {
        session.make_for(realm);
    }
    let alias = Alias {
        zone: Arc::clone(zone),
        last_access: claims.last_access,
        client_ip: claims.client_ip(),
        session,
    };
    Ok(sessions.remember(value, alias, &keys))
}

#[cfg(test)]
mod tests;
