//! Logout: at once, and everywhere.

use std::sync::Arc;

use futures_util::future::join_all;
use http::{HeaderValue, Response, StatusCode, header};
use policy_client::PolicyError;
use policy_protocol::Reason;
use policy_protocol::message::{LogoutAnswer, LogoutRequest, SessionTicket};

use super::{form, page, parameter, see_other};
use crate::access::{Denial, Visit, authenticate};
use crate::http::body::Body;
use crate::session::Sessions;
use crate::telemetry::Outcome;
use crate::telemetry::metrics::{PolicyAnswer, PolicyCall};

/// Makes browsers forget the pages they keep for their Back button.
static CLEAR_CACHE: HeaderValue = HeaderValue::from_static("\"cache\"");

/// Ends the session of whoever asks, and says so: also if nobody is there any more to hear it.
///
/// # Errors
/// If there are no agent keys to open every cookie with. What could be opened is over.
pub async fn logout(sessions: &Arc<Sessions>, visit: &Visit<'_>) -> Result<Response<Body>, Denial> {
    let tickets = authenticate::tickets(sessions, visit);
    let foreign = authenticate::foreign_tickets(visit);
    let ending = Ending::by(sessions, visit);
    let carried_out = sessions.carry_out(async move {
        let (ours, all) = tickets.await;
        (ending.end(ours, foreign).await, all)
    });
    let (told, all) = carried_out.await.map_err(|_| Denial::Internal)?;
    // Without keys the cookie stays: it is the only means to try again.
    all?;
    let mut response = match told {
        Ok(()) => farewell(visit)?,
        // It is over here, and the policy server will be told; but it is not over everywhere yet.
        Err(_) => page(
            visit,
            StatusCode::SERVICE_UNAVAILABLE,
            visit.site.pages.error(
                Outcome::PolicyUnavailable,
                StatusCode::SERVICE_UNAVAILABLE.as_u16(),
                visit.transaction_id.as_str(),
            ),
        ),
    };
    let headers = response.headers_mut();
    let jar = &visit.site.cookies;
    // A request that waits for a login is not for the next user of this browser.
    let cookies = jar.logged_off().into_iter().chain(jar.forget_login());
    for cookie in cookies {
        headers.append(header::SET_COOKIE, cookie);
    }
    headers.insert("clear-site-data", CLEAR_CACHE.clone());
    Ok(response)
}

/// Ends a session here, and tells the policy server; later, if it cannot be told now.
///
/// # Errors
/// If it cannot be told now.
pub(crate) async fn end(
    sessions: &Arc<Sessions>,
    visit: &Visit<'_>,
    ticket: SessionTicket,
) -> Result<(), PolicyError> {
    let ending = Ending::by(sessions, visit);
    let carried_out = sessions.carry_out(async move { ending.end(vec![ticket], Vec::new()).await });
    carried_out.await.unwrap_or(Err(PolicyError::Failure))
}

/// A session that a call is to end and has not ended yet. Should nobody wait for the answer any more, it ends all the
/// same: here at once, and elsewhere as soon as the policy server can be told.
#[derive(Debug)]
pub(crate) struct ToEnd {
    sessions: Arc<Sessions>,
    logout: Option<LogoutRequest>,
}

impl ToEnd {
    pub(crate) fn new(sessions: &Arc<Sessions>, visit: &Visit<'_>, session: SessionTicket) -> Self {
        Self {
            sessions: Arc::clone(sessions),
            logout: Some(LogoutRequest {
                session,
                transaction_id: visit.transaction_id.as_str().to_owned(),
            }),
        }
    }

    /// The call has its answer: what was to end has ended, or must not.
    pub(crate) fn decided(mut self) {
        self.logout = None;
    }
}

impl Drop for ToEnd {
    fn drop(&mut self) {
        if let Some(logout) = self.logout.take() {
            let id = logout.session.session_id;
            self.sessions.cache.end(id, Reason::USER_LOGOUT);
            self.sessions.unsent_logouts.add_untried(logout);
        }
    }
}

/// The end of sessions, free of the request that asks for it: the client may go away while the policy server is told.
struct Ending {
    sessions: Arc<Sessions>,
    transaction_id: String,
}

impl Ending {
    fn by(sessions: &Arc<Sessions>, visit: &Visit<'_>) -> Self {
        Self {
            sessions: Arc::clone(sessions),
            transaction_id: visit.transaction_id.as_str().to_owned(),
        }
    }

    /// All are over here before the policy server is told of any.
    async fn end(
        &self,
        ours: Vec<SessionTicket>,
        foreign: Vec<SessionTicket>,
    ) -> Result<(), PolicyError> {
        let cache = &self.sessions.cache;
        let ours = ours.into_iter().map(|ticket| (ticket, true));
        // What strangers make up must not take the place of logouts that have to wait.
        let foreign = foreign.into_iter().map(|ticket| {
            let is_known = cache.find(ticket.session_id).is_some();
            (ticket, is_known)
        });
        let tickets: Vec<_> = ours.chain(foreign).collect();
        for (ticket, _) in &tickets {
            cache.end(ticket.session_id, Reason::USER_LOGOUT);
        }
        let told = tickets
            .into_iter()
            .map(|(ticket, again)| self.tell(ticket, again));
        join_all(told).await.into_iter().collect()
    }

    /// Tells the policy server, and `again` if it cannot be told now.
    async fn tell(&self, session: SessionTicket, again: bool) -> Result<(), PolicyError> {
        let request = LogoutRequest {
            session,
            transaction_id: self.transaction_id.clone(),
        };
        let told = tell(&self.sessions, request.clone()).await;
        if again && told.is_err() {
            self.sessions.unsent_logouts.add(request);
        }
        told
    }
}

/// Tells the policy server of a logout.
///
/// # Errors
/// If it gives no answer.
pub async fn tell(sessions: &Sessions, request: LogoutRequest) -> Result<(), PolicyError> {
    let answer = sessions.policy.logout(request).await;
    let counted = match &answer {
        Ok(LogoutAnswer::Yes) => PolicyAnswer::Yes,
        Ok(LogoutAnswer::No { .. }) => PolicyAnswer::No,
        Err(_) => PolicyAnswer::Error,
    };
    sessions
        .metrics
        .policy_calls
        .count(PolicyCall::Logout, counted);
    answer.map(|_| ())
}

/// Where a logout leads: where the configuration says, or the address asked for if it is allowed, or a
/// page of our own.
fn farewell(visit: &Visit<'_>) -> Result<Response<Body>, Denial> {
    let asked = parameter(visit, "TARGET");
    let settings = &visit.site.config.login;
    let allowed = |target: &str| form::resolve(visit, target);
    let target = asked
        .as_deref()
        .and_then(allowed)
        .or_else(|| settings.logout_target.as_deref().and_then(allowed));
    match target {
        Some(target) => see_other(&target.location),
        None => Ok(page(
            visit,
            StatusCode::OK,
            visit.site.pages.logged_out("/"),
        )),
    }
}

#[cfg(test)]
mod tests;
