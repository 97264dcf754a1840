//! Logouts that the policy server has not heard of, because it could not be reached.
//!
//! The session is over at this agent all the same. The policy server, and through it every other agent,
//! is told as soon as it can be.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use policy_protocol::message::LogoutRequest;
use policy_protocol::{Reason, SessionId};

use super::logout::tell;
use crate::session::Sessions;

/// Between attempts.
const RETRY_PAUSE: Duration = Duration::from_secs(1);
/// Sessions remembered at most: 25 MB, and a crowd that logs out within one outage.
const MAX_UNSENT: usize = 10_000;

/// See the module.
#[derive(Debug, Default)]
pub struct UnsentLogouts(Mutex<HashMap<SessionId, LogoutRequest>>);

impl UnsentLogouts {
    /// Remembers a logout; one for each session, however often its user tries.
    pub fn add(&self, request: LogoutRequest) {
        let mut unsent = self.lock();
        if unsent.len() < MAX_UNSENT {
            unsent.insert(request.session.session_id, request);
        } else {
            tracing::error!("a logout will not reach the policy server: too many wait already");
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<SessionId, LogoutRequest>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells the policy server, for ever.
pub async fn run(sessions: Arc<Sessions>) {
    loop {
        tokio::time::sleep(RETRY_PAUSE).await;
        let unsent: Vec<_> = sessions.unsent_logouts.lock().values().cloned().collect();
        let mut reached = true;
        for request in unsent {
            let id = request.session.session_id;
            // What is remembered of its end is remembered for a while only.
            sessions.cache.end(id, Reason::USER_LOGOUT);
            reached = reached && tell(&sessions, request).await.is_ok();
            if reached {
                sessions.unsent_logouts.lock().remove(&id);
            }
        }
    }
}
