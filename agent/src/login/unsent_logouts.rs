//! Logouts that the policy server has not heard of, because it could not be reached, or because they are ours: of
//! sessions that nobody has.
//!
//! The session is over at this agent all the same. The policy server, and through it every other agent,
//! is told as soon as it can be.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use policy_client::PolicyError;
use policy_protocol::message::LogoutRequest;
use policy_protocol::{Reason, SessionId};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout};

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
pub struct UnsentLogouts {
    unsent: Mutex<HashMap<SessionId, Unsent>>,
    /// That there is one which need not wait: nobody has tried it.
    untried: Notify,
}

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

    /// The same for one that is to be told at once.
    pub fn add_untried(&self, request: LogoutRequest) {
        self.add(request);
        self.untried.notify_one();
    }

    /// Whose logouts are remembered.
    #[cfg(test)]
    pub(crate) fn sessions(&self) -> Vec<SessionId> {
        self.lock().keys().copied().collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<SessionId, Unsent>> {
        self.unsent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells the policy server, for ever.
pub async fn run(sessions: Arc<Sessions>) {
    loop {
        // Either is a reason to look.
        let _ = timeout(RETRY_PAUSE, sessions.unsent_logouts.untried.notified()).await;
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
            // A server that cannot be reached, or whose store has no room, need not be asked for each; one refusal says nothing of the next.
            reachable = !matches!(
                told,
                Err(PolicyError::NoConnection
                    | PolicyError::TimedOut
                    | PolicyError::Unavailable
                    | PolicyError::NoRoom)
            );
            if told.is_ok() || since.elapsed() > KEPT_FOR {
                sessions.unsent_logouts.lock().remove(&id);
            }
        }
    }
}
