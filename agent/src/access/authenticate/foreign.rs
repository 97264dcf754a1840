//! Sessions that were begun in another system: its cookie, or its header, brings the token.

use std::sync::Arc;

use http::HeaderValue;
use policy_client::foreign;
use policy_protocol::message::SessionTicket;
use policy_protocol::{Reason, Timestamp};

use super::admit::{Refresh, admit, validate_request};
use super::{Admitted, Unfit};
use crate::access::Visit;
use crate::config::Realm;
use crate::http::cookies;
use crate::session::Sessions;
use crate::session::cache::{Alias, Known};
use crate::session::cookie::LOGGED_OFF;
use crate::session::validate::{NotValidated, ends_session};

/// Begins the keys of tokens in the cache. No cookie has this byte, and digests of credentials begin with another.
const KEY_PREFIX: u8 = 1;

/// The tokens that a request brings: headers first, which no browser sends by itself.
pub(super) fn tokens<'v>(visit: &Visit<'v>) -> impl Iterator<Item = &'v [u8]> {
    let headers = visit.headers;
    visit.site.foreign().into_iter().flat_map(move |foreign| {
        let name = foreign.header_name.iter();
        let in_headers = name.flat_map(move |name| headers.get_all(name).iter());
        let in_cookies = cookies::all(headers)
            .filter(move |(name, _)| foreign.owns_cookie(name))
            .map(|(_, value)| cookies::unquoted(value));
        let values = in_headers.map(HeaderValue::as_bytes).chain(in_cookies);
        values.filter(|value| !value.is_empty() && *value != LOGGED_OFF.as_bytes())
    })
}

/// The sessions that those tokens are of, as the policy server wants them.
pub(super) fn tickets(visit: &Visit<'_>) -> impl Iterator<Item = SessionTicket> {
    let foreign = visit.site.foreign();
    tokens(visit).filter_map(move |token| foreign::ticket(foreign?.kind, token))
}

/// The session of a token. Whoever made the token looks after its cookie: none of ours is set.
pub(super) async fn from_token(
    sessions: &Arc<Sessions>,
    visit: &Visit<'_>,
    realm: &Arc<Realm>,
    token: &[u8],
) -> Result<Admitted, Unfit> {
    // Where sessions are bound to an address, who shows a token first must not own it: each address has its own.
    let address = visit.bound_address().map(|address| address.to_string());
    let address = address.as_deref().unwrap_or_default().as_bytes();
    let key = [&[KEY_PREFIX], address, &[KEY_PREFIX], token].concat();
    let known = match sessions.cache.get(&key) {
        Some(Known::Live(alias)) => Some(alias),
        Some(Known::Dead(reason)) => return Err(reason.into()),
        None => None,
    };
    // Idle here is not idle: it may have been used there, and only the policy server knows.
    let is_idle = |alias: &Arc<Alias>| {
        let times = alias
            .session
            .check_times(realm, alias.last_access, visit.now);
        times == Err(Reason::IDLE_SESSION)
    };
    let alias = match known.filter(|alias| !is_idle(alias)) {
        Some(alias) => alias,
        None => validate(sessions, visit, realm, token, &key).await?,
    };
    admit(sessions, visit, realm, &alias, Refresh::Nothing).await
}

async fn validate(
    sessions: &Arc<Sessions>,
    visit: &Visit<'_>,
    realm: &Arc<Realm>,
    token: &[u8],
    key: &[u8],
) -> Result<Arc<Alias>, Unfit> {
    let foreign = visit.site.foreign();
    let ticket = foreign.and_then(|foreign| foreign::ticket(foreign.kind, token));
    let ticket = ticket.ok_or(Unfit::Refused(Reason::INVALID_SESSION))?;
    visit.metrics.session_cache_miss();
    let request = validate_request(visit, realm, ticket, Timestamp(0));
    match sessions.validate(visit.site, request, None).await {
        Ok(session) => {
            let alias = Alias {
                zone: Arc::clone(visit.site.cookies.zone()),
                last_access: Timestamp(0),
                client_ip: visit.bound_address(),
                session,
            };
            Ok(sessions.cache.insert(key, alias))
        }
        Err(NotValidated::Refused(reason)) => {
            // A refusal may be about the resource, and the next request is for another.
            if ends_session(reason) {
                sessions.cache.insert_dead(key, reason);
            }
            Err(reason.into())
        }
        Err(NotValidated::Unavailable) => Err(Unfit::Unavailable),
    }
}
