//! The agent's own session: begun when it is first needed, and anew when it has died.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use policy_protocol::Secret;
use tokio::sync::Mutex;

use super::login::{self, AuthIndex, Begun};
use super::rest::Rest;
use super::sessions::Sessions;
use super::throttle::Throttle;
use crate::PolicyError;
use crate::foreign::clean_up;

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

#[derive(Default)]
struct State {
    current: Option<Own>,
    /// How many sessions there were.
    begun: u64,
    throttle: Throttle,
}

/// What the agent's session is shown for. A proxy may let it through for one and not for the other.
#[derive(Clone, Copy, Debug)]
pub(super) enum Use {
    Policies,
    #[cfg(feature = "am-notifications")]
    Notifications,
}

/// One session of the agent.
#[derive(Clone)]
pub(super) struct Own {
    pub(super) token: Secret<String>,
    number: u64,
    /// By [`Use`]: whether AM has accepted it once.
    accepted: Arc<[AtomicBool; 2]>,
}

impl Own {
    /// AM has answered to whoever this is.
    pub(super) fn accept(&self, what: Use) {
        self.accepted[what as usize].store(true, Ordering::Relaxed);
    }

    fn was_accepted(&self, what: Use) -> bool {
        self.accepted[what as usize].load(Ordering::Relaxed)
    }
}

impl OwnSession {
    pub(super) fn new(account: AmAgent) -> Self {
        Self {
            account,
            state: Mutex::default(),
        }
    }

    /// The session that there is, or a new one.
    ///
    /// # Errors
    /// If the login fails, or has failed a moment ago.
    pub(super) async fn get(&self, rest: &Rest) -> Result<Own, PolicyError> {
        let mut state = self.state.lock().await;
        match &state.current {
            Some(own) => Ok(own.clone()),
            None => self.begin(&mut state, rest).await,
        }
    }

    /// A session in the place of one that AM did not accept. If it never did, that was a failed login as well: who
    /// refuses a session that is new refuses the next one too.
    ///
    /// # Errors
    /// As [`OwnSession::get`].
    pub(super) async fn instead_of(
        &self,
        dead: &Own,
        what: Use,
        rest: &Rest,
        sessions: &Sessions,
    ) -> Result<Own, PolicyError> {
        let mut state = self.state.lock().await;
        match &state.current {
            // Somebody else may have replaced it already.
            Some(own) if own.number != dead.number => return Ok(own.clone()),
            Some(_) => {
                state.current = None;
                if dead.was_accepted(what) {
                    state.throttle = Throttle::default();
                }
                // It may be alive for others than whoever refused it, and nobody will hold it.
                clean_up(sessions.end(rest, dead.token.expose())).await;
            }
            None => {}
        }
        self.begin(&mut state, rest).await
    }

    async fn begin(&self, state: &mut State, rest: &Rest) -> Result<Own, PolicyError> {
        // Before the outcome is known, because this future may be dropped at its deadline.
        let pause = state.throttle.begin().ok_or(PolicyError::Failure)?;
        let AmAgent {
            user,
            password,
            login,
        } = &self.account;
        let error = match login::begin(rest, user, password, login.as_ref()).await {
            Ok(Begun::Session(token)) => {
                tracing::info!(user, "the agent has a session of its own in AM");
                state.begun += 1;
                let own = Own {
                    token,
                    number: state.begun,
                    accepted: Arc::default(),
                };
                state.current = Some(own.clone());
                return Ok(own);
            }
            Ok(Begun::Refused | Begun::Unanswerable) => PolicyError::Failure,
            Err(error) => error,
        };
        tracing::error!(user, %error, again_in = ?pause, "the agent's own login in AM failed");
        state.throttle.failed(pause);
        Err(error)
    }
}
