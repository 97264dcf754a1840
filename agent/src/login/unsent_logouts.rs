//! Logouts that the policy server has not heard of, because it could not be reached.
//!
//! The session is over at this agent all the same. The policy server, and through it every other agent,
//! is told as soon as it can be.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use policy_client::PolicyError;
use policy_protocol::message::LogoutRequest;
use policy_protocol::{Reason, SessionId};
use tokio::time::Instant;

use super::logout::tell;
use crate::session::Sessions;

/// Between attempts.
const RETRY_PAUSE: Duration = Duration::from_secs(1);
/// Sessions remembered at most: 25 MB, and a crowd that logs out within one outage.
const MAX_UNSENT: usize = 10_000;

/// After this time the session has ended by its max timeout under any sensible configuration.
const KEPT_FOR: Duration = Duration::from_secs(24 * 3600);

/// See the module.
#[derive(Debug, Default)]
pub struct UnsentLogouts(Mutex<HashMap<SessionId, Unsent>>);

#[derive(Clone, Debug)]
struct Unsent {
    request: LogoutRequest,
    since: Instant,
}

impl UnsentLogouts {
    /// Remembers a logout; one for each session, however often its user tries.
    pub fn add(&self, request: LogoutRequest) {
        let mut unsent = self.lock();
        if unsent.len() < MAX_UNSENT {
            let id = request.session.session_id;
            unsent.entry(id).or_insert(Unsent {
                request,
                since: Instant::now(),
            });
        } else {
            tracing::error!("a logout will not reach the policy server: too many wait already");
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<SessionId, Unsent>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells the policy server, for ever.
pub async fn run(sessions: Arc<Sessions>) {
    loop {
        tokio::time::sleep(RETRY_PAUSE).await;
        let unsent: Vec<_> = sessions.unsent_logouts.lock().values().cloned().collect();
        let mut reachable = true;
        for Unsent { request, since } in unsent {
            let id = request.session.session_id;
            // What is remembered of its end is remembered for a while only.
            sessions.cache.end(id, Reason::USER_LOGOUT);
            let told = match reachable {
                true => tell(&sessions, request).await,
                false => Err(PolicyError::NoConnection),
            };
            // A server that cannot be reached need not be asked for each; one refusal says nothing of the next.
            reachable = !matches!(
                told,
                Err(PolicyError::NoConnection | PolicyError::TimedOut | PolicyError::Unavailable)
            );
            if told.is_ok() || since.elapsed() > KEPT_FOR {
                sessions.unsent_logouts.lock().remove(&id);
            }
        }
    }
}
