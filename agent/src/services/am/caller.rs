//! By whose session a call is made.

use std::collections::BTreeSet;

use http::{HeaderMap, header};
use policy_protocol::Timestamp;
use policy_protocol::message::SessionSummary;
use policy_protocol::session_service::{SessionOperation, SessionServiceAnswer};
use policy_protocol::sessions::SessionDetails;

use super::ask::Ask;
use super::cors;
use super::error::Refusal;
use crate::config::services::Am;
use crate::http::cookies;
use crate::services::core::{Answer, Core, Shown};

/// A token that came along with a call.
#[derive(Clone, Copy)]
pub(super) struct Token<'h> {
    pub(super) text: &'h [u8],
    /// Browsers send cookies whoever wants them to.
    by_cookie: bool,
}

/// The token of the header, else of `Authorization: Bearer`, else of the cookie.
pub(super) fn token<'h>(headers: &'h HeaderMap, service: &Am) -> Option<Token<'h>> {
    let own = headers.get(service.cookie_name.as_str());
    let bearer = || {
        let value = headers.get(header::AUTHORIZATION)?.as_bytes();
        let (scheme, text) = value.split_at_checked(7)?;
        scheme
            .eq_ignore_ascii_case(b"bearer ")
            .then(|| text.trim_ascii())
    };
    let explicit = own
        .map(|value| value.as_bytes().trim_ascii())
        .or_else(bearer);
    if let Some(text) = explicit.filter(|text| !text.is_empty()) {
        return Some(Token {
            text,
            by_cookie: false,
        });
    }
    let text = cookies::unquoted(cookies::first(headers, &service.cookie_name)?);
    (!text.is_empty()).then_some(Token {
        text,
        by_cookie: true,
    })
}

/// Asks for what only administrators get; the policy server looks at that, too.
pub(super) async fn administer(
    ask: &Ask<'_>,
    caller: &Live,
    operation: SessionOperation,
) -> Result<SessionServiceAnswer, Refusal> {
    permitted(ask.core.ask(&caller.shown, operation).await?)
}

/// The answer to what not everybody may.
pub(super) fn permitted(answer: SessionServiceAnswer) -> Result<SessionServiceAnswer, Refusal> {
    match answer {
        SessionServiceAnswer::Forbidden => Err(Refusal::not_administrator()),
        SessionServiceAnswer::No { .. } => Err(Refusal::access_denied()),
        answer => Ok(answer),
    }
}

impl Token<'_> {
    /// # Errors
    /// If a page of another site may have made the browser send this.
    pub(super) fn must_be_meant(&self, ask: &Ask<'_>) -> Result<(), Refusal> {
        if self.by_cookie && !cors::is_meant(ask.service, ask.core.visit) {
            return Err(Refusal::forbidden());
        }
        Ok(())
    }

    /// Whether it came as a cookie.
    pub(super) const fn is_cookie(&self) -> bool {
        self.by_cookie
    }
}

/// The session that a call is made by, for calls that change nothing.
///
/// # Errors
/// 401 if there is none.
pub(super) async fn caller(ask: &Ask<'_>) -> Result<Live, Refusal> {
    let token = token(ask.headers(), ask.service).ok_or_else(Refusal::access_denied)?;
    let live = Live::of(ask.core, token.text).await?;
    live.map_err(|_| Refusal::access_denied())
}

/// A session that is alive. Looking at it was no use of it.
#[derive(Debug)]
pub(super) struct Live {
    pub(super) shown: Shown,
    pub(super) details: SessionDetails,
    pub(super) administrator: bool,
    /// The properties that sessions may have.
    pub(super) property_names: BTreeSet<String>,
}

impl Live {
    /// The session of a token.
    ///
    /// # Errors
    /// If the policy server gives no answer.
    pub(super) async fn of(core: &Core<'_>, token: &[u8]) -> Answer<Self> {
        let shown = match core.open(token).await? {
            Ok(shown) => shown,
            Err(reason) => return Ok(Err(reason)),
        };
        let described = match core.describe(&shown).await? {
            Ok(described) => described,
            Err(reason) => return Ok(Err(reason)),
        };
        let mut live = Self {
            administrator: described.administrator,
            property_names: described.property_names,
            details: described.details,
            shown,
        };
        live.seen_at(live.shown.last_access());
        Ok(Ok(live))
    }

    /// Takes note of a use that the policy server may not know of yet.
    fn seen_at(&mut self, time: Timestamp) {
        let limits = &mut self.details.limits;
        let last_access = self.details.session.last_access.max(time);
        self.details.session.last_access = last_access;
        limits.idle_end = limits
            .idle_end
            .map(|_| last_access.plus(limits.idle_timeout));
    }

    /// Counts as a use of the session. False if it is over by now.
    ///
    /// # Errors
    /// If the policy server gives no answer.
    pub(super) async fn use_now(&mut self, ask: &Ask<'_>) -> Result<bool, Refusal> {
        match ask.core.use_session(&self.shown, ask.realm).await? {
            Ok(session) => {
                self.seen_at(session.last_access());
                Ok(true)
            }
            Err(_) => Ok(false),
        }
    }

    pub(super) const fn session(&self) -> &SessionSummary {
        &self.details.session
    }

    pub(super) fn user_name(&self) -> &str {
        &self.session().identity.user_name
    }

    pub(super) fn universal_id(&self) -> &str {
        &self.session().identity.universal_id
    }

    /// Whether both are of one user.
    pub(super) fn is_of_same_user(&self, other: &Self) -> bool {
        let (one, other) = (&self.session().identity, &other.session().identity);
        one.universal_id == other.universal_id && one.directory.oid == other.directory.oid
    }

    pub(super) fn is_in_one_of(&self, groups: &[String]) -> bool {
        let own = &self.session().identity.groups;
        groups.iter().any(|group| own.contains(group))
    }
}
