//! Makes a call: at one server after the other, within its deadline and the budget of retries.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::PolicyError;
use crate::budget::Budget;
use crate::servers::{Blame, LastResort, Servers};

/// Whether a call may reach two servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// Made twice it does what it does once.
    Freely,
    /// Only if the first server certainly did nothing.
    IfNotProcessed,
}

/// Why one server gave no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// No connection came about, so nothing was processed.
    NotConnected,
    /// The connection broke before the answer was whole.
    Broken,
    /// No answer in time.
    TimedOut,
    /// The server says that it cannot at the moment (503).
    Unavailable {
        /// Whether it says that it did nothing.
        not_processed: bool,
    },
    /// The server says that it failed (any other 5xx).
    Failed,
    /// An answer, if not a useful one; another server would give the same.
    Refused(PolicyError),
}

impl Failure {
    /// What the caller is told if no other server answers.
    const fn error(self) -> PolicyError {
        match self {
            Self::NotConnected | Self::Broken => PolicyError::NoConnection,
            Self::TimedOut => PolicyError::TimedOut,
            Self::Unavailable { .. } => PolicyError::Unavailable,
            Self::Failed => PolicyError::Failure,
            Self::Refused(error) => error,
        }
    }

    /// What it says about the server's health.
    const fn blame(self, repeat: Repeat) -> Option<Blame> {
        match (self, repeat) {
            (Self::NotConnected, _) => Some(Blame::Certain),
            // A server sheds what it may not be asked twice, logins, when there are too many of them. The
            // next has as many: putting one out after the other would end in an outage.
            (
                Self::Unavailable {
                    not_processed: true,
                },
                Repeat::IfNotProcessed,
            )
            | (Self::Refused(_), _) => None,
            (Self::Broken | Self::TimedOut | Self::Unavailable { .. } | Self::Failed, _) => {
                Some(Blame::Suspected)
            }
        }
    }

    const fn allows(self, repeat: Repeat) -> bool {
        match self {
            Self::NotConnected
            | Self::Unavailable {
                not_processed: true,
            } => true,
            Self::Broken | Self::TimedOut | Self::Unavailable { .. } | Self::Failed => {
                matches!(repeat, Repeat::Freely)
            }
            Self::Refused(_) => false,
        }
    }
}

/// One call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call {
    /// Whether it may reach two servers.
    pub(crate) repeat: Repeat,
    /// A server that comes first if it is usable.
    pub(crate) preferred: Option<usize>,
}

impl Call {
    /// To any server.
    pub(crate) const fn new(repeat: Repeat) -> Self {
        Self {
            repeat,
            preferred: None,
        }
    }
}

/// All servers, and what calls to them may cost.
pub(crate) struct Caller {
    pub(crate) servers: Arc<Servers>,
    budget: Budget,
    timeout: Duration,
}

impl Caller {
    /// `timeout` is the deadline of each call, over all servers.
    pub(crate) fn new(servers: Servers, timeout: Duration) -> Self {
        Self {
            servers: Arc::new(servers),
            budget: Budget::new(),
            timeout,
        }
    }

    /// Makes a call: `attempt` sends it to one server, and `lost` is told of each that is out from now on
    /// and that nobody probes yet.
    pub(crate) async fn make<T, F>(
        &self,
        call: Call,
        attempt: impl Fn(usize) -> F,
        lost: impl Fn(usize),
    ) -> Result<T, PolicyError>
    where
        F: Future<Output = Result<T, Failure>>,
    {
        let deadline = Instant::now() + self.timeout;
        self.budget.earn();
        let mut trial = None;
        let mut turns = VecDeque::from(self.servers.turns());
        if turns.is_empty() {
            match self.servers.last_resort().await {
                Some(LastResort::Usable) => turns = self.servers.turns().into(),
                Some(LastResort::Trial(given)) => {
                    turns.push_back(given.server);
                    trial = Some(given);
                }
                None => {}
            }
        }
        if let Some(at) = turns.iter().position(|turn| Some(*turn) == call.preferred) {
            turns.swap(0, at);
        }
        if trial.is_none() {
            trial = self.servers.try_first(&mut turns);
        }
        let is_only = turns.len() == 1;
        let mut failure = Failure::NotConnected;
        let mut first = true;
        while let Some(server) = turns.pop_front() {
            let sent = Instant::now();
            let left = deadline.duration_since(sent);
            if !first && left.is_zero() {
                break;
            }
            if !first && !self.budget.spend() {
                tracing::warn!("not sent to another policy server: too many calls fail");
                break;
            }
            // Every server that is left gets its turn. A call that may not reach two can only wait.
            let within = match call.repeat {
                Repeat::Freely => left / u32::try_from(turns.len() + 1).unwrap_or(u32::MAX),
                Repeat::IfNotProcessed => left,
            };
            let outcome = tokio::time::timeout(within, attempt(server)).await;
            failure = match outcome.unwrap_or(Err(Failure::TimedOut)) {
                Ok(answer) => {
                    self.servers.succeeded(server);
                    return Ok(answer);
                }
                Err(failure) => failure,
            };
            match failure.blame(call.repeat) {
                Some(blame) if self.servers.failed(server, blame, sent) => lost(server),
                None if matches!(failure, Failure::Refused(_)) => self.servers.succeeded(server),
                Some(_) | None => {}
            }
            if !failure.allows(call.repeat) {
                break;
            }
            // Behind a single address there may be several servers, and one of them has just stopped.
            if first && is_only && failure == Failure::Broken {
                turns.push_back(server);
            }
            first = false;
        }
        drop(trial);
        Err(failure.error())
    }
}

#[cfg(test)]
mod tests;
