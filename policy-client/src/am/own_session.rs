//! The agent's own session: begun when it is first needed, and anew when it has died.

use std::time::Duration;

use policy_protocol::Secret;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::limits::{MAX_LOGIN_PAUSE, MIN_LOGIN_PAUSE};
use super::login::{self, AuthIndex, Begun};
use super::rest::Rest;
use crate::PolicyError;

/// The agent's own account in AM.
#[derive(Clone, Debug)]
pub struct AmAgent {
    /// Its name.
    pub user: String,
    /// Its password.
    pub password: Secret<String>,
    /// How it logs in, if not as users do.
    pub login: Option<AuthIndex>,
}

/// See the module.
pub(super) struct OwnSession {
    account: AmAgent,
    /// Held while a login is under way, so that there is one and not a storm of them.
    state: Mutex<State>,
}

struct State {
    current: Option<Own>,
    /// How many sessions there were.
    begun: u64,
    /// After a failed login: when the next one may be tried.
    not_before: Option<Instant>,
    pause: Duration,
}

/// One session of the agent.
#[derive(Clone)]
pub(super) struct Own {
    pub(super) token: Secret<String>,
    number: u64,
}

impl OwnSession {
    pub(super) fn new(account: AmAgent) -> Self {
        Self {
            account,
            state: Mutex::new(State {
                current: None,
                begun: 0,
                not_before: None,
                pause: MIN_LOGIN_PAUSE,
            }),
        }
    }

    /// The session that there is, or a new one.
    ///
    /// # Errors
    /// If the login fails, or has failed a moment ago.
    pub(super) async fn get(&self, rest: &Rest) -> Result<Own, PolicyError> {
        self.other_than(None, rest).await
    }

    /// A session in the place of one that AM did not accept.
    ///
    /// # Errors
    /// As [`OwnSession::get`].
    pub(super) async fn instead_of(&self, dead: &Own, rest: &Rest) -> Result<Own, PolicyError> {
        self.other_than(Some(dead.number), rest).await
    }

    async fn other_than(&self, dead: Option<u64>, rest: &Rest) -> Result<Own, PolicyError> {
        let mut state = self.state.lock().await;
        match &state.current {
            // Somebody else may have replaced it already.
            Some(own) if Some(own.number) != dead => return Ok(own.clone()),
            Some(_) | None => state.current = None,
        }
        if state.not_before.is_some_and(|at| Instant::now() < at) {
            return Err(PolicyError::Failure);
        }
        // Before it is known, because this future may be dropped at its deadline.
        state.not_before = Some(Instant::now() + state.pause);
        let AmAgent {
            user,
            password,
            login,
        } = &self.account;
        let error = match login::begin(rest, user, password, login.as_ref()).await {
            Ok(Begun::Session(token)) => {
                tracing::info!(user, "the agent has a session of its own in AM");
                state.begun += 1;
                state.not_before = None;
                state.pause = MIN_LOGIN_PAUSE;
                let own = Own {
                    token,
                    number: state.begun,
                };
                state.current = Some(own.clone());
                return Ok(own);
            }
            Ok(Begun::Refused | Begun::Unanswerable) => PolicyError::Failure,
            Err(error) => error,
        };
        tracing::error!(user, %error, again_in = ?state.pause, "the agent's own login in AM failed");
        state.not_before = Some(Instant::now() + state.pause);
        state.pause = (state.pause * 2).min(MAX_LOGIN_PAUSE);
        Err(error)
    }
}
