//! From credentials to a live session: SMSESSION, session cache, Validate().

mod admit;
mod cookies;
mod foreign;
mod unfit;

use std::sync::Arc;

use http::HeaderValue;
use policy_protocol::message::SessionTicket;

use self::admit::{Refresh, admit};
pub use self::cookies::{by_cookies, tickets};
pub use self::unfit::Unfit;
use crate::access::{Denial, Visit};
use crate::config::Realm;
use crate::login::direct;
use crate::session::Sessions;
use crate::session::cache::CachedSession;

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

/// The sessions that were begun in another system and that a request brings, for logout. Anybody can make one up.
pub fn foreign_tickets(visit: &Visit<'_>) -> Vec<SessionTicket> {
    foreign::tickets(visit).take(MAX_COOKIES).collect()
}
